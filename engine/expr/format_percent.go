package expr

import (
	"math/big"
	"strings"
)

// formatPercent is `text % values`:
//
//	'%' ['(' key ')'] {flag} [width | '*'] ['.' (precision | '*')] type
func (ev *eval) formatPercent(format string, values Value) (string, error) {
	p := percent{ev: ev, rest: format, whole: values}
	if t, ok := values.(Tuple); ok {
		p.args, p.tuple = t, true
	} else {
		p.args = Tuple{values}
	}
	return p.run()
}

type percent struct {
	ev    *eval
	rest  string
	whole Value
	args  Tuple // those not used yet
	tuple bool
	named bool // some key was looked up
	out   strings.Builder
}

func (p *percent) run() (string, error) {
	for {
		i := strings.IndexByte(p.rest, '%')
		if i < 0 {
			break
		}
		p.out.WriteString(p.rest[:i])
		p.rest = p.rest[i+1:]
		s, err := p.conversion()
		if err != nil {
			return "", err
		}
		if err := p.ev.grow(len(s)); err != nil {
			return "", err
		}
		p.out.WriteString(s)
	}
	p.out.WriteString(p.rest)
	if len(p.args) > 0 && !p.named && !p.mapping() {
		return "", raise(excTypeError, "not all arguments converted during string formatting")
	}
	return p.out.String(), p.ev.grow(p.out.Len())
}

// mapping reports whether the values may go unused, as those of a mapping.
func (p *percent) mapping() bool {
	switch p.whole.(type) {
	case *Dict, *List, *Object, Bytes, *Range:
		return true
	}
	return false
}

func (p *percent) next() (Value, error) {
	if len(p.args) == 0 {
		return nil, raise(excTypeError, "not enough arguments for format string")
	}
	v := p.args[0]
	p.args = p.args[1:]
	return v, nil
}

func (p *percent) conversion() (string, error) {
	var v Value
	haveKey := false
	if strings.HasPrefix(p.rest, "(") {
		end := closingParen(p.rest)
		if end < 0 {
			return "", raise(excValueError, "incomplete format key")
		}
		d, ok := p.whole.(*Dict)
		if !ok {
			return "", raise(excTypeError, "format requires a mapping")
		}
		key := p.rest[1:end]
		p.rest = p.rest[end+1:]
		if v, ok = d.GetString(key); !ok {
			return "", raiseKeyError(key)
		}
		haveKey, p.named = true, true
	}
	f, err := p.spec()
	if err != nil {
		return "", err
	}
	if p.rest == "" {
		return "", raise(excValueError, "incomplete format")
	}
	f.kind = p.rest[0]
	p.rest = p.rest[1:]
	if f.kind == '%' {
		return "%", nil
	}
	if !haveKey {
		if v, err = p.next(); err != nil {
			return "", err
		}
	}
	if err := p.ev.reserve(f); err != nil {
		return "", err
	}
	return p.value(f, v)
}

