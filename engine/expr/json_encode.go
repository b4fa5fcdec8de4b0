package expr

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// ToJSON encodes a value: tuples and sets as arrays, records as objects, a
// key that is not text as its Python literal. Its error names the path of a
// value that has no JSON form, such as a function, a handle or NaN, or is a
// *[LimitError] beyond 64 MiB.
func ToJSON(v Value) ([]byte, error) {
	return ToJSONLimit(v, DefaultLimits().Memory)
}

// ToJSONLimit encodes like [ToJSON], into at most limit bytes.
func ToJSONLimit(v Value, limit int64) ([]byte, error) {
	ev := detached()
	ev.limits.Memory = limit
	e := jsonEncoder{ev: ev, itemSep: ",", keySep: ":", wide: true, strict: true}
	if err := e.value(v); err != nil {
		return nil, err
	}
	return e.buf, nil
}

// A jsonEncoder writes JSON, either as the engine's results are written or as
// Python's json.dumps does.
type jsonEncoder struct {
	ev              *eval
	buf             []byte
	itemSep, keySep string
	indent          string // one level, or empty for one line
	lines           bool   // line breaks between items
	ascii           bool
	sortKeys        bool
	strict          bool // NaN and infinity are refused
	skipKeys        bool // keys of the wrong kind are left out
	wide            bool // sets and records too, and keys of any kind
	fallback        Value
	path            []string // where in the value, outermost first
	above           []any    // the containers being written
}

// A jsonText is a value that the engine's results hold as text.
type jsonText interface{ jsonText() string }

func (e *jsonEncoder) text(s string) error {
	if err := e.ev.grow(len(s)); err != nil {
		return err
	}
	e.buf = append(e.buf, s...)
	return nil
}

func (e *jsonEncoder) value(v Value) error {
	if err := e.ev.step(); err != nil {
		return err
	}
	switch v := v.(type) {
	case nil:
		return e.text("null")
	case bool:
		return e.text(strconv.FormatBool(v))
	case int64:
		return e.text(strconv.FormatInt(v, 10))
	case *big.Int:
		s, err := bigText(v)
		if err != nil {
			return err
		}
		return e.text(s)
	case float64:
		return e.float(v)
	case string:
		return e.quote(v)
	case *List:
		return e.nested(v, func() error { return e.array(v.items) })
	case Tuple:
		return e.nested(nil, func() error { return e.array(v) })
	case *Dict:
		return e.nested(v, func() error { return e.object(v) })
	}
	if e.wide {
		switch v := v.(type) {
		case *Set:
			return e.nested(v, func() error { return e.array(v.Items()) })
		case *Object:
			return e.nested(v, func() error { return e.record(v) })
		case jsonText: // dates and the like
			return e.quote(v.jsonText())
		}
	}
	if e.fallback != nil {
		made, err := e.ev.call(e.fallback, v)
		if err != nil {
			return err
		}
		return e.nested(nil, func() error { return e.value(made) })
	}
	return e.refuse(v)
}

func (e *jsonEncoder) refuse(v Value) error {
	msg := fmt.Sprintf("Object of type %s is not JSON serializable", TypeName(v))
	return raise(excTypeError, "%s", msg+e.where())
}

func (e *jsonEncoder) where() string {
	if len(e.path) == 0 {
		return ""
	}
	return " (at " + strings.Join(e.path, "") + ")"
}

func (e *jsonEncoder) float(f float64) error {
	if e.strict && (math.IsNaN(f) || math.IsInf(f, 0)) {
		return raise(excValueError, "Out of range float values are not JSON compliant: %s%s", floatRepr(f), e.where())
	}
	switch {
	case math.IsNaN(f):
		return e.text("NaN")
	case math.IsInf(f, 1):
		return e.text("Infinity")
	case math.IsInf(f, -1):
		return e.text("-Infinity")
	}
	return e.text(floatRepr(f))
}

// nested writes a container, unless it lies inside itself or too deep.
func (e *jsonEncoder) nested(v any, write func() error) error {
	if v != nil && slices.Contains(e.above, v) {
		return raise(excValueError, "Circular reference detected%s", e.where())
	}
	if len(e.above) >= maxValueDepth {
		return errDepth()
	}
	e.above = append(e.above, v)
	err := write()
	e.above = e.above[:len(e.above)-1]
	return err
}

