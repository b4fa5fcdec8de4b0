package expr

import "strings"

// sequenceBinary applies the operators of text, bytes, lists, tuples and
// dictionaries; ok is false if the operands are none of these.
func (ev *eval) sequenceBinary(op binaryOp, a, b Value) (v Value, ok bool, err error) {
	switch op {
	case opAdd:
		return ev.concat(a, b)
	case opMul:
		if n, ok := integer(b); ok {
			return ev.repeat(a, n)
		}
		if n, ok := integer(a); ok {
			return ev.repeat(b, n)
		}
	case opMod:
		switch x := a.(type) {
		case string:
			s, err := ev.formatPercent(x, b)
			return s, true, err
		case Bytes:
			s, err := ev.formatPercent(string(x), b)
			return Bytes(s), true, err
		}
	case opOr:
		x, ok := a.(*Dict)
		y, ok2 := b.(*Dict)
		if ok && ok2 && x.kind != typeCounter {
			if err := ev.grow(x.live * entryCost); err != nil {
				return nil, true, err
			}
			d := x.clone()
			return d, true, ev.merge(d, y)
		}
	}
	return nil, false, nil
}

func (ev *eval) concat(a, b Value) (Value, bool, error) {
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			if err := ev.grow(len(x) + len(y)); err != nil {
				return nil, true, err
			}
			return x + y, true, nil
		}
	case Bytes:
		if y, ok := b.(Bytes); ok {
			if err := ev.grow(len(x) + len(y)); err != nil {
				return nil, true, err
			}
			return x + y, true, nil
		}
	case *List:
		if y, ok := b.(*List); ok {
			items, err := ev.join(x.items, y.items)
			return &List{items: items}, true, err
		}
	case Tuple:
		if y, ok := b.(Tuple); ok {
			items, err := ev.join(x, y)
			return Tuple(items), true, err
		}
	}
	return nil, false, nil
}

func (ev *eval) join(x, y []Value) ([]Value, error) {
	if err := ev.grow((len(x) + len(y)) * itemCost); err != nil {
		return nil, err
	}
	items := make([]Value, 0, len(x)+len(y))
	return append(append(items, x...), y...), nil
}

// repeat is v * n.
func (ev *eval) repeat(v Value, n int64) (Value, bool, error) {
	n = max(n, 0)
	switch x := v.(type) {
	case string:
		s, err := ev.repeatText(x, n)
		return s, true, err
	case Bytes:
		s, err := ev.repeatText(string(x), n)
		return Bytes(s), true, err
	case *List:
		items, err := ev.repeatItems(x.items, n)
		return &List{items: items}, true, err
	case Tuple:
		items, err := ev.repeatItems(x, n)
		return Tuple(items), true, err
	}
	return nil, false, nil
}

func (ev *eval) repeatText(s string, n int64) (string, error) {
	if s == "" || n == 0 {
		return "", nil
	}
	if err := ev.growTimes(n, len(s)); err != nil {
		return "", err
	}
	return strings.Repeat(s, int(n)), nil
}

func (ev *eval) repeatItems(items []Value, n int64) ([]Value, error) {
	if len(items) == 0 || n == 0 {
		return nil, nil
	}
	if err := ev.growTimes(n, len(items)*itemCost); err != nil {
		return nil, err
	}
	out := make([]Value, 0, len(items)*int(n))
	for range n {
		out = append(out, items...)
	}
	return out, nil
}
