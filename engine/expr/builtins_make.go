package expr

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

func makeStr(ev *eval, a []Value) (Value, error) {
	if !given(a[0]) {
		return "", nil
	}
	if b, ok := a[0].(Bytes); ok && (given(a[1]) || given(a[2])) {
		return bytesDecode(ev, []Value{b, a[1], a[2]})
	}
	s, err := ev.str(a[0])
	return s, err
}

func makeBool(_ *eval, a []Value) (Value, error) {
	return given(a[0]) && Truth(a[0]), nil
}

func makeType(_ *eval, a []Value) (Value, error) {
	switch v := a[0].(type) {
	case *Object:
		return &Type{name: v.typeName, base: typeObject}, nil
	case Host:
		return &Type{name: v.TypeName(), base: typeObject}, nil
	}
	return typeOf(a[0]), nil
}

func makeInt(ev *eval, a []Value) (Value, error) {
	if given(a[1]) {
		base, err := argInt(a[1], 10)
		if err != nil {
			return nil, err
		}
		switch s := a[0].(type) {
		case string:
			return ev.parseInt(s, int(base))
		case Bytes:
			return ev.parseInt(string(s), int(base))
		}
		return nil, raise(excTypeError, "int() can't convert non-string with explicit base")
	}
	switch x := a[0].(type) {
	case absentArg:
		return int64(0), nil
	case int64, *big.Int:
		return x, nil
	case bool:
		n, _ := integer(x)
		return n, nil
	case float64:
		return truncate(x)
	case string:
		return ev.parseInt(x, 10)
	case Bytes:
		return ev.parseInt(string(x), 10)
	}
	return nil, raise(excTypeError, "int() argument must be a string, a bytes-like object or a real number, not '%s'", TypeName(a[0]))
}

// truncate converts a float to the integer toward zero.
func truncate(f float64) (Value, error) {
	switch {
	case math.IsNaN(f):
		return nil, raise(excValueError, "cannot convert float NaN to integer")
	case math.IsInf(f, 0):
		return nil, raise(excOverflowError, "cannot convert float infinity to integer")
	case math.Abs(f) < 1<<62:
		return int64(f), nil
	}
	b, _ := big.NewFloat(f).Int(nil)
	return normInt(b), nil
}

// parseInt reads an integer as int() does: with white space around, a sign,
// underscores between digits, and digits of any script.
func (ev *eval) parseInt(text string, base int) (Value, error) {
	if base != 0 && (base < 2 || base > 36) {
		return nil, raise(excValueError, "int() base must be >= 2 and <= 36, or 0")
	}
	if err := ev.spend(len(text) / 64); err != nil {
		return nil, err
	}
	bad := func() error {
		p := printer{ev: ev}
		if err := p.quote(text); err != nil {
			return err
		}
		return raise(excValueError, "invalid literal for int() with base %d: %s", base, p.buf)
	}
	s := plainDigits(trimSpace(text))
	sign := ""
	if s != "" && (s[0] == '-' || s[0] == '+') {
		sign, s = strings.TrimPrefix(s[:1], "+"), s[1:]
	}
	if r := radix(s); r != 10 && (base == 0 || base == r) {
		base, s = r, strings.TrimPrefix(s[2:], "_")
	} else if base == 0 {
		if base = 10; len(s) > 1 && s[0] == '0' && strings.Trim(s, "0_") != "" {
			return nil, raise(excValueError, "invalid literal for int() with base 0: '%s'", text)
		}
	}
	if s == "" || s[0] == '_' || s[len(s)-1] == '_' || strings.Contains(s, "__") {
		return nil, bad()
	}
	s = strings.ReplaceAll(s, "_", "")
	for i := range len(s) {
		if digitValue(s[i]) >= base {
			return nil, bad()
		}
	}
	if len(s) > maxIntDigits && base&(base-1) != 0 {
		return nil, raise(excValueError, "Exceeds the limit (%d digits) for integer string conversion: value has %d digits", maxIntDigits, len(s))
	}
	if n, err := strconv.ParseInt(sign+s, base, 64); err == nil {
		return n, nil
	}
	if err := ev.grow(len(s)); err != nil {
		return nil, err
	}
	b, _ := new(big.Int).SetString(sign+s, base)
	return normInt(b), nil
}

