package expr

// makeFunc compiles a def or lambda to the code that makes the function.
func (c *compiler) makeFunc(fn *function, b *binder) code {
	var defaults, keywords []code
	for _, p := range fn.params {
		if p.def != nil {
			defaults = append(defaults, c.expr(p.def))
		}
	}
	for _, p := range fn.keywords {
		if p.def != nil {
			keywords = append(keywords, c.expr(p.def))
		} else {
			keywords = append(keywords, func(*frame) (Value, error) { return absent, nil })
		}
	}
	compiled := c.funcCode(fn, b)
	return func(fr *frame) (Value, error) {
		f := &Func{code: compiled, frame: fr, home: fr.ev.mark()}
		var err error
		if f.defaults, err = f.evalDefaults(fr, defaults); err != nil {
			return nil, err
		}
		if f.keywords, err = f.evalDefaults(fr, keywords); err != nil {
			return nil, err
		}
		return f, nil
	}
}

func (f *Func) evalDefaults(fr *frame, codes []code) ([]Value, error) {
	if len(codes) == 0 {
		return nil, nil
	}
	vals := make([]Value, len(codes))
	for i, x := range codes {
		v, err := x(fr)
		if err != nil {
			return nil, err
		}
		vals[i] = v
		f.shared = f.shared || isContainer(v)
	}
	return vals, nil
}

// funcCode compiles the inside of a function. Its parameters have the first
// slots; its other variables follow. A lambda's binder is nil.
func (c *compiler) funcCode(fn *function, b *binder) *funcCode {
	leave := c.enter(true)
	defer leave()
	out := &funcCode{
		name: fn.name, posOnly: fn.posOnly, info: c.scope.frame,
		rest: fn.rest != "", named: fn.named != "",
	}
	for _, p := range fn.params {
		c.declare(p.name)
		out.params = append(out.params, p.name)
	}
	for _, p := range fn.keywords {
		c.declare(p.name)
		out.keywords = append(out.keywords, p.name)
	}
	if out.rest {
		c.declare(fn.rest)
	}
	if out.named {
		c.declare(fn.named)
	}
	out.plain = len(out.keywords) == 0 && !out.rest && !out.named
	if b == nil {
		b = newBinder()
		b.expression(fn.value)
	}
	for _, name := range b.names {
		if !b.foreign[name] {
			c.declare(name)
		}
	}
	out.generator = b.yields
	if fn.value != nil {
		out.body = c.expr(fn.value)
		return out
	}
	body := c.suite(fn.body)
	out.body = func(fr *frame) (Value, error) {
		if _, err := body(fr); err != nil {
			return nil, err
		}
		return fr.result, nil
	}
	return out
}

// def compiles a def statement, its decorators innermost first.
func (c *compiler) def(s *defStmt) action {
	b := newBinder()
	b.block(s.fn.body)
	decorators := c.exprs(s.decorators)
	mk := c.makeFunc(s.fn, b)
	if len(decorators) > 0 {
		c.mutates = true // a decorator is a function that is not known
	}
	set := c.storeName(s.fn.name)
	return func(fr *frame) (flow, error) {
		f, err := mk(fr)
		if err != nil {
			return flowNext, err
		}
		for i := len(decorators) - 1; i >= 0; i-- {
			d, err := decorators[i](fr)
			if err != nil {
				return flowNext, err
			}
			if f, err = fr.ev.call(d, f); err != nil {
				return flowNext, err
			}
		}
		return flowNext, set(fr, f)
	}
}

// scopeStatement applies global and nonlocal to the scope; there is nothing
// to run.
func (c *compiler) scopeStatement(s *scopeStmt) action {
	for _, name := range s.names {
		if !s.nonlocal {
			if c.scope.global == nil {
				c.scope.global = map[string]bool{}
			}
			c.scope.global[name] = true
			continue
		}
		if c.resolve(name).global {
			panic(faultAtLine(s.lineNo(), "no binding for nonlocal '"+name+"' found"))
		}
	}
	return func(*frame) (flow, error) { return flowNext, nil }
}

// yield compiles yield and yield from.
func (c *compiler) yield(x *yieldExpr) code {
	val := c.optional(x.x)
	if !x.from {
		return func(fr *frame) (Value, error) {
			v, err := val(fr)
			if err != nil {
				return nil, err
			}
			return nil, fr.gen.give(v)
		}
	}
	return func(fr *frame) (Value, error) {
		v, err := val(fr)
		if err != nil {
			return nil, err
		}
		return nil, fr.ev.each(v, fr.gen.give)
	}
}
