package expr

import (
	"math/big"
	"strings"
	"unicode/utf8"
)

// A formatSpec is Python's format specification:
//
//	[[fill]align][sign]['z']['#']['0'][width][grouping]['.' precision][type]
type formatSpec struct {
	fill      string
	align     byte // < > ^ = or 0
	sign      byte // + - space or 0
	noNegZero bool
	alternate bool
	zero      bool // a 0 ahead of the width
	width     int
	grouping  byte // , _ or 0
	precision int  // -1 if absent
	kind      byte // 0 if absent
}

// maxFormatNumber bounds width and precision, beyond any memory.
const maxFormatNumber = 1 << 40

func parseFormatSpec(s string) (formatSpec, error) {
	f := formatSpec{precision: -1}
	if _, n := utf8.DecodeRuneInString(s); len(s) > n && strings.IndexByte("<>^=", s[n]) >= 0 {
		f.fill, f.align = s[:n], s[n]
		s = s[n+1:]
	} else if s != "" && strings.IndexByte("<>^=", s[0]) >= 0 {
		f.align = s[0]
		s = s[1:]
	}
	take := func(set string) byte {
		if s != "" && strings.IndexByte(set, s[0]) >= 0 {
			c := s[0]
			s = s[1:]
			return c
		}
		return 0
	}
	number := func() (n int, ok bool) {
		for s != "" && isDigit(s[0]) {
			n, ok = min(n*10+int(s[0]-'0'), maxFormatNumber), true
			s = s[1:]
		}
		return n, ok
	}
	f.sign = take("+- ")
	f.noNegZero = take("z") != 0
	f.alternate = take("#") != 0
	if take("0") != 0 {
		f.zero = true
		if f.fill == "" {
			f.fill = "0"
		}
		if f.align == 0 {
			f.align = '='
		}
	}
	if f.fill == "" {
		f.fill = " "
	}
	f.width, _ = number()
	f.grouping = take(",_")
	if f.grouping != 0 && take(",_") != 0 {
		return f, raise(excValueError, "Cannot specify both ',' and '_'.")
	}
	if take(".") != 0 {
		var ok bool
		if f.precision, ok = number(); !ok {
			return f, raise(excValueError, "Format specifier missing precision")
		}
	}
	if len(s) > 1 {
		return f, raise(excValueError, "Invalid format specifier")
	}
	if s != "" {
		f.kind = s[0]
	}
	if f.grouping == ',' && strings.IndexByte("boxX", f.kind) >= 0 && f.kind != 0 || f.grouping != 0 && f.kind == 'n' {
		return f, raise(excValueError, "Cannot specify '%c' with '%c'.", f.grouping, f.kind)
	}
	return f, nil
}

// format is format(v, spec).
func (ev *eval) format(v Value, spec string) (string, error) {
	if spec == "" {
		return ev.str(v)
	}
	if x, ok := v.(formatted); ok {
		return x.format(ev, spec)
	}
	switch v.(type) {
	case string, bool, int64, float64, *big.Int:
	default:
		return "", raise(excTypeError, "unsupported format string passed to %s.__format__", TypeName(v))
	}
	f, err := parseFormatSpec(spec)
	if err != nil {
		return "", err
	}
	if err := ev.reserve(f); err != nil {
		return "", err
	}
	switch x := v.(type) {
	case string:
		return f.text(x)
	case float64:
		return f.float(x, TypeName(v))
	}
	return f.integer(ev, v)
}

// reserve accounts for what width and precision will take.
func (ev *eval) reserve(f formatSpec) error {
	return ev.growTimes(int64(f.width)+int64(max(f.precision, 0)), len(f.fill))
}

func (f formatSpec) text(s string) (string, error) {
	switch {
	case f.kind != 0 && f.kind != 's':
		return "", f.unknown("str")
	case f.sign != 0:
		return "", raise(excValueError, "Sign not allowed in string format specifier")
	case f.alternate:
		return "", raise(excValueError, "Alternate form (#) not allowed in string format specifier")
	case f.grouping != 0:
		return "", raise(excValueError, "Cannot specify '%c' with 's'.", f.grouping)
	case f.align == '=' && !f.zero:
		return "", raise(excValueError, "'=' alignment not allowed in string format specifier")
	}
	if f.precision >= 0 {
		s = s[:textOffset(s, f.precision)]
	}
	if f.align == 0 || f.align == '=' {
		f.align = '<'
	}
	return f.pad("", s), nil
}

func (f formatSpec) unknown(typ string) error {
	return raise(excValueError, "Unknown format code '%c' for object of type '%s'", f.kind, typ)
}

// pad fills up to the width; sign and prefix go ahead of the filling if that
// stands after them.
func (f formatSpec) pad(prefix, body string) string {
	missing := f.width - textLen(prefix) - textLen(body)
	if missing <= 0 {
		return prefix + body
	}
	switch f.align {
	case '<':
		return prefix + body + strings.Repeat(f.fill, missing)
	case '^':
		left := missing / 2
		return strings.Repeat(f.fill, left) + prefix + body + strings.Repeat(f.fill, missing-left)
	case '=':
		return prefix + strings.Repeat(f.fill, missing) + body
	}
	return strings.Repeat(f.fill, missing) + prefix + body
}

// number pads a number, with its digits grouped; rest is what follows the
// digits, such as a fraction.
func (f formatSpec) number(sign, digits, rest string) string {
	if f.grouping != 0 {
		size := 3
		if f.grouping == '_' && strings.IndexByte("xXob", f.kind) >= 0 && f.kind != 0 {
			size = 4
		}
		if f.fill == "0" && f.align == '=' {
			// The zeros are grouped as well.
			room := f.width - len(sign) - len(rest)
			digits = zerosFor(digits, room, size)
		}
		digits = group(digits, f.grouping, size)
	}
	if f.align == 0 {
		f.align = '>'
	}
	return f.pad(sign, digits+rest)
}

// zerosFor puts zeros ahead of the digits until, grouped, they fill the room.
func zerosFor(digits string, room, size int) string {
	width := func(n int) int { return n + (n-1)/size }
	n := len(digits)
	for width(n) < room {
		n++
	}
	return strings.Repeat("0", n-len(digits)) + digits
}

func group(digits string, sep byte, size int) string {
	if len(digits) <= size {
		return digits
	}
	var b strings.Builder
	b.Grow(len(digits) + len(digits)/size)
	for i := range len(digits) {
		if i > 0 && (len(digits)-i)%size == 0 {
			b.WriteByte(sep)
		}
		b.WriteByte(digits[i])
	}
	return b.String()
}

// signText gives what stands for the sign.
func (f formatSpec) signText(negative bool) string {
	switch {
	case negative:
		return "-"
	case f.sign == '+' || f.sign == ' ':
		return string(f.sign)
	}
	return ""
}
