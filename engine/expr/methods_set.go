package expr

func setMethods() map[string]*Builtin {
	return table(
		mut("add", "item /", setAdd),
		mut("remove", "item /", setRemove),
		mut("discard", "item /", setDiscard),
		mut("pop", "/", setPop),
		mut("clear", "/", setClear),
		mut("update", "*others", setUpdate),
		mut("intersection_update", "*others", setInPlace(setIntersection)),
		mut("difference_update", "*others", setInPlace(setDifference)),
		mut("symmetric_difference_update", "other /", setInPlace(setSymmetricDifference)),
		def("copy", "/", setCopy),
		def("union", "*others", setUnion),
		def("intersection", "*others", setIntersection),
		def("difference", "*others", setDifference),
		def("symmetric_difference", "other /", setSymmetricDifference),
		def("issubset", "other /", setIsSubset),
		def("issuperset", "other /", setIsSuperset),
		def("isdisjoint", "other /", setIsDisjoint),
	)
}

// toSet gives a set of the items of any iterable.
func (ev *eval) toSet(v Value) (*Set, error) {
	if s, ok := v.(*Set); ok {
		return s, nil
	}
	s, err := makeSet(ev, []Value{v})
	return s.(*Set), err
}

func setAdd(ev *eval, a []Value) (Value, error) {
	if err := ev.grow(entryCost); err != nil {
		return nil, err
	}
	return nil, a[0].(*Set).add(a[1])
}

func setRemove(_ *eval, a []Value) (Value, error) {
	if _, err := keyOf(a[1]); err != nil {
		return nil, err
	}
	if !a[0].(*Set).remove(a[1]) {
		return nil, raiseKeyError(a[1])
	}
	return nil, nil
}

func setDiscard(_ *eval, a []Value) (Value, error) {
	_, err := keyOf(a[1])
	a[0].(*Set).remove(a[1])
	return nil, err
}

func setPop(_ *eval, a []Value) (Value, error) {
	s := a[0].(*Set)
	for v := range s.d.All() {
		s.remove(v)
		return v, nil
	}
	return nil, raise(excKeyError, "pop from an empty set")
}

func setClear(_ *eval, a []Value) (Value, error) {
	a[0].(*Set).d.clear()
	return nil, nil
}

func setUpdate(ev *eval, a []Value) (Value, error) {
	s := a[0].(*Set)
	for _, other := range a[1].(Tuple) {
		items, err := ev.collect(other)
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			if err := ev.grow(entryCost); err != nil {
				return nil, err
			}
			if err := s.add(item); err != nil {
				return nil, err
			}
		}
	}
	return nil, nil
}

// setInPlace makes the method that stores the result of another in the set.
func setInPlace(f func(*eval, []Value) (Value, error)) func(*eval, []Value) (Value, error) {
	return func(ev *eval, a []Value) (Value, error) {
		r, err := f(ev, a)
		if err != nil {
			return nil, err
		}
		a[0].(*Set).d = r.(*Set).d
		return nil, nil
	}
}

func setCopy(ev *eval, a []Value) (Value, error) { return setUnion(ev, []Value{a[0], Tuple{}}) }

func setUnion(ev *eval, a []Value) (Value, error) { return setFold(ev, a, opOr) }

func setIntersection(ev *eval, a []Value) (Value, error) { return setFold(ev, a, opAnd) }

func setDifference(ev *eval, a []Value) (Value, error) { return setFold(ev, a, opSub) }

// setFold applies an operator to the set and each of the others in turn.
func setFold(ev *eval, a []Value, op binaryOp) (Value, error) {
	s := a[0].(*Set)
	if err := ev.grow(s.Len() * entryCost); err != nil {
		return nil, err
	}
	var r Value = s.clone()
	for _, other := range a[1].(Tuple) {
		o, err := ev.toSet(other)
		if err != nil {
			return nil, err
		}
		if r, _, err = r.(*Set).operate(ev, op, o, false); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func setSymmetricDifference(ev *eval, a []Value) (Value, error) {
	return setFold(ev, []Value{a[0], Tuple{a[1]}}, opXor)
}

func setIsSubset(ev *eval, a []Value) (Value, error) {
	o, err := ev.toSet(a[1])
	if err != nil {
		return nil, err
	}
	return a[0].(*Set).subset(ev, o)
}

func setIsSuperset(ev *eval, a []Value) (Value, error) {
	o, err := ev.toSet(a[1])
	if err != nil {
		return nil, err
	}
	return o.subset(ev, a[0].(*Set))
}

func setIsDisjoint(ev *eval, a []Value) (Value, error) {
	o, err := ev.toSet(a[1])
	if err != nil {
		return nil, err
	}
	return a[0].(*Set).keep(o, true).Len() == 0, nil
}
