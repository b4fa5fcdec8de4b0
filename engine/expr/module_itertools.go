package expr

// itertoolsModule holds the iterators that are lazy as Python's are, and
// those of combinatorics.
func itertoolsModule() *Module {
	chain := newBuiltin("chain", "*iterables", func(ev *eval, a []Value) (Value, error) {
		it, err := ev.iterate(a[0])
		return newIter(typeIterator, chained(it)), err
	})
	names := values(
		newBuiltin("count", "start? step?", itCount),
		newBuiltin("cycle", "iterable /", itCycle),
		newBuiltin("repeat", "object times?", itRepeat),
		newBuiltin("islice", "iterable start stop? step? /", itSlice),
		newBuiltin("accumulate", "iterable func? * initial?", itAccumulate),
		newBuiltin("takewhile", "predicate iterable /", itTakeWhile),
		newBuiltin("dropwhile", "predicate iterable /", itDropWhile),
		newBuiltin("filterfalse", "predicate iterable /", itFilterFalse),
		newBuiltin("compress", "data selectors", itCompress),
		newBuiltin("starmap", "function iterable /", itStarMap),
		newBuiltin("pairwise", "iterable /", itPairwise),
		newBuiltin("batched", "iterable n * strict?", itBatched),
		newBuiltin("groupby", "iterable key?", itGroupBy),
		newBuiltin("zip_longest", "*iterables * fillvalue?", itZipLongest),
		newBuiltin("tee", "iterable n? /", itTee),
		newBuiltin("product", "*iterables * repeat?", itProduct),
		newBuiltin("permutations", "iterable r?", itPermutations),
		newBuiltin("combinations", "iterable r", itCombinations(false)),
		newBuiltin("combinations_with_replacement", "iterable r", itCombinations(true)),
	)
	// chain is a class with a constructor of its own besides.
	names["chain"] = &Type{name: "chain", make: chain, statics: map[string]Value{
		"from_iterable": newBuiltin("from_iterable", "iterable /", func(ev *eval, a []Value) (Value, error) {
			it, err := ev.iterate(a[0])
			return newIter(typeIterator, chained(it)), err
		}),
	}}
	return &Module{name: "itertools", names: names}
}

// chained runs over the items of the items of an iterator.
func chained(outer iterator) iterator {
	var inner iterator
	return nextFunc(func(ev *eval) (Value, bool, error) {
		for {
			if inner != nil {
				if v, ok, err := inner.next(ev); ok || err != nil {
					return v, ok, err
				}
			}
			if err := ev.step(); err != nil {
				return nil, false, err
			}
			v, ok, err := outer.next(ev)
			if err != nil || !ok {
				return nil, false, err
			}
			if inner, err = ev.iterate(v); err != nil {
				return nil, false, err
			}
		}
	})
}

func lazy(f func(ev *eval) (Value, bool, error)) (Value, error) {
	return newIter(typeIterator, nextFunc(f)), nil
}

func itCount(_ *eval, a []Value) (Value, error) {
	var n, step Value = int64(0), int64(1)
	if given(a[0]) {
		n = a[0]
	}
	if given(a[1]) {
		step = a[1]
	}
	if !isNumber(n) || !isNumber(step) {
		return nil, raise(excTypeError, "a number is required")
	}
	return lazy(func(ev *eval) (Value, bool, error) {
		v := n
		var err error
		n, err = ev.binary(opAdd, n, step)
		return v, true, err
	})
}

func itCycle(ev *eval, a []Value) (Value, error) {
	it, err := ev.iterate(a[0])
	if err != nil {
		return nil, err
	}
	var saved []Value
	at, ended := 0, false
	return lazy(func(ev *eval) (Value, bool, error) {
		if !ended {
			v, ok, err := it.next(ev)
			if err != nil {
				return nil, false, err
			}
			if ok {
				saved = append(saved, v)
				return v, true, ev.grow(itemCost)
			}
			ended = true
		}
		if len(saved) == 0 {
			return nil, false, nil
		}
		v := saved[at]
		at = (at + 1) % len(saved)
		return v, true, nil
	})
}

func itRepeat(_ *eval, a []Value) (Value, error) {
	forever := isNone(a[1])
	left := int64(0)
	if !forever {
		var err error
		if left, err = argInt(a[1], 0); err != nil {
			return nil, err
		}
	}
	return lazy(func(*eval) (Value, bool, error) {
		if !forever && left <= 0 {
			return nil, false, nil
		}
		left--
		return a[0], true, nil
	})
}

