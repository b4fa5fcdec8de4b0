package expr

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxJSONDepth bounds how deep decoded data may be nested.
const maxJSONDepth = 500

// FromJSON decodes one JSON value: the order of keys is kept, whole numbers
// become integers of any size, others floats. Its error names the line and
// column. Nothing but white space may follow the value.
func FromJSON(data []byte) (Value, error) {
	d := jsonDecoder{data: string(data)}
	return d.decode()
}

// A jsonDecoder reads JSON as RFC 8259 has it; lax also takes the NaN and
// Infinity of Python's json.loads.
type jsonDecoder struct {
	data  string
	pos   int
	depth int
	lax   bool
	ev    *eval // if set, accounts for what is decoded
}

// A jsonError tells where JSON goes wrong.
type jsonError struct {
	msg       string
	pos       int
	line, col int
}

func (e *jsonError) Error() string {
	return fmt.Sprintf("%s: line %d column %d (char %d)", e.msg, e.line, e.col, e.pos)
}

func (d *jsonDecoder) fail(msg string, pos int) error {
	e := &jsonError{msg: msg, line: 1, col: 1}
	for _, r := range d.data[:min(pos, len(d.data))] {
		e.pos++
		e.col++
		if r == '\n' {
			e.line++
			e.col = 1
		}
	}
	return e
}

func (d *jsonDecoder) decode() (Value, error) {
	d.space()
	v, err := d.value()
	if err != nil {
		return nil, err
	}
	d.space()
	if d.pos < len(d.data) {
		return nil, d.fail("Extra data", d.pos)
	}
	return v, nil
}

func (d *jsonDecoder) space() {
	for d.pos < len(d.data) {
		switch d.data[d.pos] {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return
		}
	}
}

// peek gives the next octet, or zero at the end.
func (d *jsonDecoder) peek() byte {
	if d.pos < len(d.data) {
		return d.data[d.pos]
	}
	return 0
}

func (d *jsonDecoder) value() (Value, error) {
	switch c := d.peek(); {
	case c == '{':
		return d.nested((*jsonDecoder).object)
	case c == '[':
		return d.nested((*jsonDecoder).array)
	case c == '"':
		return d.text()
	case c == '-' || '0' <= c && c <= '9':
		if d.lax && d.word("-Infinity") {
			return math.Inf(-1), nil
		}
		return d.number()
	case d.word("null"):
		return nil, nil
	case d.word("true"):
		return true, nil
	case d.word("false"):
		return false, nil
	case d.lax && d.word("NaN"):
		return math.NaN(), nil
	case d.lax && d.word("Infinity"):
		return math.Inf(1), nil
	}
	return nil, d.fail("Expecting value", d.pos)
}

func (d *jsonDecoder) word(w string) bool {
	if len(d.data)-d.pos < len(w) || d.data[d.pos:d.pos+len(w)] != w {
		return false
	}
	d.pos += len(w)
	return true
}

func (d *jsonDecoder) nested(read func(*jsonDecoder) (Value, error)) (Value, error) {
	d.depth++
	if d.depth > maxJSONDepth {
		return nil, d.fail("Nested too deep", d.pos)
	}
	d.pos++
	v, err := read(d)
	d.depth--
	return v, err
}

func (d *jsonDecoder) grow(n int) error {
	if d.ev == nil {
		return nil
	}
	if err := d.ev.step(); err != nil {
		return err
	}
	return d.ev.grow(n)
}

func (d *jsonDecoder) array() (Value, error) {
	list := NewList()
	d.space()
	if d.word("]") {
		return list, nil
	}
	for {
		d.space()
		v, err := d.value()
		if err != nil {
			return nil, err
		}
		if err := d.grow(itemCost); err != nil {
			return nil, err
		}
		list.Append(v)
		d.space()
		switch {
		case d.word("]"):
			return list, nil
		case !d.word(","):
			return nil, d.fail("Expecting ',' delimiter", d.pos)
		}
	}
}

