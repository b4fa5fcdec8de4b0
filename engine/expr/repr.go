package expr

import (
	"math"
	"math/big"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// Str gives a value as str() does. Text beyond 64 MiB is cut short; where
// that matters use [Text].
func Str(v Value) string {
	if s, ok := v.(string); ok {
		return s
	}
	p := printer{ev: detached()}
	if err := p.str(v); err != nil {
		p.buf = append(p.buf, "..."...)
	}
	return string(p.buf)
}

// Repr gives a value as repr() does, with the bound of [Str].
func Repr(v Value) string {
	p := printer{ev: detached()}
	if err := p.repr(v); err != nil {
		p.buf = append(p.buf, "..."...)
	}
	return string(p.buf)
}

// Text gives a value as str() does, or a *[LimitError] if the text would be
// longer than limit bytes.
func Text(v Value, limit int64) (string, error) {
	if s, ok := v.(string); ok && int64(len(s)) <= limit {
		return s, nil
	}
	p := printer{ev: detached()}
	p.ev.limits.Memory = limit
	err := p.str(v)
	return string(p.buf), err
}

func (ev *eval) str(v Value) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	}
	p := printer{ev: ev}
	err := p.str(v)
	return string(p.buf), err
}

func (ev *eval) repr(v Value) (string, error) {
	p := printer{ev: ev}
	err := p.repr(v)
	return string(p.buf), err
}

// A printer writes values as text, bounded in size and depth. A container
// inside itself is written as Python does, `[...]`.
type printer struct {
	ev    *eval
	buf   []byte
	above []any // the containers that are being written
}

func (p *printer) text(s string) error {
	if err := p.ev.grow(len(s)); err != nil {
		return err
	}
	p.buf = append(p.buf, s...)
	return nil
}

func (p *printer) separate(first *bool) error {
	if *first {
		*first = false
		return nil
	}
	return p.text(", ")
}

func (p *printer) str(v Value) error {
	switch v := v.(type) {
	case string:
		return p.text(v)
	case strer:
		return v.str(p)
	}
	return p.repr(v)
}

func (p *printer) repr(v Value) error {
	switch v := v.(type) {
	case nil:
		return p.text("None")
	case bool:
		if v {
			return p.text("True")
		}
		return p.text("False")
	case int64:
		return p.text(strconv.FormatInt(v, 10))
	case float64:
		return p.text(floatRepr(v))
	case *big.Int:
		s, err := bigText(v)
		if err != nil {
			return err
		}
		return p.text(s)
	case string:
		return p.quote(v)
	case Bytes:
		return p.quoteBytes(v)
	case Tuple:
		if len(v) == 1 {
			if err := p.list("(", v, ","); err != nil {
				return err
			}
			return p.text(")")
		}
		return p.list("(", v, ")")
	case *List:
		return p.nested(v, "[...]", func() error { return p.list("[", v.items, "]") })
	case *Dict:
		return p.nested(v, "{...}", func() error { return p.dict(v) })
	case reprer:
		return v.repr(p)
	}
	return p.text("<" + TypeName(v) + ">")
}

// nested writes a container unless it is being written already.
func (p *printer) nested(v any, again string, write func() error) error {
	for _, a := range p.above {
		if a == v {
			return p.text(again)
		}
	}
	p.above = append(p.above, v)
	defer func() { p.above = p.above[:len(p.above)-1] }()
	return write()
}

func (p *printer) list(open string, items []Value, end string) error {
	p.above = append(p.above, nil)
	defer func() { p.above = p.above[:len(p.above)-1] }()
	if len(p.above) > maxValueDepth {
		return errDepth()
	}
	if err := p.text(open); err != nil {
		return err
	}
	first := true
	for _, v := range items {
		if err := p.ev.step(); err != nil {
			return err
		}
		if err := p.separate(&first); err != nil {
			return err
		}
		if err := p.repr(v); err != nil {
			return err
		}
	}
	return p.text(end)
}

func (p *printer) dict(d *Dict) error {
	if d.kind != nil {
		return p.dictOfKind(d)
	}
	return p.dictEntries(d)
}

