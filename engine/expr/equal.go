package expr

import (
	"math"
	"math/big"
)

// A walk goes down into values side by side. Its depth is bounded, and each
// pair counts as a step, since shared parts can make a small value endless.
type walk struct {
	ev    *eval
	depth int
}

func (w *walk) down() error {
	w.depth++
	if w.depth > maxValueDepth {
		return errDepth()
	}
	return w.ev.step()
}

// compares counts the work of comparing two long texts.
func (w *walk) compares(a, b int) error {
	if n := min(a, b) / 1024; n > 0 {
		return w.ev.spend(n)
	}
	return nil
}

// Equal reports whether a == b in Python's sense: 1, 1.0 and True are equal.
// Values too deep or too large to compare are not.
func Equal(a, b Value) bool {
	eq, err := detached().equal(a, b)
	return err == nil && eq
}

func (ev *eval) equal(a, b Value) (bool, error) {
	w := walk{ev: ev}
	return w.equal(a, b)
}

// identicalOrEqual is how containers look for an item: NaN is found if it is
// the same object, which only pointers can tell here.
func (ev *eval) identicalOrEqual(a, b Value) (bool, error) {
	if identical(a, b) {
		return true, nil
	}
	return ev.equal(a, b)
}

func (w *walk) equal(a, b Value) (bool, error) {
	switch x := a.(type) {
	case nil:
		return b == nil, nil
	case string:
		y, ok := b.(string)
		return ok && x == y, w.compares(len(x), len(y))
	case bool, int64, float64, *big.Int:
		c, ok := compareNumbers(a, b)
		if !ok {
			return w.reflected(b, a)
		}
		return c == 0, nil
	case Bytes:
		y, ok := b.(Bytes)
		return ok && x == y, w.compares(len(x), len(y))
	case Tuple:
		y, ok := b.(Tuple)
		if !ok {
			return w.reflected(b, a)
		}
		return w.equalItems(x, y)
	case *List:
		y, ok := b.(*List)
		if !ok {
			return false, nil
		}
		return w.equalItems(x.items, y.items)
	case *Dict:
		y, ok := b.(*Dict)
		if !ok {
			return false, nil
		}
		return w.equalDicts(x, y)
	case equaler:
		return x.equal(w, b)
	}
	return identical(a, b), nil
}

// reflected lets the right side say whether it equals a basic value.
func (w *walk) reflected(a, b Value) (bool, error) {
	if x, ok := a.(equaler); ok {
		return x.equal(w, b)
	}
	return false, nil
}

func (w *walk) equalItems(x, y []Value) (bool, error) {
	if len(x) != len(y) {
		return false, nil
	}
	if err := w.down(); err != nil {
		return false, err
	}
	defer func() { w.depth-- }()
	for i := range x {
		if eq, err := w.equalItem(x[i], y[i]); err != nil || !eq {
			return false, err
		}
	}
	return true, nil
}

func (w *walk) equalItem(x, y Value) (bool, error) {
	if err := w.ev.step(); err != nil {
		return false, err
	}
	if identical(x, y) {
		return true, nil
	}
	return w.equal(x, y)
}

func (w *walk) equalDicts(x, y *Dict) (bool, error) {
	if x == y {
		return true, nil
	}
	if x.live != y.live {
		return false, nil
	}
	if err := w.down(); err != nil {
		return false, err
	}
	defer func() { w.depth-- }()
	for k, v := range x.All() {
		other, ok := y.Get(k)
		if !ok {
			return false, nil
		}
		if eq, err := w.equalItem(v, other); err != nil || !eq {
			return false, err
		}
	}
	return true, nil
}

// identical is Python's `is`, where numbers and text are the same object if
// they are the same value of the same type.
func identical(a, b Value) bool {
	switch x := a.(type) {
	case Tuple:
		y, ok := b.(Tuple)
		return ok && sameSlice(x, y)
	case *big.Int:
		y, ok := b.(*big.Int)
		return ok && x.Cmp(y) == 0
	case float64:
		y, ok := b.(float64)
		return ok && math.Float64bits(x) == math.Float64bits(y)
	case nil, bool, int64, string, Bytes:
		return a == b
	}
	if _, ok := b.(Tuple); ok {
		return false
	}
	return samePointer(a, b)
}

// compareNumbers compares two numbers exactly; ok is false if one is no
// number. NaN is unordered, which is 2 here.
func compareNumbers(a, b Value) (c int, ok bool) {
	switch x := a.(type) {
	case bool:
		n, _ := integer(x)
		return compareNumbers(n, b)
	case int64:
		switch y := b.(type) {
		case int64:
			return compare3(x, y), true
		case bool:
			n, _ := integer(y)
			return compare3(x, n), true
		case float64:
			return -compareFloatInt(y, x), true
		case *big.Int:
			return -y.Sign(), true
		}
	case float64:
		switch y := b.(type) {
		case float64:
			return compareFloats(x, y), true
		case int64:
			return compareFloatInt(x, y), true
		case bool:
			n, _ := integer(y)
			return compareFloatInt(x, n), true
		case *big.Int:
			return compareFloatBig(x, y), true
		}
	case *big.Int:
		switch y := b.(type) {
		case int64, bool:
			return x.Sign(), true
		case float64:
			return -compareFloatBig(y, x), true
		case *big.Int:
			return x.Cmp(y), true
		}
	}
	return 0, false
}

// unordered is the comparison of NaN with anything; its negative is too.
const unordered = 2

func compare3[T int64 | string | Bytes | int](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func compareFloats(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b:
		return 0
	}
	return unordered
}

func compareFloatInt(f float64, i int64) int {
	const exact = 1 << 53
	if -exact <= i && i <= exact {
		return compareFloats(f, float64(i))
	}
	return compareFloatBig(f, big.NewInt(i))
}

func compareFloatBig(f float64, b *big.Int) int {
	switch {
	case math.IsNaN(f):
		return unordered
	case math.IsInf(f, 0):
		return compareFloats(f, 0)
	}
	return big.NewFloat(f).Cmp(new(big.Float).SetInt(b))
}
