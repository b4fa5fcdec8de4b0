package expr

import (
	"math"
	"math/big"
)

// A Slice is `low:high:step`; each part is None or an integer.
type Slice struct {
	low, high, step Value
}

func (s *Slice) class() *Type { return typeSlice }

func (s *Slice) repr(p *printer) error { return p.list("slice(", []Value{s.low, s.high, s.step}, ")") }

// item is v[key].
func (ev *eval) item(v, key Value) (Value, error) {
	if s, ok := key.(*Slice); ok {
		return ev.slice(v, *s)
	}
	switch x := v.(type) {
	case *Dict:
		if val, ok := x.Get(key); ok {
			return val, nil
		}
		if _, err := keyOf(key); err != nil {
			return nil, err
		}
		return ev.missingItem(x, key)
	case *List:
		i, err := position(key, len(x.items), "list")
		if err != nil {
			return nil, err
		}
		return x.items[i], nil
	case Tuple:
		i, err := position(key, len(x), "tuple")
		if err != nil {
			return nil, err
		}
		return x[i], nil
	case string:
		return ev.character(x, key)
	case Bytes:
		i, err := position(key, len(x), "bytes")
		if err != nil {
			return nil, err
		}
		return int64(x[i]), nil
	case *Range:
		i, err := position(key, x.Len(), "range object")
		if err != nil {
			return nil, err
		}
		return x.at(int64(i)), nil
	case subscripted:
		return x.item(ev, key)
	case *Type:
		return x, nil // list[int], as in annotations
	}
	return nil, raise(excTypeError, "'%s' object is not subscriptable", TypeName(v))
}

// missingItem makes what a defaultdict or Counter gives for a key that is
// not there.
func (ev *eval) missingItem(d *Dict, key Value) (Value, error) {
	switch {
	case d.kind == nil:
	case d.kind.is(typeCounter):
		return int64(0), nil
	case d.factory != nil:
		v, err := ev.call(d.factory)
		if err != nil {
			return nil, err
		}
		if err := ev.grow(entryCost); err != nil {
			return nil, err
		}
		return v, d.Set(key, v)
	}
	return nil, raiseKeyError(key)
}

// position turns an index, which may count from the end, into one from the
// start.
func position(key Value, n int, what string) (int, error) {
	i, ok := integer(key)
	if !ok {
		if _, big := key.(*big.Int); big {
			return 0, raise(excIndexError, "cannot fit 'int' into an index-sized integer")
		}
		return 0, raise(excTypeError, "%s indices must be integers or slices, not %s", what, TypeName(key))
	}
	if i < 0 {
		i += int64(n)
	}
	if i < 0 || i >= int64(n) {
		return 0, raise(excIndexError, "%s index out of range", what)
	}
	return int(i), nil
}

func (ev *eval) character(s string, key Value) (Value, error) {
	x, err := ev.indexed(s)
	if err != nil {
		return nil, err
	}
	i, err := position(key, x.n, "string")
	if err != nil {
		return nil, err
	}
	from := x.offset(i)
	return s[from : from+textOffset(s[from:], 1)], nil
}

// A span is a slice applied to a sequence: n items from start on, step apart.
type span struct {
	start, step, n int
}

// span resolves the bounds for a sequence of n items.
func (s Slice) span(n int) (span, error) {
	step, err := sliceBound(s.step, 1)
	if err != nil {
		return span{}, err
	}
	if step == 0 {
		return span{}, raise(excValueError, "slice step cannot be zero")
	}
	low, high := int64(0), int64(n)
	if step < 0 {
		low, high = int64(n)-1, -1
	}
	lowest, highest := int64(0), int64(n)
	if step < 0 {
		lowest, highest = -1, int64(n)-1
	}
	clip := func(v Value, def int64) (int64, error) {
		if v == nil {
			return def, nil
		}
		i, err := sliceBound(v, 0)
		if err != nil {
			return 0, err
		}
		if i < 0 {
			i += int64(n)
		}
		return min(max(i, lowest), highest), nil
	}
	if low, err = clip(s.low, low); err != nil {
		return span{}, err
	}
	if high, err = clip(s.high, high); err != nil {
		return span{}, err
	}
	count := int64(0)
	switch {
	case step > 0 && low < high:
		count = (high-low-1)/step + 1
	case step < 0 && low > high:
		count = (low-high-1)/-step + 1
	}
	return span{int(low), int(step), int(count)}, nil
}

// sliceBound gives a part of a slice; integers beyond int64 are cut to it.
func sliceBound(v Value, def int64) (int64, error) {
	switch x := v.(type) {
	case nil:
		return def, nil
	case *big.Int:
		if x.Sign() < 0 {
			return -math.MaxInt64, nil
		}
		return math.MaxInt64, nil
	}
	i, ok := integer(v)
	if !ok {
		return 0, raise(excTypeError, "slice indices must be integers or None or have an __index__ method")
	}
	return max(i, -math.MaxInt64), nil
}

// slice is v[low:high:step].
func (ev *eval) slice(v Value, s Slice) (Value, error) {
	switch x := v.(type) {
	case string:
		return ev.textSlice(x, s)
	case Bytes:
		sp, err := s.span(len(x))
		if err != nil {
			return nil, err
		}
		if err := ev.grow(sp.n); err != nil {
			return nil, err
		}
		out := make([]byte, sp.n)
		for i := range out {
			out[i] = x[sp.start+i*sp.step]
		}
		return Bytes(out), nil
	case *List:
		items, err := ev.sliceItems(x.items, s)
		return &List{items: items}, err
	case Tuple:
		items, err := ev.sliceItems(x, s)
		return Tuple(items), err
	case *Range:
		sp, err := s.span(x.Len())
		if err != nil {
			return nil, err
		}
		start := x.start + int64(sp.start)*x.step
		step := x.step * int64(sp.step)
		return &Range{start: start, stop: start + int64(sp.n)*step, step: step, n: int64(sp.n)}, nil
	case *Dict:
		return nil, raise(excTypeError, "unhashable type: 'slice'")
	}
	return nil, raise(excTypeError, "'%s' object is not subscriptable", TypeName(v))
}

func (ev *eval) sliceItems(items []Value, s Slice) ([]Value, error) {
	sp, err := s.span(len(items))
	if err != nil {
		return nil, err
	}
	if err := ev.grow(sp.n * itemCost); err != nil {
		return nil, err
	}
	out := make([]Value, sp.n)
	for i := range out {
		out[i] = items[sp.start+i*sp.step]
	}
	return out, nil
}

func (ev *eval) textSlice(s string, sl Slice) (Value, error) {
	x, err := ev.indexed(s)
	if err != nil {
		return nil, err
	}
	sp, err := sl.span(x.n)
	if err != nil {
		return nil, err
	}
	if sp.step == 1 {
		return s[x.offset(sp.start):x.offset(sp.start+sp.n)], nil
	}
	if err := ev.grow(len(s)); err != nil {
		return nil, err
	}
	if x.ascii {
		out := make([]byte, sp.n)
		for i := range out {
			out[i] = s[sp.start+i*sp.step]
		}
		return string(out), nil
	}
	if err := ev.grow(len(s) * 4); err != nil {
		return nil, err
	}
	runes := []rune(s)
	out := make([]rune, sp.n)
	for i := range out {
		out[i] = runes[sp.start+i*sp.step]
	}
	return string(out), nil
}
