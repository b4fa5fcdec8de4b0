package expr

// assign compiles an assignment; the targets are assigned from the left.
func (c *compiler) assign(s *assignStmt) action {
	if s.x == nil { // `name: annotation` alone
		return func(*frame) (flow, error) { return flowNext, nil }
	}
	x := c.expr(s.x)
	stores := make([]store, len(s.targets))
	for i, t := range s.targets {
		stores[i] = c.store(t)
	}
	return func(fr *frame) (flow, error) {
		v, err := x(fr)
		if err != nil {
			return flowNext, err
		}
		for _, set := range stores {
			if err := set(fr, v); err != nil {
				return flowNext, err
			}
		}
		return flowNext, nil
	}
}

// store compiles a target.
func (c *compiler) store(target expression) store {
	switch t := target.(type) {
	case *nameExpr:
		return c.storeName(t.name)
	case *attrExpr:
		return c.storeAttr(t)
	case *indexExpr:
		return c.storeItem(t)
	case *tupleExpr:
		return c.unpack(t.items)
	case *listExpr:
		return c.unpack(t.items)
	case *resultExpr:
		return func(fr *frame, v Value) error {
			fr.result = v
			return nil
		}
	}
	c.fail(target.at(), "cannot assign to this expression")
	return nil
}

func (c *compiler) storeAttr(t *attrExpr) store {
	c.changes()
	x, name := c.expr(t.x), t.name
	return func(fr *frame, v Value) error {
		on, err := x(fr)
		if err != nil {
			return err
		}
		return fr.ev.setAttr(on, name, v)
	}
}

func (c *compiler) storeItem(t *indexExpr) store {
	c.changes()
	x, key := c.expr(t.x), c.expr(t.key)
	return func(fr *frame, v Value) error {
		on, err := x(fr)
		if err != nil {
			return err
		}
		k, err := key(fr)
		if err != nil {
			return err
		}
		return fr.ev.setItem(on, k, v)
	}
}

// unpack compiles several targets, one of which may be `*rest`.
func (c *compiler) unpack(items []expression) store {
	stores := make([]store, len(items))
	star := -1
	for i, item := range items {
		if s, ok := item.(*starExpr); ok {
			star, item = i, s.x
		}
		stores[i] = c.store(item)
	}
	return func(fr *frame, v Value) error {
		vals, err := fr.ev.unpackable(v, len(stores), star >= 0)
		if err != nil {
			return err
		}
		if star < 0 {
			return storeAll(fr, stores, vals)
		}
		rest := len(vals) - len(stores) + 1
		if rest < 0 {
			return raise(excValueError, "not enough values to unpack (expected at least %d, got %d)", len(stores)-1, len(vals))
		}
		if err := storeAll(fr, stores[:star], vals); err != nil {
			return err
		}
		middle := NewList(cloneItems(vals[star : star+rest])...)
		if err := stores[star](fr, middle); err != nil {
			return err
		}
		return storeAll(fr, stores[star+1:], vals[star+rest:])
	}
}

func storeAll(fr *frame, stores []store, vals []Value) error {
	for i, set := range stores {
		if err := set(fr, vals[i]); err != nil {
			return err
		}
	}
	return nil
}

// unpackable gives the n items of v, or at least what there is if a star
// takes the rest.
func (ev *eval) unpackable(v Value, n int, star bool) ([]Value, error) {
	vals, ok := sequence(v)
	if !ok {
		if _, err := ev.iterate(v); err != nil {
			return nil, raise(excTypeError, "cannot unpack non-iterable %s object", TypeName(v))
		}
		err := ev.each(v, func(item Value) error {
			vals = append(vals, item)
			if !star && len(vals) > n {
				return errStop
			}
			return ev.grow(itemCost)
		})
		if err != nil && err != errStop {
			return nil, err
		}
	}
	switch {
	case star || len(vals) == n:
		return vals, nil
	case len(vals) > n:
		return nil, raise(excValueError, "too many values to unpack (expected %d)", n)
	}
	return nil, raise(excValueError, "not enough values to unpack (expected %d, got %d)", n, len(vals))
}

