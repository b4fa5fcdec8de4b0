package expr

// expr compiles an expression.
func (c *compiler) expr(x expression) code {
	switch x := x.(type) {
	case *constExpr:
		v := x.val
		return func(*frame) (Value, error) { return v, nil }
	case *nameExpr:
		return c.name(x)
	case *attrExpr:
		return c.attr(x)
	case *indexExpr:
		return c.index(x)
	case *sliceExpr:
		return c.sliceValue(x)
	case *callExpr:
		return c.call(x)
	case *binaryExpr:
		return c.binary(x)
	case *unaryExpr:
		return c.unary(x)
	case *logicExpr:
		return c.logic(x)
	case *compareExpr:
		return c.compare(x)
	case *condExpr:
		return c.cond(x)
	case *fstringExpr:
		return c.fstring(x)
	case *listExpr:
		return c.list(x)
	case *tupleExpr:
		return c.tuple(x)
	case *setExpr:
		return c.set(x)
	case *dictExpr:
		return c.dict(x)
	case *compExpr:
		return c.comprehension(x)
	case *lambdaExpr:
		return c.makeFunc(x.fn, nil)
	case *walrusExpr:
		return c.walrus(x)
	case *yieldExpr:
		return c.yield(x)
	case *starExpr:
		c.fail(x.pos, "can't use starred expression here")
	}
	c.fail(x.at(), "invalid syntax")
	return nil
}

func (c *compiler) exprs(xs []expression) []code {
	codes := make([]code, len(xs))
	for i, x := range xs {
		codes[i] = c.expr(x)
	}
	return codes
}

// optional compiles an expression that may be absent, which gives None.
func (c *compiler) optional(x expression) code {
	if x == nil {
		return func(*frame) (Value, error) { return nil, nil }
	}
	return c.expr(x)
}

func (c *compiler) cond(x *condExpr) code {
	test, yes, no := c.expr(x.test), c.expr(x.yes), c.expr(x.no)
	return func(fr *frame) (Value, error) {
		v, err := test(fr)
		if err != nil {
			return nil, err
		}
		if Truth(v) {
			return yes(fr)
		}
		return no(fr)
	}
}

func (c *compiler) logic(x *logicExpr) code {
	xs, or := c.exprs(x.xs), x.or
	last := len(xs) - 1
	return func(fr *frame) (Value, error) {
		for _, x := range xs[:last] {
			v, err := x(fr)
			if err != nil || Truth(v) == or {
				return v, err
			}
		}
		return xs[last](fr)
	}
}

func (c *compiler) attr(x *attrExpr) code {
	if c.world.mutators[x.name] {
		c.changes()
	}
	val, name := c.expr(x.x), x.name
	return func(fr *frame) (Value, error) {
		v, err := val(fr)
		if err != nil {
			return nil, err
		}
		if d, ok := v.(*Dict); ok {
			if v, ok := d.GetString(name); ok {
				return v, nil
			}
		}
		return getAttr(v, name)
	}
}

func (c *compiler) index(x *indexExpr) code {
	val := c.expr(x.x)
	if s, ok := x.key.(*sliceExpr); ok {
		bounds := c.bounds(s)
		return func(fr *frame) (Value, error) {
			v, err := val(fr)
			if err != nil {
				return nil, err
			}
			b, err := bounds(fr)
			if err != nil {
				return nil, err
			}
			return fr.ev.slice(v, b)
		}
	}
	key := c.expr(x.key)
	return func(fr *frame) (Value, error) {
		v, err := val(fr)
		if err != nil {
			return nil, err
		}
		k, err := key(fr)
		if err != nil {
			return nil, err
		}
		return fr.ev.item(v, k)
	}
}

// bounds compiles the three parts of a slice.
func (c *compiler) bounds(x *sliceExpr) func(fr *frame) (Slice, error) {
	low, high, step := c.optional(x.low), c.optional(x.high), c.optional(x.step)
	return func(fr *frame) (s Slice, err error) {
		if s.low, err = low(fr); err != nil {
			return s, err
		}
		if s.high, err = high(fr); err != nil {
			return s, err
		}
		s.step, err = step(fr)
		return s, err
	}
}