func itSlice(ev *eval, a []Value) (Value, error) {
	it, err := ev.iterate(a[0])
	if err != nil {
		return nil, err
	}
	start, stop := Value(nil), a[1]
	if given(a[2]) {
		start, stop = a[1], a[2]
	}
	bound := func(v Value, def int64) (int64, error) {
		if isNone(v) {
			return def, nil
		}
		n, err := argInt(v, 0)
		if err != nil || n < 0 {
			return 0, raise(excValueError, "indices for islice() must be None or an integer: 0 <= x <= sys.maxsize")
		}
		return n, nil
	}
	const forever = 1<<63 - 1
	next, err := bound(start, 0)
	if err != nil {
		return nil, err
	}
	end, err := bound(stop, forever)
	if err != nil {
		return nil, err
	}
	step, err := bound(a[3], 1)
	if err != nil || step == 0 {
		return nil, raise(excValueError, "step for islice() must be a positive integer or None")
	}
	at := int64(0)
	return lazy(func(ev *eval) (Value, bool, error) {
		for next < end {
			if err := ev.step(); err != nil {
				return nil, false, err
			}
			v, ok, err := it.next(ev)
			if err != nil || !ok {
				next = end
				return nil, false, err
			}
			if at++; at > next {
				if next += step; next < 0 {
					next = end
				}
				return v, true, nil
			}
		}
		return nil, false, nil
	})
}

func itAccumulate(ev *eval, a []Value) (Value, error) {
	it, err := ev.iterate(a[0])
	if err != nil {
		return nil, err
	}
	var total Value
	started := false
	pending := !isNone(a[2])
	return lazy(func(ev *eval) (Value, bool, error) {
		if pending {
			total, started, pending = a[2], true, false
			return total, true, nil
		}
		v, ok, err := it.next(ev)
		if err != nil || !ok {
			return nil, false, err
		}
		switch {
		case !started:
			total, started = v, true
		case isNone(a[1]):
			total, err = ev.binary(opAdd, total, v)
		default:
			total, err = ev.call(a[1], total, v)
		}
		return total, err == nil, err
	})
}

// test gives the truth of a predicate for an item; None is the truth of
// the item itself.
func (ev *eval) test(predicate, item Value) (bool, error) {
	if isNone(predicate) {
		return Truth(item), nil
	}
	v, err := ev.call(predicate, item)
	return Truth(v), err
}

// filtered runs over the items that keep says yes to.
func filtered(ev *eval, source Value, keep func(ev *eval, v Value) (bool, error)) (Value, error) {
	it, err := ev.iterate(source)
	if err != nil {
		return nil, err
	}
	return lazy(func(ev *eval) (Value, bool, error) {
		for {
			if err := ev.step(); err != nil {
				return nil, false, err
			}
			v, ok, err := it.next(ev)
			if err != nil || !ok {
				return nil, false, err
			}
			if yes, err := keep(ev, v); err != nil || yes {
				return v, err == nil, err
			}
		}
	})
}

func itTakeWhile(ev *eval, a []Value) (Value, error) {
	it, err := ev.iterate(a[1])
	if err != nil {
		return nil, err
	}
	done := false
	return lazy(func(ev *eval) (Value, bool, error) {
		if done {
			return nil, false, nil
		}
		v, ok, err := it.next(ev)
		if err != nil || !ok {
			return nil, false, err
		}
		yes, err := ev.test(a[0], v)
		done = !yes
		return v, yes && err == nil, err
	})
}

func itDropWhile(ev *eval, a []Value) (Value, error) {
	dropping := true
	return filtered(ev, a[1], func(ev *eval, v Value) (bool, error) {
		if !dropping {
			return true, nil
		}
		drop, err := ev.test(a[0], v)
		dropping = drop
		return !drop, err
	})
}

func itFilterFalse(ev *eval, a []Value) (Value, error) {
	return filtered(ev, a[1], func(ev *eval, v Value) (bool, error) {
		yes, err := ev.test(a[0], v)
		return !yes, err
	})
}

func itCompress(ev *eval, a []Value) (Value, error) {
	pairs, err := makeZip(ev, []Value{absent, Tuple{a[0], a[1]}})
	if err != nil {
		return nil, err
	}
	selected, err := filtered(ev, pairs, func(_ *eval, v Value) (bool, error) { return Truth(v.(Tuple)[1]), nil })
	if err != nil {
		return nil, err
	}
	it := selected.(*Iter)
	return lazy(func(ev *eval) (Value, bool, error) {
		v, ok, err := it.next(ev)
		if err != nil || !ok {
			return nil, false, err
		}
		return v.(Tuple)[0], true, nil
	})
}

func itStarMap(ev *eval, a []Value) (Value, error) {
	it, err := ev.iterate(a[1])
	if err != nil {
		return nil, err
	}
	return lazy(func(ev *eval) (Value, bool, error) {
		v, ok, err := it.next(ev)
		if err != nil || !ok {
			return nil, false, err
		}
		args, err := ev.collect(v)
		if err != nil {
			return nil, false, err
		}
		r, err := ev.call(a[0], args...)
		return r, err == nil, err
	})
}
