package expr

// A Set is Python's set. Its order is that of insertion, where Python's is
// arbitrary.
type Set struct {
	d Dict
}

func newSet() *Set { return &Set{} }

// NewSet makes a set of the items. Its error is a TypeError for an item that
// cannot be hashed.
func NewSet(items ...Value) (*Set, error) {
	s := newSet()
	for _, v := range items {
		if err := s.add(v); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Len gives the number of elements.
func (s *Set) Len() int { return s.d.live }

// Items gives the elements in a new slice.
func (s *Set) Items() []Value {
	items := make([]Value, 0, s.d.live)
	for v := range s.d.All() {
		items = append(items, v)
	}
	return items
}

func (s *Set) class() *Type        { return typeSet }
func (s *Set) iterate() iterator   { return &setIter{newDictIter(&s.d, keysOf)} }
func (s *Set) add(v Value) error   { return s.d.Set(v, nil) }
func (s *Set) clone() *Set         { return &Set{d: *s.d.clone()} }
func (s *Set) has(v Value) bool    { _, ok := s.d.Get(v); return ok }
func (s *Set) remove(v Value) bool { return s.d.Delete(v) }

func (s *Set) contains(_ *eval, item Value) (bool, error) {
	if other, ok := item.(*Set); ok {
		return false, unhashable(other)
	}
	if _, err := keyOf(item); err != nil {
		return false, err
	}
	return s.has(item), nil
}

func (s *Set) equal(w *walk, other Value) (bool, error) {
	switch o := other.(type) {
	case *Set:
		if s.Len() != o.Len() {
			return false, nil
		}
		return s.subset(w.ev, o)
	case *dictView:
		if o.kind == valuesOf {
			return false, nil
		}
		b, err := o.set()
		if err != nil {
			return false, err
		}
		return s.equal(w, b)
	}
	return false, nil
}

func (s *Set) subset(ev *eval, o *Set) (bool, error) {
	if s.Len() > o.Len() {
		return false, nil
	}
	for v := range s.d.All() {
		if err := ev.step(); err != nil {
			return false, err
		}
		if !o.has(v) {
			return false, nil
		}
	}
	return true, nil
}

func (s *Set) operate(ev *eval, op binaryOp, other Value, reversed bool) (Value, bool, error) {
	o, ok := other.(*Set)
	if !ok {
		view, isView := other.(*dictView)
		if !isView || view.kind == valuesOf {
			return nil, false, nil
		}
		var err error
		if o, err = view.set(); err != nil {
			return nil, false, err
		}
	}
	a, b := s, o
	if reversed {
		a, b = o, s
	}
	if err := ev.grow((a.Len() + b.Len()) * entryCost); err != nil {
		return nil, false, err
	}
	if err := ev.spend(a.Len() + b.Len()); err != nil {
		return nil, false, err
	}
	switch op {
	case opOr:
		return a.union(b), true, nil
	case opAnd:
		return a.keep(b, true), true, nil
	case opSub:
		return a.keep(b, false), true, nil
	case opXor:
		return a.keep(b, false).union(b.keep(a, false)), true, nil
	}
	return nil, false, nil
}

func (s *Set) union(o *Set) *Set {
	r := s.clone()
	for v := range o.d.All() {
		_ = r.add(v) // it was hashed before
	}
	return r
}

// keep gives the elements whose presence in o is as wanted.
func (s *Set) keep(o *Set, wanted bool) *Set {
	r := newSet()
	for v := range s.d.All() {
		if o.has(v) == wanted {
			_ = r.add(v) // it was hashed before
		}
	}
	return r
}

func (s *Set) repr(p *printer) error {
	if s.Len() == 0 {
		return p.text("set()")
	}
	return p.list("{", s.Items(), "}")
}

type setIter struct {
	*dictIter
}

func (it *setIter) next(ev *eval) (Value, bool, error) {
	if it.dict.live != it.size {
		return nil, false, raise(excRuntimeError, "Set changed size during iteration")
	}
	return it.dictIter.next(ev)
}
