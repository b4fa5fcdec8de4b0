package expr

// A viewKind says what a view or an iterator of a dictionary gives.
type viewKind int

const (
	keysOf viewKind = iota
	valuesOf
	itemsOf
)

func (k viewKind) of(e *entry) Value {
	switch k {
	case keysOf:
		return e.key
	case valuesOf:
		return e.val
	}
	return Tuple{e.key, e.val}
}

// A dictView is what d.keys(), d.values() and d.items() give: a window on
// the dictionary, not a copy.
type dictView struct {
	dict *Dict
	kind viewKind
}

func (v *dictView) class() *Type {
	return [...]*Type{keysOf: typeKeys, valuesOf: typeValues, itemsOf: typeItems}[v.kind]
}

func (v *dictView) Len() int          { return v.dict.live }
func (v *dictView) iterate() iterator { return newDictIter(v.dict, v.kind) }

func (v *dictView) contains(ev *eval, item Value) (bool, error) {
	switch v.kind {
	case keysOf:
		_, err := keyOf(item)
		if err != nil {
			return false, err
		}
		_, ok := v.dict.Get(item)
		return ok, nil
	case itemsOf:
		pair, ok := item.(Tuple)
		if !ok || len(pair) != 2 {
			return false, nil
		}
		have, ok := v.dict.Get(pair[0])
		if !ok {
			return false, nil
		}
		return ev.equal(have, pair[1])
	}
	return containsByIteration(ev, v, item)
}

func (v *dictView) equal(w *walk, other Value) (bool, error) {
	if o, ok := other.(*dictView); ok && o == v {
		return true, nil
	}
	if v.kind == valuesOf {
		return false, nil
	}
	a, err := v.set()
	if err != nil {
		return false, err
	}
	switch o := other.(type) {
	case *Set:
		return a.equal(w, o)
	case *dictView:
		if o.kind == valuesOf {
			return false, nil
		}
		b, err := o.set()
		if err != nil {
			return false, err
		}
		return a.equal(w, b)
	}
	return false, nil
}

func (v *dictView) operate(ev *eval, op binaryOp, other Value, reversed bool) (Value, bool, error) {
	if v.kind == valuesOf {
		return nil, false, nil
	}
	a, err := v.set()
	if err != nil {
		return nil, false, err
	}
	b, ok := other.(*Set)
	if !ok {
		o, isView := other.(*dictView)
		if !isView || o.kind == valuesOf {
			return nil, false, nil
		}
		if b, err = o.set(); err != nil {
			return nil, false, err
		}
	}
	return a.operate(ev, op, b, reversed)
}

func (v *dictView) repr(p *printer) error {
	if err := p.text(v.class().name + "(["); err != nil {
		return err
	}
	first := true
	for i := range v.dict.entries {
		e := &v.dict.entries[i]
		if isGap(e.key) {
			continue
		}
		if err := p.separate(&first); err != nil {
			return err
		}
		if err := p.repr(v.kind.of(e)); err != nil {
			return err
		}
	}
	return p.text("])")
}

func (v *dictView) set() (*Set, error) {
	s := newSet()
	for i := range v.dict.entries {
		e := &v.dict.entries[i]
		if isGap(e.key) {
			continue
		}
		if err := s.add(v.kind.of(e)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

type dictIter struct {
	dict *Dict
	kind viewKind
	size int
	i    int
}

func newDictIter(d *Dict, kind viewKind) *dictIter {
	return &dictIter{dict: d, kind: kind, size: d.live}
}

func (it *dictIter) next(*eval) (Value, bool, error) {
	if it.dict.live != it.size {
		return nil, false, raise(excRuntimeError, "dictionary changed size during iteration")
	}
	for it.i < len(it.dict.entries) {
		e := &it.dict.entries[it.i]
		it.i++
		if !isGap(e.key) {
			return it.kind.of(e), true, nil
		}
	}
	return nil, false, nil
}