func makeFloat(_ *eval, a []Value) (Value, error) {
	switch x := a[0].(type) {
	case absentArg:
		return 0.0, nil
	case string:
		return parseFloat(x)
	case Bytes:
		return parseFloat(string(x))
	}
	if !isNumber(a[0]) {
		return nil, raise(excTypeError, "float() argument must be a string or a real number, not '%s'", TypeName(a[0]))
	}
	f, err := toFloat(a[0])
	return f, err
}

// parseFloat reads a float as float() does. What ParseFloat takes beyond
// that, hexadecimal, is refused.
func parseFloat(text string) (Value, error) {
	s := plainDigits(trimSpace(text))
	bad := raise(excValueError, "could not convert string to float: %s", Repr(text))
	if strings.ContainsAny(s, "xXpP") {
		return nil, bad
	}
	if strings.Contains(s, "_") {
		for i := range len(s) {
			if s[i] == '_' && (i == 0 || i == len(s)-1 || !isDigit(s[i-1]) || !isDigit(s[i+1])) {
				return nil, bad
			}
		}
		s = strings.ReplaceAll(s, "_", "")
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return nil, bad
	}
	return f, nil
}

func makeList(ev *eval, a []Value) (Value, error) {
	if !given(a[0]) {
		return NewList(), nil
	}
	items, err := ev.collect(a[0])
	if err != nil {
		return nil, err
	}
	return NewList(items...), nil
}

func makeTuple(ev *eval, a []Value) (Value, error) {
	if !given(a[0]) {
		return Tuple{}, nil
	}
	if t, ok := a[0].(Tuple); ok {
		return t, nil
	}
	items, err := ev.collect(a[0])
	if err != nil {
		return nil, err
	}
	return Tuple(items), nil
}

func makeSet(ev *eval, a []Value) (Value, error) {
	s := newSet()
	if !given(a[0]) {
		return s, nil
	}
	err := ev.each(a[0], func(item Value) error {
		if err := ev.grow(entryCost); err != nil {
			return err
		}
		return s.add(item)
	})
	return s, err
}

func makeDict(ev *eval, a []Value) (Value, error) {
	d := NewDict()
	return d, ev.update(d, a[0], a[1].(*Dict))
}

// update adds the entries of a mapping, or of pairs, and named ones.
func (ev *eval) update(d *Dict, from Value, named *Dict) error {
	switch x := from.(type) {
	case absentArg:
	case *Dict:
		if err := ev.merge(d, x); err != nil {
			return err
		}
	default:
		n := 0
		err := ev.each(from, func(item Value) error {
			pair, err := ev.pair(item, n)
			if err != nil {
				return err
			}
			n++
			if err := ev.grow(entryCost); err != nil {
				return err
			}
			return d.Set(pair[0], pair[1])
		})
		if err != nil {
			return err
		}
	}
	if named == nil {
		return nil
	}
	return ev.merge(d, named)
}

func (ev *eval) pair(item Value, n int) ([]Value, error) {
	pair, ok := sequence(item)
	if !ok {
		if _, err := ev.iterate(item); err != nil {
			return nil, raise(excTypeError, "cannot convert dictionary update sequence element #%d to a sequence", n)
		}
		var err error
		if pair, err = ev.collect(item); err != nil {
			return nil, err
		}
	}
	if len(pair) != 2 {
		return nil, raise(excValueError, "dictionary update sequence element #%d has length %d; 2 is required", n, len(pair))
	}
	return pair, nil
}

func makeRange(_ *eval, a []Value) (Value, error) {
	start, err := argInt(a[0], 0)
	if err != nil {
		return nil, err
	}
	if !given(a[1]) {
		return NewRange(0, start, 1), nil
	}
	stop, err := argInt(a[1], 0)
	if err != nil {
		return nil, err
	}
	step, err := argInt(a[2], 1)
	if err != nil {
		return nil, err
	}
	if step == 0 {
		return nil, raise(excValueError, "range() arg 3 must not be zero")
	}
	return NewRange(start, stop, step), nil
}
