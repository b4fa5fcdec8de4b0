package expr

func dictMethods() map[string]*Builtin {
	return table(
		def("get", "key default? /", dictGet),
		def("keys", "/", viewOf(keysOf)),
		def("values", "/", viewOf(valuesOf)),
		def("items", "/", viewOf(itemsOf)),
		def("copy", "/", dictCopy),
		mut("setdefault", "key default? /", dictSetDefault),
		mut("pop", "key default? /", dictPop),
		mut("popitem", "/", dictPopItem),
		mut("update", "other? / **kwargs", dictUpdate),
		mut("clear", "/", dictClear),
	)
}

func dictGet(_ *eval, a []Value) (Value, error) {
	if v, ok := a[0].(*Dict).Get(a[1]); ok {
		return v, nil
	}
	if _, err := keyOf(a[1]); err != nil {
		return nil, err
	}
	return orNone(a[2]), nil
}

func viewOf(kind viewKind) func(*eval, []Value) (Value, error) {
	return func(_ *eval, a []Value) (Value, error) {
		return &dictView{dict: a[0].(*Dict), kind: kind}, nil
	}
}

func dictCopy(ev *eval, a []Value) (Value, error) {
	d := a[0].(*Dict)
	if err := ev.grow(d.live * entryCost); err != nil {
		return nil, err
	}
	return d.clone(), nil
}

func dictSetDefault(ev *eval, a []Value) (Value, error) {
	d := a[0].(*Dict)
	if v, ok := d.Get(a[1]); ok {
		return v, nil
	}
	if err := ev.grow(entryCost); err != nil {
		return nil, err
	}
	v := orNone(a[2])
	return v, d.Set(a[1], v)
}

func dictPop(_ *eval, a []Value) (Value, error) {
	d := a[0].(*Dict)
	if _, err := keyOf(a[1]); err != nil {
		return nil, err
	}
	v, ok := d.Get(a[1])
	switch {
	case ok:
		d.Delete(a[1])
		return v, nil
	case given(a[2]):
		return a[2], nil
	}
	return nil, raiseKeyError(a[1])
}

func dictPopItem(_ *eval, a []Value) (Value, error) {
	d := a[0].(*Dict)
	i := d.last()
	if i < 0 {
		return nil, raise(excKeyError, "popitem(): dictionary is empty")
	}
	pair := Tuple{d.entries[i].key, d.entries[i].val}
	d.Delete(pair[0])
	return pair, nil
}

func dictUpdate(ev *eval, a []Value) (Value, error) {
	return nil, ev.update(a[0].(*Dict), a[1], a[2].(*Dict))
}

func dictClear(_ *eval, a []Value) (Value, error) {
	a[0].(*Dict).clear()
	return nil, nil
}

func dictFromKeys(ev *eval, a []Value) (Value, error) {
	d := NewDict()
	err := ev.each(a[0], func(key Value) error {
		if err := ev.grow(entryCost); err != nil {
			return err
		}
		return d.Set(key, orNone(a[1]))
	})
	return d, err
}