// items writes what stands between brackets, n parts.
func (e *jsonEncoder) items(open, end string, n int, write func(i int) error) error {
	if err := e.text(open); err != nil {
		return err
	}
	for i := range n {
		if i > 0 {
			if err := e.text(e.itemSep); err != nil {
				return err
			}
		}
		if err := e.newline(0); err != nil {
			return err
		}
		if err := write(i); err != nil {
			return err
		}
	}
	if n > 0 {
		if err := e.newline(1); err != nil {
			return err
		}
	}
	return e.text(end)
}

func (e *jsonEncoder) newline(less int) error {
	if !e.lines {
		return nil
	}
	depth := len(e.above) - less
	if err := e.ev.growTimes(int64(depth), len(e.indent)); err != nil {
		return err
	}
	e.buf = append(e.buf, '\n')
	e.buf = append(e.buf, strings.Repeat(e.indent, depth)...)
	return nil
}

func (e *jsonEncoder) array(items []Value) error {
	return e.items("[", "]", len(items), func(i int) error {
		e.path = append(e.path, "["+strconv.Itoa(i)+"]")
		err := e.value(items[i])
		if err == nil {
			e.path = e.path[:len(e.path)-1]
		}
		return err
	})
}

func (e *jsonEncoder) record(o *Object) error {
	return e.items("{", "}", len(o.fields), func(i int) error {
		return e.member(o.fields[i].Name, o.fields[i].Value)
	})
}

func (e *jsonEncoder) object(d *Dict) error {
	if err := e.ev.grow(d.live * entryCost); err != nil {
		return err
	}
	type member struct {
		key string
		val Value
	}
	members := make([]member, 0, d.live)
	for k, v := range d.All() {
		key, ok, err := e.key(k)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		members = append(members, member{key, v})
	}
	if e.sortKeys {
		slices.SortStableFunc(members, func(a, b member) int { return strings.Compare(a.key, b.key) })
	}
	return e.items("{", "}", len(members), func(i int) error {
		return e.member(members[i].key, members[i].val)
	})
}

func (e *jsonEncoder) member(key string, v Value) error {
	if err := e.quote(key); err != nil {
		return err
	}
	if err := e.text(e.keySep); err != nil {
		return err
	}
	e.path = append(e.path, "."+key)
	err := e.value(v)
	if err == nil {
		e.path = e.path[:len(e.path)-1]
	}
	return err
}

// key gives a key as text; ok is false if it is to be left out.
func (e *jsonEncoder) key(k Value) (key string, ok bool, err error) {
	if s, isText := k.(string); isText {
		return s, true, nil
	}
	if e.wide {
		key, err = e.ev.repr(k)
		return key, true, err
	}
	switch k.(type) {
	case nil, bool, int64, float64, *big.Int:
		sub := jsonEncoder{ev: e.ev}
		err := sub.value(k)
		return string(sub.buf), true, err
	}
	if e.skipKeys {
		return "", false, nil
	}
	return "", false, raise(excTypeError, "keys must be str, int, float, bool or None, not %s", TypeName(k))
}

func (e *jsonEncoder) quote(s string) error {
	if err := e.ev.grow(len(s) + 2); err != nil {
		return err
	}
	e.buf = append(e.buf, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		n := 1
		if c >= utf8.RuneSelf {
			var r rune
			r, n = utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError && !e.ascii {
				i += n
				continue
			}
			e.buf = append(e.buf, s[from:i]...)
			if e.ascii {
				e.buf = appendUTF16(e.buf, r)
			} else {
				e.buf = utf8.AppendRune(e.buf, r)
			}
		} else if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		} else {
			e.buf = appendEscape(append(e.buf, s[from:i]...), c)
		}
		i += n
		from = i
	}
	e.buf = append(append(e.buf, s[from:]...), '"')
	return nil
}

func appendEscape(buf []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(buf, '\\', c)
	case '\n':
		return append(buf, '\\', 'n')
	case '\r':
		return append(buf, '\\', 'r')
	case '\t':
		return append(buf, '\\', 't')
	case '\b':
		return append(buf, '\\', 'b')
	case '\f':
		return append(buf, '\\', 'f')
	}
	return appendHex(append(buf, '\\', 'u'), rune(c), 4)
}

func appendUTF16(buf []byte, r rune) []byte {
	if r1, r2 := utf16.EncodeRune(r); r1 != utf8.RuneError {
		return appendHex(append(appendHex(append(buf, '\\', 'u'), r1, 4), '\\', 'u'), r2, 4)
	}
	return appendHex(append(buf, '\\', 'u'), r, 4)
}
