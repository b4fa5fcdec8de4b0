package expr

import (
	"slices"
)

func builtinMax(ev *eval, a []Value) (Value, error) { return extreme(ev, "max", ">", 1, a) }

func builtinMin(ev *eval, a []Value) (Value, error) { return extreme(ev, "min", "<", -1, a) }

// extreme gives the first item that no other goes beyond in the direction.
func extreme(ev *eval, name, op string, direction int, a []Value) (Value, error) {
	key, def, args := a[0], a[1], a[2].(Tuple)
	var from Value = args
	switch {
	case len(args) == 0:
		return nil, raise(excTypeError, "%s expected at least 1 argument, got 0", name)
	case len(args) == 1:
		from = args[0]
	case given(def):
		return nil, raise(excTypeError, "Cannot specify a default for %s() with multiple positional arguments", name)
	}
	var best, bestKey Value
	found := false
	err := ev.each(from, func(item Value) error {
		k := item
		if !isNone(key) {
			var err error
			if k, err = ev.call(key, item); err != nil {
				return err
			}
		}
		if found {
			c, err := ev.order(k, bestKey, op)
			if err != nil {
				return err
			}
			if c != direction {
				return nil
			}
		}
		best, bestKey, found = item, k, true
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case found:
		return best, nil
	case given(def):
		return def, nil
	}
	return nil, raise(excValueError, "%s() iterable argument is empty", name)
}

func builtinSorted(ev *eval, a []Value) (Value, error) {
	items, err := ev.collect(a[0])
	if err != nil {
		return nil, err
	}
	if err := ev.sort(items, a[1], a[2]); err != nil {
		return nil, err
	}
	return NewList(items...), nil
}

// sort sorts in place, keeping the order of equal items, also in reverse.
func (ev *eval) sort(items []Value, key, reverse Value) error {
	type keyed struct{ key, item Value }
	if err := ev.grow(len(items) * 2 * itemCost); err != nil {
		return err
	}
	pairs := make([]keyed, len(items))
	for i, item := range items {
		pairs[i] = keyed{item, item}
		if isNone(key) {
			continue
		}
		k, err := ev.call(key, item)
		if err != nil {
			return err
		}
		pairs[i].key = k
	}
	down := given(reverse) && Truth(reverse)
	if down {
		slices.Reverse(pairs)
	}
	var failed error
	slices.SortStableFunc(pairs, func(x, y keyed) int {
		if failed != nil {
			return 0
		}
		if failed = ev.step(); failed != nil {
			return 0
		}
		var c int
		if c, failed = ev.order(x.key, y.key, "<"); failed != nil || c == unordered || c == -unordered {
			return 0
		}
		return c
	})
	if failed != nil {
		return failed
	}
	if down {
		slices.Reverse(pairs)
	}
	for i, p := range pairs {
		items[i] = p.item
	}
	return nil
}

func builtinSum(ev *eval, a []Value) (Value, error) {
	var total Value = int64(0)
	if given(a[1]) {
		total = a[1]
		switch total.(type) {
		case string:
			return nil, raise(excTypeError, "sum() can't sum strings [use ''.join(seq) instead]")
		case Bytes:
			return nil, raise(excTypeError, "sum() can't sum bytes [use b''.join(seq) instead]")
		}
	}
	var floats compensated
	exact := false // the total is in floats
	err := ev.each(a[0], func(item Value) error {
		if exact && floats.add(item) {
			return nil
		}
		if exact {
			total, exact = floats.total(), false
		}
		var err error
		if total, err = ev.binary(opAdd, total, item); err != nil {
			return err
		}
		if f, ok := total.(float64); ok {
			floats, exact = compensated{sum: f}, true
		}
		return nil
	})
	if exact {
		total = floats.total()
	}
	return total, err
}

// compensated adds floats with Neumaier's correction, as CPython's sum does.
type compensated struct {
	sum, lost float64
}

// add takes a float or a small integer and reports whether it did.
func (c *compensated) add(v Value) bool {
	x, ok := v.(float64)
	if !ok {
		i, ok := integer(v)
		if !ok {
			return false
		}
		c.sum += float64(i)
		return true
	}
	t := c.sum + x
	if abs(c.sum) >= abs(x) {
		c.lost += (c.sum - t) + x
	} else {
		c.lost += (x - t) + c.sum
	}
	c.sum = t
	return true
}

func (c *compensated) total() float64 {
	// The correction is no number once the sum has overflowed.
	if c.lost != 0 && !isInfOrNaN(c.lost) {
		return c.sum + c.lost
	}
	return c.sum
}

func abs(x float64) float64 {
	if x < 0 {
		return -x
	}
	return x
}

func isInfOrNaN(x float64) bool { return x-x != 0 }

func makeEnumerate(ev *eval, a []Value) (Value, error) {
	it, err := ev.iterate(a[0])
	if err != nil {
		return nil, err
	}
	var n Value = int64(0)
	if given(a[1]) {
		if n = a[1]; !isNumber(n) || TypeName(n) == "float" {
			return nil, raise(excTypeError, "'%s' object cannot be interpreted as an integer", TypeName(n))
		}
	}
	return newIter(typeEnumerate, nextFunc(func(ev *eval) (Value, bool, error) {
		v, ok, err := it.next(ev)
		if err != nil || !ok {
			return nil, false, err
		}
		pair := Tuple{n, v}
		n, err = ev.binary(opAdd, n, int64(1))
		return pair, err == nil, err
	})), nil
}

func makeReversed(_ *eval, a []Value) (Value, error) {
	var it iterator
	switch x := a[0].(type) {
	case *List:
		i := len(x.items)
		it = nextFunc(func(*eval) (Value, bool, error) {
			i = min(i, len(x.items)) - 1
			if i < 0 {
				return nil, false, nil
			}
			return x.items[i], true, nil
		})
	case Tuple:
		items := slices.Clone(x)
		slices.Reverse(items)
		it = &sliceIter{items: items}
	case string:
		it = reversedText(x)
	case *Range:
		it = &rangeIter{at: x.at(x.n - 1), step: -x.step, left: x.n}
	case *Dict:
		it = reversedView(x, keysOf)
	case *dictView:
		it = reversedView(x.dict, x.kind)
	default:
		return nil, raise(excTypeError, "'%s' object is not reversible", TypeName(a[0]))
	}
	return newIter(typeReversed, it), nil
}

func reversedView(d *Dict, kind viewKind) iterator {
	i := len(d.entries)
	return nextFunc(func(*eval) (Value, bool, error) {
		for i = min(i, len(d.entries)) - 1; i >= 0; i-- {
			if e := &d.entries[i]; !isGap(e.key) {
				return kind.of(e), true, nil
			}
		}
		return nil, false, nil
	})
}

func makeZip(ev *eval, a []Value) (Value, error) {
	strict := given(a[0]) && Truth(a[0])
	var its []iterator
	for _, v := range a[1].(Tuple) {
		it, err := ev.iterate(v)
		if err != nil {
			return nil, err
		}
		its = append(its, it)
	}
	return newIter(typeZip, nextFunc(func(ev *eval) (Value, bool, error) {
		row := make(Tuple, len(its))
		for i, it := range its {
			v, ok, err := it.next(ev)
			if err != nil {
				return nil, false, err
			}
			if !ok {
				return nil, false, zipEnds(ev, its, i, strict)
			}
			row[i] = v
		}
		return row, len(its) > 0, ev.grow(len(its) * itemCost)
	})), nil
}

// zipEnds is reached when iterator i has ended; all must end at once if
// zip is strict.
func zipEnds(ev *eval, its []iterator, i int, strict bool) error {
	if !strict {
		return nil
	}
	if i > 0 {
		return raise(excValueError, "zip() argument %d is shorter than argument 1", i+1)
	}
	for j := 1; j < len(its); j++ {
		_, ok, err := its[j].next(ev)
		if err != nil {
			return err
		}
		if ok {
			return raise(excValueError, "zip() argument %d is longer than argument 1", j+1)
		}
	}
	return nil
}