func (c *compiler) sliceValue(x *sliceExpr) code {
	bounds := c.bounds(x)
	return func(fr *frame) (Value, error) {
		s, err := bounds(fr)
		return &s, err
	}
}

func (c *compiler) list(x *listExpr) code {
	items := c.items(x.items)
	return func(fr *frame) (Value, error) {
		vals, err := items(fr)
		if err != nil {
			return nil, err
		}
		return &List{items: vals}, nil
	}
}

// tuple compiles a tuple; one of constants is a constant.
func (c *compiler) tuple(x *tupleExpr) code {
	constant := make(Tuple, 0, len(x.items))
	for _, item := range x.items {
		if k, ok := item.(*constExpr); ok {
			constant = append(constant, k.val)
		}
	}
	if len(constant) == len(x.items) {
		var v Value = constant
		return func(*frame) (Value, error) { return v, nil }
	}
	items := c.items(x.items)
	return func(fr *frame) (Value, error) {
		vals, err := items(fr)
		if err != nil {
			return nil, err
		}
		return Tuple(vals), nil
	}
}

func (c *compiler) set(x *setExpr) code {
	items := c.items(x.items)
	return func(fr *frame) (Value, error) {
		vals, err := items(fr)
		if err != nil {
			return nil, err
		}
		if err := fr.ev.grow(len(vals) * entryCost); err != nil {
			return nil, err
		}
		return NewSet(vals...)
	}
}

// items compiles a list of expressions, some of which may be `*xs`.
func (c *compiler) items(xs []expression) func(fr *frame) ([]Value, error) {
	codes := make([]code, len(xs))
	starred := make([]bool, len(xs))
	stars := false
	for i, x := range xs {
		if s, ok := x.(*starExpr); ok {
			x, starred[i], stars = s.x, true, true
		}
		codes[i] = c.expr(x)
	}
	if !stars {
		return func(fr *frame) ([]Value, error) {
			if err := fr.ev.grow(len(codes) * itemCost); err != nil {
				return nil, err
			}
			vals := make([]Value, len(codes))
			for i, x := range codes {
				v, err := x(fr)
				if err != nil {
					return nil, err
				}
				vals[i] = v
			}
			return vals, nil
		}
	}
	return func(fr *frame) ([]Value, error) {
		var vals []Value
		for i, x := range codes {
			v, err := x(fr)
			if err != nil {
				return nil, err
			}
			part := []Value{v}
			if starred[i] {
				if part, err = fr.ev.collect(v); err != nil {
					return nil, err
				}
			}
			vals = append(vals, part...)
		}
		return vals, fr.ev.grow(len(vals) * itemCost)
	}
}

func (c *compiler) dict(x *dictExpr) code {
	keys := make([]code, len(x.keys))
	for i, k := range x.keys {
		if k != nil {
			keys[i] = c.expr(k)
		}
	}
	vals := c.exprs(x.vals)
	return func(fr *frame) (Value, error) {
		if err := fr.ev.grow(len(vals) * entryCost); err != nil {
			return nil, err
		}
		d := newDictSize(len(vals))
		for i, key := range keys {
			if key == nil {
				v, err := vals[i](fr)
				if err != nil {
					return nil, err
				}
				from, ok := v.(*Dict)
				if !ok {
					return nil, raise(excTypeError, "'%s' object is not a mapping", TypeName(v))
				}
				if err := fr.ev.merge(d, from); err != nil {
					return nil, err
				}
				continue
			}
			k, err := key(fr)
			if err != nil {
				return nil, err
			}
			v, err := vals[i](fr)
			if err != nil {
				return nil, err
			}
			if err := d.Set(k, v); err != nil {
				return nil, err
			}
		}
		return d, nil
	}
}
