package expr

func itPairwise(ev *eval, a []Value) (Value, error) {
	it, err := ev.iterate(a[0])
	if err != nil {
		return nil, err
	}
	var last Value
	started := false
	return lazy(func(ev *eval) (Value, bool, error) {
		if !started {
			v, ok, err := it.next(ev)
			if err != nil || !ok {
				return nil, false, err
			}
			last, started = v, true
		}
		v, ok, err := it.next(ev)
		if err != nil || !ok {
			return nil, false, err
		}
		pair := Tuple{last, v}
		last = v
		return pair, true, nil
	})
}

func itBatched(ev *eval, a []Value) (Value, error) {
	it, err := ev.iterate(a[0])
	if err != nil {
		return nil, err
	}
	n, err := argInt(a[1], 0)
	if err != nil {
		return nil, err
	}
	if n < 1 {
		return nil, raise(excValueError, "n must be at least one")
	}
	strict := given(a[2]) && Truth(a[2])
	return lazy(func(ev *eval) (Value, bool, error) {
		var batch Tuple
		for int64(len(batch)) < n {
			if err := ev.step(); err != nil {
				return nil, false, err
			}
			v, ok, err := it.next(ev)
			if err != nil {
				return nil, false, err
			}
			if !ok {
				break
			}
			if err := ev.grow(itemCost); err != nil {
				return nil, false, err
			}
			batch = append(batch, v)
		}
		if strict && len(batch) > 0 && int64(len(batch)) < n {
			return nil, false, raise(excValueError, "batched(): incomplete batch")
		}
		return batch, len(batch) > 0, nil
	})
}

// itGroupBy gives each group as a list rather than an iterator that dies
// when the next group begins.
func itGroupBy(ev *eval, a []Value) (Value, error) {
	it, err := ev.iterate(a[0])
	if err != nil {
		return nil, err
	}
	keyOfItem := func(ev *eval, v Value) (Value, error) {
		if isNone(a[1]) {
			return v, nil
		}
		return ev.call(a[1], v)
	}
	var first, key Value
	pending, ended := false, false
	return lazy(func(ev *eval) (Value, bool, error) {
		var group []Value
		if pending {
			group = append(group, first)
		}
		for !ended {
			if err := ev.step(); err != nil {
				return nil, false, err
			}
			v, ok, err := it.next(ev)
			if err != nil {
				return nil, false, err
			}
			if !ok {
				ended = true
				break
			}
			k, err := keyOfItem(ev, v)
			if err != nil {
				return nil, false, err
			}
			if len(group) == 0 {
				key = k
			}
			same, err := ev.identicalOrEqual(k, key)
			if err != nil {
				return nil, false, err
			}
			if !same {
				pair := Tuple{key, newIter(typeIterator, &sliceIter{items: group})}
				first, key, pending = v, k, true
				return pair, true, nil
			}
			if err := ev.grow(itemCost); err != nil {
				return nil, false, err
			}
			group = append(group, v)
		}
		pending = false
		return Tuple{key, newIter(typeIterator, &sliceIter{items: group})}, len(group) > 0, nil
	})
}

func itZipLongest(ev *eval, a []Value) (Value, error) {
	fill := orNone(a[0])
	var its []iterator
	for _, v := range a[1].(Tuple) {
		it, err := ev.iterate(v)
		if err != nil {
			return nil, err
		}
		its = append(its, it)
	}
	return lazy(func(ev *eval) (Value, bool, error) {
		row := make(Tuple, len(its))
		some := false
		for i, it := range its {
			row[i] = fill
			if it == nil {
				continue
			}
			v, ok, err := it.next(ev)
			if err != nil {
				return nil, false, err
			}
			if !ok {
				its[i] = nil
				continue
			}
			row[i], some = v, true
		}
		return row, some, ev.grow(len(row) * itemCost)
	})
}

func itTee(ev *eval, a []Value) (Value, error) {
	items, err := ev.collect(a[0])
	if err != nil {
		return nil, err
	}
	n, err := argInt(a[1], 2)
	if err != nil {
		return nil, err
	}
	if err := ev.growTimes(n, 4*itemCost); err != nil {
		return nil, err
	}
	all := make(Tuple, max(n, 0))
	for i := range all {
		all[i] = newIter(typeIterator, &sliceIter{items: items})
	}
	return all, nil
}

// pools gives the items of several iterables, repeated.
func (ev *eval) pools(iterables Tuple, repeat int64) ([][]Value, error) {
	var pools [][]Value
	for _, v := range iterables {
		items, err := ev.collect(v)
		if err != nil {
			return nil, err
		}
		pools = append(pools, items)
	}
	if err := ev.growTimes(repeat, len(pools)*24); err != nil {
		return nil, err
	}
	var all [][]Value
	for range repeat {
		all = append(all, pools...)
	}
	return all, nil
}

