package expr

import (
	"math/big"
	"strings"
)

// builtinNames gives the names that every program has: those the language's
// original offers, and set, zip and the exceptions.
func builtinNames() map[string]Value {
	names := values(
		newBuiltin("abs", "x /", builtinAbs),
		newBuiltin("all", "iterable /", builtinAll),
		newBuiltin("any", "iterable /", builtinAny),
		newBuiltin("escape", "text /", builtinEscape),
		newBuiltin("unescape", "text /", builtinUnescape),
		newBuiltin("format", "value spec? /", builtinFormat),
		newBuiltin("isinstance", "value class /", builtinIsInstance),
		newBuiltin("iter", "value /", builtinIter),
		newBuiltin("len", "value /", builtinLen),
		newBuiltin("max", "*args * key? default?", builtinMax),
		newBuiltin("min", "*args * key? default?", builtinMin),
		newBuiltin("next", "iterator default? /", builtinNext),
		newBuiltin("pow", "base exp mod?", builtinPow),
		newBuiltin("repr", "value /", builtinRepr),
		newBuiltin("round", "number ndigits?", builtinRound),
		newBuiltin("sorted", "iterable / * key? reverse?", builtinSorted),
		newBuiltin("sum", "iterable / start?", builtinSum),
	)
	for _, t := range []*Type{
		typeBool, typeDict, typeEnumerate, typeFloat, typeInt, typeList, typeRange, typeReversed,
		typeSet, typeStr, typeTuple, typeType, typeZip,
	} {
		names[t.name] = t
	}
	for name, t := range excByName {
		names[name] = t
	}
	return names
}

func builtinAbs(ev *eval, a []Value) (Value, error) {
	switch x := a[0].(type) {
	case float64:
		if x < 0 || x == 0 {
			return 0 - x, nil
		}
		return x, nil
	case *big.Int:
		return new(big.Int).Abs(x), ev.grow(x.BitLen() / 8)
	case interface{ abs() Value }:
		return x.abs(), nil
	}
	if i, ok := integer(a[0]); ok {
		if i < 0 {
			return ev.unary(opNeg, i)
		}
		return i, nil
	}
	return nil, raise(excTypeError, "bad operand type for abs(): '%s'", TypeName(a[0]))
}

func builtinAll(ev *eval, a []Value) (Value, error) { return findTruth(ev, a[0], false) }

func builtinAny(ev *eval, a []Value) (Value, error) { return findTruth(ev, a[0], true) }

// findTruth gives wanted if some item has that truth, else its opposite.
func findTruth(ev *eval, v Value, wanted bool) (Value, error) {
	err := ev.each(v, func(item Value) error {
		if Truth(item) == wanted {
			return errStop
		}
		return nil
	})
	if err == errStop {
		return wanted, nil
	}
	return !wanted, err
}

// builtinEscape protects text that holds placeholders from being rendered.
func builtinEscape(ev *eval, a []Value) (Value, error) {
	s, err := argStr(a[0], "")
	if err != nil {
		return nil, err
	}
	return ev.replaceText(s, "{{", `\{{`)
}

func builtinUnescape(ev *eval, a []Value) (Value, error) {
	s, err := argStr(a[0], "")
	if err != nil {
		return nil, err
	}
	return ev.replaceText(s, `\{{`, "{{")
}

func (ev *eval) replaceText(s, from, to string) (Value, error) {
	n := strings.Count(s, from)
	if err := ev.grow(len(s) + n*max(len(to)-len(from), 0)); err != nil {
		return nil, err
	}
	return strings.ReplaceAll(s, from, to), nil
}

func builtinFormat(ev *eval, a []Value) (Value, error) {
	spec, err := argStr(a[1], "")
	if err != nil {
		return nil, err
	}
	return ev.format(a[0], spec)
}

func builtinIsInstance(_ *eval, a []Value) (Value, error) {
	return isInstance(a[0], a[1], 0)
}

func isInstance(v, class Value, depth int) (bool, error) {
	switch c := class.(type) {
	case *Type:
		return typeOf(v).is(c) || c == typeObject, nil
	case Tuple:
		if depth > maxValueDepth {
			return false, errDepth()
		}
		for _, k := range c {
			if ok, err := isInstance(v, k, depth+1); err != nil || ok {
				return ok, err
			}
		}
		return false, nil
	}
	return false, raise(excTypeError, "isinstance() arg 2 must be a type, a tuple of types, or a union")
}

func builtinIter(ev *eval, a []Value) (Value, error) {
	if it, ok := a[0].(*Iter); ok {
		return it, nil
	}
	it, err := ev.iterate(a[0])
	if err != nil {
		return nil, err
	}
	return newIter(&Type{name: strings.TrimSuffix(TypeName(a[0]), "s") + "_iterator", base: typeIterator}, it), nil
}

func builtinLen(ev *eval, a []Value) (Value, error) {
	n, ok := Len(a[0])
	if !ok {
		return nil, raise(excTypeError, "object of type '%s' has no len()", TypeName(a[0]))
	}
	if s, ok := a[0].(string); ok {
		if err := ev.spend(len(s) / 64); err != nil {
			return nil, err
		}
	}
	return int64(n), nil
}

func builtinNext(ev *eval, a []Value) (Value, error) {
	it, ok := a[0].(*Iter)
	if !ok {
		return nil, raise(excTypeError, "'%s' object is not an iterator", TypeName(a[0]))
	}
	if err := ev.step(); err != nil {
		return nil, err
	}
	v, ok, err := it.next(ev)
	switch {
	case err != nil:
		return nil, err
	case ok:
		return v, nil
	case given(a[1]):
		return a[1], nil
	}
	return nil, &Exc{kind: excStopIteration}
}

func builtinRepr(ev *eval, a []Value) (Value, error) {
	s, err := ev.repr(a[0])
	return s, err
}

func printLine(ev *eval, a []Value) (Value, error) {
	sep, end := " ", "\n"
	var err error
	if !isNone(a[0]) {
		if sep, err = argStr(a[0], sep); err != nil {
			return nil, err
		}
	}
	if !isNone(a[1]) {
		if end, err = argStr(a[1], end); err != nil {
			return nil, err
		}
	}
	p := printer{ev: ev}
	for i, v := range a[4].(Tuple) {
		if i > 0 {
			if err := p.text(sep); err != nil {
				return nil, err
			}
		}
		if err := p.str(v); err != nil {
			return nil, err
		}
	}
	if ev.print != nil {
		ev.print(strings.TrimSuffix(string(p.buf)+end, "\n"))
	}
	return nil, nil
}