func (p *printer) dictEntries(d *Dict) error {
	if len(p.above) > maxValueDepth {
		return errDepth()
	}
	if err := p.text("{"); err != nil {
		return err
	}
	first := true
	for k, v := range d.All() {
		if err := p.ev.step(); err != nil {
			return err
		}
		if err := p.separate(&first); err != nil {
			return err
		}
		if err := p.repr(k); err != nil {
			return err
		}
		if err := p.text(": "); err != nil {
			return err
		}
		if err := p.repr(v); err != nil {
			return err
		}
	}
	return p.text("}")
}

// quote writes text as a literal: in single quotes unless it holds these and
// no double ones.
func (p *printer) quote(s string) error {
	if err := p.ev.grow(len(s) + 2); err != nil {
		return err
	}
	quote := quoteFor(s)
	p.buf = append(p.buf, quote)
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == rune(quote) || r == '\\':
			p.buf = append(p.buf, '\\', byte(r))
		case r == '\n':
			p.buf = append(p.buf, '\\', 'n')
		case r == '\r':
			p.buf = append(p.buf, '\\', 'r')
		case r == '\t':
			p.buf = append(p.buf, '\\', 't')
		case r < ' ' || r == 0x7f:
			p.buf = appendHex(append(p.buf, '\\', 'x'), r, 2)
		case r < 0x7f || unicode.IsPrint(r):
			p.buf = append(p.buf, s[i:i+n]...)
		case r < 0x100:
			p.buf = appendHex(append(p.buf, '\\', 'x'), r, 2)
		case r < 0x10000:
			p.buf = appendHex(append(p.buf, '\\', 'u'), r, 4)
		default:
			p.buf = appendHex(append(p.buf, '\\', 'U'), r, 8)
		}
		i += n
	}
	p.buf = append(p.buf, quote)
	return nil
}

func (p *printer) quoteBytes(b Bytes) error {
	if err := p.ev.grow(len(b) + 3); err != nil {
		return err
	}
	quote := quoteFor(string(b))
	p.buf = append(p.buf, 'b', quote)
	for i := range len(b) {
		switch c := b[i]; {
		case c == quote || c == '\\':
			p.buf = append(p.buf, '\\', c)
		case c == '\n':
			p.buf = append(p.buf, '\\', 'n')
		case c == '\r':
			p.buf = append(p.buf, '\\', 'r')
		case c == '\t':
			p.buf = append(p.buf, '\\', 't')
		case c < ' ' || c >= 0x7f:
			p.buf = appendHex(append(p.buf, '\\', 'x'), rune(c), 2)
		default:
			p.buf = append(p.buf, c)
		}
	}
	p.buf = append(p.buf, quote)
	return nil
}

func quoteFor(s string) byte {
	single := false
	for i := range len(s) {
		switch s[i] {
		case '"':
			return '\''
		case '\'':
			single = true
		}
	}
	if single {
		return '"'
	}
	return '\''
}

func appendHex(buf []byte, r rune, width int) []byte {
	const digits = "0123456789abcdef"
	for shift := (width - 1) * 4; shift >= 0; shift -= 4 {
		buf = append(buf, digits[r>>shift&15])
	}
	return buf
}

// floatRepr writes a float in the shortest form that reads back the same,
// with an exponent below 1e-4 and from 1e16 on.
func floatRepr(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	for i := range len(s) {
		if s[i] == '.' {
			return s
		}
	}
	return s + ".0"
}

// bigText writes a large integer, which has at most maxIntDigits digits.
func bigText(b *big.Int) (string, error) {
	// A digit takes more than 3.32 bits.
	if b.BitLen() > maxIntDigits*3322/1000+4 {
		return "", errIntDigits()
	}
	s := b.String()
	if len(s) > maxIntDigits+1 || len(s) > maxIntDigits && s[0] != '-' {
		return "", errIntDigits()
	}
	return s, nil
}

func errIntDigits() error {
	return raise(excValueError, "Exceeds the limit (%d digits) for integer string conversion", maxIntDigits)
}