func itProduct(ev *eval, a []Value) (Value, error) {
	repeat, err := argInt(a[0], 1)
	if err != nil {
		return nil, err
	}
	pools, err := ev.pools(a[1].(Tuple), repeat)
	if err != nil {
		return nil, err
	}
	index := make([]int, len(pools))
	started := false
	return lazy(func(ev *eval) (Value, bool, error) {
		if started {
			i := len(index) - 1
			for ; i >= 0; i-- {
				if index[i]++; index[i] < len(pools[i]) {
					break
				}
				index[i] = 0
			}
			if i < 0 {
				return nil, false, nil
			}
		}
		started = true
		row := make(Tuple, len(pools))
		for i, p := range pools {
			if len(p) == 0 {
				return nil, false, nil
			}
			row[i] = p[index[i]]
		}
		return row, true, ev.grow(len(row) * itemCost)
	})
}

// selection takes a pool of items and how many to select, by default all.
func (ev *eval) selection(v, r Value) (pool []Value, n int, err error) {
	if pool, err = ev.collect(v); err != nil {
		return nil, 0, err
	}
	k := int64(len(pool))
	if !isNone(r) {
		if k, err = argInt(r, 0); err != nil {
			return nil, 0, err
		}
	}
	if k < 0 {
		return nil, 0, raise(excValueError, "r must be non-negative")
	}
	return pool, int(k), ev.growTimes(k, itemCost)
}

// itPermutations gives the arrangements of r items, by the positions of the
// items: in each step the last position that can move moves.
func itPermutations(ev *eval, a []Value) (Value, error) {
	pool, r, err := ev.selection(a[0], a[1])
	if err != nil {
		return nil, err
	}
	n := len(pool)
	if r > n {
		return newIter(typeIterator, &sliceIter{}), nil
	}
	index, cycles := make([]int, n), make([]int, r)
	for i := range index {
		index[i] = i
	}
	for i := range cycles {
		cycles[i] = n - i
	}
	started := false
	advance := func() bool {
		for i := r - 1; i >= 0; i-- {
			if cycles[i]--; cycles[i] > 0 {
				j := n - cycles[i]
				index[i], index[j] = index[j], index[i]
				return true
			}
			moved := index[i]
			copy(index[i:], index[i+1:])
			index[n-1] = moved
			cycles[i] = n - i
		}
		return false
	}
	return lazy(func(ev *eval) (Value, bool, error) {
		if started && !advance() {
			return nil, false, nil
		}
		started = true
		row := make(Tuple, r)
		for i := range row {
			row[i] = pool[index[i]]
		}
		return row, true, ev.grow(r * itemCost)
	})
}

// itCombinations gives the selections of r items in the order of the pool,
// in which an item may come again if repeated is set.
func itCombinations(repeated bool) func(*eval, []Value) (Value, error) {
	return func(ev *eval, a []Value) (Value, error) {
		pool, r, err := ev.selection(a[0], a[1])
		if err != nil {
			return nil, err
		}
		n := len(pool)
		if r > n && !repeated || r > 0 && n == 0 {
			return newIter(typeIterator, &sliceIter{}), nil
		}
		index := make([]int, r)
		if !repeated {
			for i := range index {
				index[i] = i
			}
		}
		started := false
		advance := func() bool {
			for i := r - 1; i >= 0; i-- {
				most := n - 1
				if !repeated {
					most = n - r + i
				}
				if index[i] == most {
					continue
				}
				index[i]++
				for j := i + 1; j < r; j++ {
					index[j] = index[j-1]
					if !repeated {
						index[j]++
					}
				}
				return true
			}
			return false
		}
		return lazy(func(ev *eval) (Value, bool, error) {
			if started && !advance() {
				return nil, false, nil
			}
			started = true
			row := make(Tuple, r)
			for i := range row {
				row[i] = pool[index[i]]
			}
			return row, true, ev.grow(r * itemCost)
		})
	}
}

func functoolsModule() *Module {
	return &Module{name: "functools", names: values(
		newBuiltin("reduce", "function iterable initial? /", func(ev *eval, a []Value) (Value, error) {
			total, started := a[2], given(a[2])
			err := ev.each(a[1], func(item Value) error {
				if !started {
					total, started = item, true
					return nil
				}
				var err error
				total, err = ev.call(a[0], total, item)
				return err
			})
			if err == nil && !started {
				err = raise(excTypeError, "reduce() of empty iterable with no initial value")
			}
			return total, err
		}),
	)}
}
