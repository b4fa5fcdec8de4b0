package expr

import (
	"math/big"
	"reflect"
)

// samePointer reports whether two values are one object; values that are
// compared by content are the same if they are equal.
func samePointer(a, b Value) bool {
	t := reflect.TypeOf(a)
	if t != reflect.TypeOf(b) || t != nil && !t.Comparable() {
		return false
	}
	return a == b
}

// order compares two values as `<` and its kin do. Its error is Python's
// TypeError where there is no order; op names the operator in it. The
// result is unordered where a NaN is met.
func (ev *eval) order(a, b Value, op string) (int, error) {
	w := walk{ev: ev}
	return w.order(a, b, op)
}

func (w *walk) order(a, b Value, op string) (int, error) {
	switch x := a.(type) {
	case bool, int64, float64, *big.Int:
		if c, ok := compareNumbers(a, b); ok {
			return c, nil
		}
	case string:
		if y, ok := b.(string); ok {
			return compare3(x, y), w.compares(len(x), len(y))
		}
	case Bytes:
		if y, ok := b.(Bytes); ok {
			return compare3(x, y), w.compares(len(x), len(y))
		}
	case Tuple:
		if y, ok := b.(Tuple); ok {
			return w.orderItems(x, y, op)
		}
	case *List:
		if y, ok := b.(*List); ok {
			return w.orderItems(x.items, y.items, op)
		}
	case ordered:
		c, ok, err := x.order(b)
		if err != nil {
			return 0, err
		}
		if ok {
			return c, nil
		}
	}
	return 0, raise(excTypeError, "'%s' not supported between instances of '%s' and '%s'", op, TypeName(a), TypeName(b))
}

// orderItems compares by the first items that differ, then by length.
func (w *walk) orderItems(x, y []Value, op string) (int, error) {
	if err := w.down(); err != nil {
		return 0, err
	}
	defer func() { w.depth-- }()
	for i := range min(len(x), len(y)) {
		eq, err := w.equalItem(x[i], y[i])
		if err != nil {
			return 0, err
		}
		if !eq {
			return w.order(x[i], y[i], op)
		}
	}
	return compare3(len(x), len(y)), nil
}