// closingParen gives the end of a key, in which parentheses may be nested.
func closingParen(s string) int {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// spec reads flags, width and precision.
func (p *percent) spec() (formatSpec, error) {
	f := formatSpec{fill: " ", align: '>', precision: -1}
	for p.rest != "" && strings.IndexByte("-+ #0", p.rest[0]) >= 0 {
		switch c := p.rest[0]; c {
		case '-':
			f.align = '<'
		case '+':
			f.sign = '+'
		case ' ':
			if f.sign == 0 {
				f.sign = ' '
			}
		case '#':
			f.alternate = true
		case '0':
			f.zero = true
		}
		p.rest = p.rest[1:]
	}
	var err error
	if f.width, _, err = p.number(); err != nil {
		return f, err
	}
	if f.width < 0 {
		f.align, f.width = '<', -f.width
	}
	if strings.HasPrefix(p.rest, ".") {
		p.rest = p.rest[1:]
		n, _, err := p.number()
		if err != nil {
			return f, err
		}
		f.precision = max(n, 0)
	}
	for p.rest != "" && strings.IndexByte("hlL", p.rest[0]) >= 0 {
		p.rest = p.rest[1:]
	}
	return f, nil
}

func (p *percent) number() (n int, ok bool, err error) {
	if strings.HasPrefix(p.rest, "*") {
		p.rest = p.rest[1:]
		v, err := p.next()
		if err != nil {
			return 0, false, err
		}
		i, ok := v.(int64)
		if !ok {
			return 0, false, raise(excTypeError, "* wants int")
		}
		return int(max(min(i, maxFormatNumber), -maxFormatNumber)), true, nil
	}
	for p.rest != "" && isDigit(p.rest[0]) {
		n, ok = min(n*10+int(p.rest[0]-'0'), maxFormatNumber), true
		p.rest = p.rest[1:]
	}
	return n, ok, nil
}

func (p *percent) value(f formatSpec, v Value) (string, error) {
	switch f.kind {
	case 's', 'r', 'a':
		converted, err := p.ev.convert(v, f.kind)
		if err != nil {
			return "", err
		}
		s := converted.(string)
		if f.precision >= 0 {
			s = s[:textOffset(s, f.precision)]
		}
		return f.pad("", s), nil
	case 'c':
		return p.character(f, v)
	case 'd', 'i', 'u', 'x', 'X', 'o':
		return p.integer(f, v)
	case 'e', 'E', 'f', 'F', 'g', 'G':
		x, err := toFloat(v)
		if err != nil {
			return "", raise(excTypeError, "must be real number, not %s", TypeName(v))
		}
		if f.zero && f.align == '>' {
			f.fill, f.align = "0", '='
		}
		return f.float(x, "float")
	}
	return "", raise(excValueError, "unsupported format character '%c' (0x%x)", f.kind, f.kind)
}

func (p *percent) character(f formatSpec, v Value) (string, error) {
	if s, ok := v.(string); ok {
		if textLen(s) != 1 {
			return "", raise(excTypeError, "%%c requires an int or a unicode character, not a string of length %d", textLen(s))
		}
		return f.pad("", s), nil
	}
	n, ok := integer(v)
	if !ok {
		return "", raise(excTypeError, "%%c requires an int or a unicode character, not %s", TypeName(v))
	}
	if n < 0 || n > 0x10ffff {
		return "", raise(excOverflowError, "%%c arg not in range(0x110000)")
	}
	return f.pad("", string(rune(n))), nil
}

// integer writes an integer; d, i and u take a float too, which they cut.
func (p *percent) integer(f formatSpec, v Value) (string, error) {
	if x, ok := v.(float64); ok && strings.IndexByte("diu", f.kind) >= 0 {
		var err error
		if v, err = truncate(x); err != nil {
			return "", err
		}
	}
	if !isNumber(v) || TypeName(v) == "float" {
		if strings.IndexByte("diu", f.kind) >= 0 {
			return "", raise(excTypeError, "%%%c format: a real number is required, not %s", f.kind, TypeName(v))
		}
		return "", raise(excTypeError, "%%%c format: an integer is required, not %s", f.kind, TypeName(v))
	}
	n := toBig(v)
	base, prefix := 10, ""
	switch f.kind {
	case 'x':
		base, prefix = 16, "0x"
	case 'X':
		base, prefix = 16, "0X"
	case 'o':
		base, prefix = 8, "0o"
	default:
		if _, err := bigText(n); err != nil {
			return "", err
		}
	}
	digits := new(big.Int).Abs(n).Text(base)
	if f.kind == 'X' {
		digits = strings.ToUpper(digits)
	}
	if missing := f.precision - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	sign := f.signText(n.Sign() < 0)
	if f.alternate {
		sign += prefix
	}
	if f.zero && f.align == '>' {
		f.fill, f.align = "0", '='
	}
	return f.pad(sign, digits), nil
}
