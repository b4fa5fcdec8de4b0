package expr

import "slices"

func listMethods() map[string]*Builtin {
	return table(
		mut("append", "item /", listAppend),
		mut("extend", "iterable /", listExtend),
		mut("insert", "index item /", listInsert),
		mut("remove", "item /", listRemove),
		mut("pop", "index? /", listPop),
		mut("clear", "/", listClear),
		mut("sort", "* key? reverse?", listSort),
		mut("reverse", "/", listReverse),
		def("copy", "/", listCopy),
		def("index", "item start? stop? /", seqIndex),
		def("count", "item /", seqCount),
	)
}

func tupleMethods() map[string]*Builtin {
	return table(
		def("index", "item start? stop? /", seqIndex),
		def("count", "item /", seqCount),
	)
}

func rangeMethods() map[string]*Builtin {
	return table(
		def("index", "item /", func(_ *eval, a []Value) (Value, error) {
			r := a[0].(*Range)
			if n, ok := integer(a[1]); ok {
				if i := r.index(n); i >= 0 {
					return i, nil
				}
			}
			return nil, raise(excValueError, "%s is not in range", Repr(a[1]))
		}),
		def("count", "item /", func(ev *eval, a []Value) (Value, error) {
			in, err := a[0].(*Range).contains(ev, a[1])
			n, _ := integer(in)
			return n, err
		}),
	)
}

func listAppend(ev *eval, a []Value) (Value, error) {
	if err := ev.grow(itemCost); err != nil {
		return nil, err
	}
	l := a[0].(*List)
	l.items = append(l.items, a[1])
	return nil, nil
}

func listExtend(ev *eval, a []Value) (Value, error) {
	items, err := ev.collect(a[1])
	a[0].(*List).Append(items...)
	return nil, err
}

func listInsert(ev *eval, a []Value) (Value, error) {
	l := a[0].(*List)
	i, err := argInt(a[1], 0)
	if err != nil {
		return nil, err
	}
	n := int64(len(l.items))
	if i < 0 {
		i = max(i+n, 0)
	}
	if err := ev.spend(int(n) / 64); err != nil {
		return nil, err
	}
	if err := ev.grow(itemCost); err != nil {
		return nil, err
	}
	l.items = slices.Insert(l.items, int(min(i, n)), a[2])
	return nil, nil
}

func listRemove(ev *eval, a []Value) (Value, error) {
	l := a[0].(*List)
	for i, have := range l.items {
		if err := ev.step(); err != nil {
			return nil, err
		}
		eq, err := ev.identicalOrEqual(have, a[1])
		if err != nil {
			return nil, err
		}
		if eq {
			l.items = slices.Delete(l.items, i, i+1)
			return nil, nil
		}
	}
	return nil, raise(excValueError, "list.remove(x): x not in list")
}

func listPop(ev *eval, a []Value) (Value, error) {
	l := a[0].(*List)
	n := len(l.items)
	if n == 0 {
		return nil, raise(excIndexError, "pop from empty list")
	}
	if !given(a[1]) {
		v := l.items[n-1]
		l.items[n-1] = nil
		l.items = l.items[:n-1]
		return v, nil
	}
	i, err := position(a[1], n, "pop")
	if err != nil {
		return nil, err
	}
	if err := ev.spend((n - i) / 64); err != nil {
		return nil, err
	}
	v := l.items[i]
	l.items = slices.Delete(l.items, i, i+1)
	return v, nil
}

func listClear(_ *eval, a []Value) (Value, error) {
	a[0].(*List).items = nil
	return nil, nil
}

// listSort sorts a copy, so that a key function that looks at the list sees
// it whole.
func listSort(ev *eval, a []Value) (Value, error) {
	l := a[0].(*List)
	items, err := ev.collect(l)
	if err != nil {
		return nil, err
	}
	if err := ev.sort(items, a[1], a[2]); err != nil {
		return nil, err
	}
	l.items = items
	return nil, nil
}

func listReverse(ev *eval, a []Value) (Value, error) {
	l := a[0].(*List)
	slices.Reverse(l.items)
	return nil, ev.spend(len(l.items) / 64)
}

func listCopy(ev *eval, a []Value) (Value, error) {
	items, err := ev.collect(a[0])
	return NewList(items...), err
}

func seqIndex(ev *eval, a []Value) (Value, error) {
	items, _ := sequence(a[0])
	from, to, err := argSpan(a[2], a[3], len(items))
	if err != nil {
		return nil, err
	}
	for i := from; i < to; i++ {
		if err := ev.step(); err != nil {
			return nil, err
		}
		eq, err := ev.identicalOrEqual(items[i], a[1])
		if err != nil {
			return nil, err
		}
		if eq {
			return int64(i), nil
		}
	}
	s, err := ev.repr(a[1])
	if err != nil {
		return nil, err
	}
	return nil, raise(excValueError, "%s is not in %s", s, TypeName(a[0]))
}

func seqCount(ev *eval, a []Value) (Value, error) {
	items, _ := sequence(a[0])
	n := int64(0)
	for _, have := range items {
		if err := ev.step(); err != nil {
			return nil, err
		}
		eq, err := ev.identicalOrEqual(have, a[1])
		if err != nil {
			return nil, err
		}
		if eq {
			n++
		}
	}
	return n, nil
}