func (d *jsonDecoder) object() (Value, error) {
	dict := NewDict()
	d.space()
	if d.word("}") {
		return dict, nil
	}
	for {
		d.space()
		if d.peek() != '"' {
			return nil, d.fail("Expecting property name enclosed in double quotes", d.pos)
		}
		key, err := d.text()
		if err != nil {
			return nil, err
		}
		d.space()
		if !d.word(":") {
			return nil, d.fail("Expecting ':' delimiter", d.pos)
		}
		d.space()
		v, err := d.value()
		if err != nil {
			return nil, err
		}
		if err := d.grow(entryCost); err != nil {
			return nil, err
		}
		dict.SetString(key.(string), v)
		d.space()
		switch {
		case d.word("}"):
			return dict, nil
		case !d.word(","):
			return nil, d.fail("Expecting ',' delimiter", d.pos)
		}
	}
}

func (d *jsonDecoder) number() (Value, error) {
	start := d.pos
	d.word("-")
	if !d.word("0") && !d.digits() {
		return nil, d.fail("Expecting value", start)
	}
	whole := true
	if mark := d.pos; d.word(".") {
		whole = false
		if !d.digits() {
			return nil, d.fail("Expecting digits", mark)
		}
	}
	if c := d.peek(); c == 'e' || c == 'E' {
		mark := d.pos
		whole = false
		d.pos++
		if !d.word("+") {
			d.word("-")
		}
		if !d.digits() {
			return nil, d.fail("Expecting digits", mark)
		}
	}
	text := d.data[start:d.pos]
	if !whole {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil && !d.lax {
			return nil, d.fail("Number out of range", start)
		}
		return f, nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	if len(text) > maxIntDigits {
		return nil, d.fail("Number has too many digits", start)
	}
	b, _ := new(big.Int).SetString(text, 10)
	return b, nil
}

func (d *jsonDecoder) digits() bool {
	start := d.pos
	for c := d.peek(); '0' <= c && c <= '9'; c = d.peek() {
		d.pos++
	}
	return d.pos > start
}

func (d *jsonDecoder) text() (Value, error) {
	start := d.pos
	d.pos++
	from := d.pos
	var buf []byte
	for {
		switch c := d.peek(); {
		case c == '"':
			s := d.data[from:d.pos]
			d.pos++
			if buf != nil {
				s = string(append(buf, s...))
			}
			if !utf8.ValidString(s) {
				return nil, d.fail("Text is not UTF-8", start)
			}
			return s, d.grow(len(s))
		case c == '\\':
			buf = append(buf, d.data[from:d.pos]...)
			var err error
			if buf, err = d.escape(buf); err != nil {
				return nil, err
			}
			from = d.pos
		case d.pos >= len(d.data):
			return nil, d.fail("Unterminated string starting at", start)
		case c < ' ':
			return nil, d.fail("Invalid control character at", d.pos)
		default:
			d.pos++
		}
	}
}

func (d *jsonDecoder) escape(buf []byte) ([]byte, error) {
	at := d.pos
	d.pos++
	c := d.peek()
	d.pos++
	switch c {
	case '"', '\\', '/':
		return append(buf, c), nil
	case 'b':
		return append(buf, '\b'), nil
	case 'f':
		return append(buf, '\f'), nil
	case 'n':
		return append(buf, '\n'), nil
	case 'r':
		return append(buf, '\r'), nil
	case 't':
		return append(buf, '\t'), nil
	case 'u':
		r, ok := d.hex4()
		if !ok {
			return nil, d.fail("Invalid \\uXXXX escape", at)
		}
		if utf16.IsSurrogate(r) {
			// A surrogate without its other half becomes U+FFFD.
			mark := d.pos
			low, ok := rune(0), false
			if d.word(`\u`) {
				low, ok = d.hex4()
			}
			pair := utf16.DecodeRune(r, low)
			if !ok || pair == utf8.RuneError {
				d.pos = mark
			}
			r = pair
		}
		return utf8.AppendRune(buf, r), nil
	}
	return nil, d.fail("Invalid \\escape", at)
}

func (d *jsonDecoder) hex4() (rune, bool) {
	if len(d.data)-d.pos < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(d.data[d.pos:d.pos+4], 16, 32)
	if err != nil {
		return 0, false
	}
	d.pos += 4
	return rune(n), true
}