// augmented compiles `target op= x`. Lists, sets and dictionaries change in
// place; the target's parts are evaluated once.
func (c *compiler) augmented(s *augStmt) action {
	c.changes()
	x, op := c.expr(s.x), s.op
	update := func(fr *frame, old Value) (Value, error) {
		v, err := x(fr)
		if err != nil {
			return nil, err
		}
		return fr.ev.inPlace(op, old, v)
	}
	switch t := s.target.(type) {
	case *nameExpr:
		get, set := c.name(t), c.storeName(t.name)
		return func(fr *frame) (flow, error) {
			old, err := get(fr)
			if err != nil {
				return flowNext, err
			}
			v, err := update(fr, old)
			if err != nil {
				return flowNext, err
			}
			return flowNext, set(fr, v)
		}
	case *attrExpr:
		return c.augmentedAttr(t, update)
	case *indexExpr:
		return c.augmentedItem(t, update)
	}
	c.fail(s.target.at(), "illegal target for augmented assignment")
	return nil
}

// An updater gives what a value becomes.
type updater func(fr *frame, old Value) (Value, error)

func (c *compiler) augmentedAttr(t *attrExpr, update updater) action {
	on, name := c.expr(t.x), t.name
	return func(fr *frame) (flow, error) {
		target, err := on(fr)
		if err != nil {
			return flowNext, err
		}
		old, err := getAttr(target, name)
		if err != nil {
			return flowNext, err
		}
		v, err := update(fr, old)
		if err != nil {
			return flowNext, err
		}
		return flowNext, fr.ev.setAttr(target, name, v)
	}
}

func (c *compiler) augmentedItem(t *indexExpr, update updater) action {
	on, key := c.expr(t.x), c.expr(t.key)
	return func(fr *frame) (flow, error) {
		target, err := on(fr)
		if err != nil {
			return flowNext, err
		}
		k, err := key(fr)
		if err != nil {
			return flowNext, err
		}
		old, err := fr.ev.item(target, k)
		if err != nil {
			return flowNext, err
		}
		v, err := update(fr, old)
		if err != nil {
			return flowNext, err
		}
		return flowNext, fr.ev.setItem(target, k, v)
	}
}

// inPlace applies an operator to a value that may change for it.
func (ev *eval) inPlace(op binaryOp, old, v Value) (Value, error) {
	switch x := old.(type) {
	case *List:
		switch op {
		case opAdd:
			items, err := ev.collect(v)
			if err != nil {
				return nil, err
			}
			x.Append(items...)
			return x, nil
		case opMul:
			r, err := ev.binary(op, x, v)
			if err != nil {
				return nil, err
			}
			x.items = r.(*List).items
			return x, nil
		}
	case *Dict:
		if from, ok := v.(*Dict); ok && op == opOr && x.kind != typeCounter {
			return x, ev.merge(x, from)
		}
	case *Set:
		r, err := ev.binary(op, x, v)
		if err != nil {
			return nil, err
		}
		if s, ok := r.(*Set); ok {
			x.d = s.d
			return x, nil
		}
		return r, nil
	}
	return ev.binary(op, old, v)
}

func (c *compiler) del(s *delStmt) action {
	var actions []action
	for _, target := range s.targets {
		actions = append(actions, c.delOne(target))
	}
	return func(fr *frame) (flow, error) {
		for _, a := range actions {
			if _, err := a(fr); err != nil {
				return flowNext, err
			}
		}
		return flowNext, nil
	}
}

func (c *compiler) delOne(target expression) action {
	c.changes()
	switch t := target.(type) {
	case *nameExpr:
		return c.deleteName(t.name)
	case *attrExpr:
		x, name := c.expr(t.x), t.name
		return func(fr *frame) (flow, error) {
			on, err := x(fr)
			if err != nil {
				return flowNext, err
			}
			d, ok := on.(*Dict)
			if !ok || !d.Delete(name) {
				return flowNext, errNoAttr(on, name)
			}
			return flowNext, nil
		}
	}
	t, ok := target.(*indexExpr)
	if !ok {
		c.fail(target.at(), "cannot delete this expression")
	}
	x, key := c.expr(t.x), c.expr(t.key)
	return func(fr *frame) (flow, error) {
		on, err := x(fr)
		if err != nil {
			return flowNext, err
		}
		k, err := key(fr)
		if err != nil {
			return flowNext, err
		}
		return flowNext, fr.ev.delItem(on, k)
	}
}
