package expr

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// integer formats an int or bool.
func (f formatSpec) integer(ev *eval, v Value) (string, error) {
	if strings.IndexByte("eEfFgG%", f.kind) >= 0 && f.kind != 0 {
		x, err := toFloat(v)
		if err != nil {
			return "", err
		}
		return f.float(x, TypeName(v))
	}
	if f.noNegZero {
		return "", raise(excValueError, "Negative zero coercion (z) not allowed in integer format specifier")
	}
	if f.precision >= 0 {
		return "", raise(excValueError, "Precision not allowed in integer format specifier")
	}
	if f.kind == 'c' {
		return f.character(v)
	}
	base, prefix := 10, ""
	switch f.kind {
	case 0, 'd', 'n':
		if b, ok := v.(*big.Int); ok {
			if _, err := bigText(b); err != nil {
				return "", err
			}
		}
	case 'b':
		base, prefix = 2, "0b"
	case 'o':
		base, prefix = 8, "0o"
	case 'x':
		base, prefix = 16, "0x"
	case 'X':
		base, prefix = 16, "0X"
	default:
		return "", f.unknown(TypeName(v))
	}
	n := toBig(v)
	if err := ev.grow(n.BitLen()); err != nil {
		return "", err
	}
	digits := new(big.Int).Abs(n).Text(base)
	if f.kind == 'X' {
		digits = strings.ToUpper(digits)
	}
	sign := f.signText(n.Sign() < 0)
	if f.alternate {
		sign += prefix
	}
	return f.number(sign, digits, ""), nil
}

func (f formatSpec) character(v Value) (string, error) {
	n, ok := integer(v)
	switch {
	case f.sign != 0:
		return "", raise(excValueError, "Sign not allowed with integer format specifier 'c'")
	case !ok || n < 0 || n > 0x10ffff:
		return "", raise(excOverflowError, "%%c arg not in range(0x110000)")
	}
	if f.align == 0 {
		f.align = '<'
	}
	return f.pad("", string(rune(n))), nil
}

// float formats a float; typ names the type in errors.
func (f formatSpec) float(x float64, typ string) (string, error) {
	if f.kind != 0 && strings.IndexByte("eEfFgGn%", f.kind) < 0 {
		return "", f.unknown(typ)
	}
	digits := floatDigits(math.Abs(x), f.kind, f.precision, f.alternate)
	negative := math.Signbit(x) && !math.IsNaN(x)
	if f.noNegZero && strings.Trim(digits, "0.eE+-") == "" {
		negative = false
	}
	whole, rest := digits, ""
	if i := strings.IndexAny(digits, ".eE%"); i >= 0 {
		whole, rest = digits[:i], digits[i:]
	}
	if math.IsInf(x, 0) || math.IsNaN(x) {
		whole, rest = strings.TrimSuffix(digits, "%"), digits[len(strings.TrimSuffix(digits, "%")):]
	}
	return f.number(f.signText(negative), whole, rest), nil
}

// floatDigits writes a float that is not negative in one of the ways e, f,
// g, % or, for 0, like repr but with a precision.
func floatDigits(x float64, kind byte, precision int, alternate bool) string {
	upper := kind == 'E' || kind == 'F' || kind == 'G'
	if math.IsInf(x, 0) || math.IsNaN(x) {
		s := "inf"
		if math.IsNaN(x) {
			s = "nan"
		}
		if upper {
			s = strings.ToUpper(s)
		}
		if kind == '%' {
			s += "%"
		}
		return s
	}
	if precision < 0 && kind != 0 {
		precision = 6
	}
	var s string
	switch kind {
	case 0:
		if precision >= 0 {
			return general(x, kind, precision, alternate)
		}
		s = floatRepr(x)
	case 'f', 'F':
		s = strconv.FormatFloat(x, 'f', precision, 64)
	case '%':
		s = strconv.FormatFloat(x*100, 'f', precision, 64)
	case 'e', 'E':
		s = strconv.FormatFloat(x, 'e', precision, 64)
	default:
		return general(x, kind, precision, alternate)
	}
	if alternate && !strings.Contains(s, ".") {
		i := strings.IndexByte(s, 'e')
		if i < 0 {
			i = len(s)
		}
		s = s[:i] + "." + s[i:]
	}
	if kind == '%' {
		s += "%"
	}
	if upper {
		s = strings.ToUpper(s)
	}
	return s
}

// general is the g format: significant digits, in the shorter notation. With
// kind 0 a whole number keeps one digit after the point.
func general(x float64, kind byte, precision int, alternate bool) string {
	precision = max(precision, 1)
	s := strconv.FormatFloat(x, 'e', precision-1, 64)
	mark := strings.IndexByte(s, 'e')
	exp, _ := strconv.Atoi(s[mark+1:])
	limit := precision
	if kind == 0 {
		limit-- // 12345.0 with five digits is 1.2345e+04, as repr would have it
	}
	exponent := ""
	if exp < -4 || exp >= limit {
		s, exponent = s[:mark], s[mark:]
	} else {
		s = strconv.FormatFloat(x, 'f', max(precision-1-exp, 0), 64)
	}
	if !alternate && strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if kind == 0 && exponent == "" && !strings.Contains(s, ".") {
		s += ".0"
	}
	if alternate && !strings.Contains(s, ".") {
		s += "."
	}
	s += exponent
	if kind == 'G' {
		s = strings.ToUpper(s)
	}
	return s
}
