package expr

// call compiles a call. Arguments by position, the common case, are
// evaluated straight to where the callee wants them.
func (c *compiler) call(x *callExpr) code {
	c.noteCall(x)
	args := c.arguments(x.args)
	if m, ok := x.fn.(*attrExpr); ok {
		return c.methodCall(m, args)
	}
	fn := c.expr(x.fn)
	return func(fr *frame) (Value, error) {
		f, err := fn(fr)
		if err != nil {
			return nil, err
		}
		switch f := f.(type) {
		case *Builtin:
			return args.callBuiltin(fr, f, nil, false)
		case *Func:
			return args.callFunc(fr, f)
		}
		a, err := args.eval(fr)
		if err != nil {
			return nil, err
		}
		return fr.ev.invoke(f, a)
	}
}

// noteCall notes a call that may change what it is given: of a method or
// function that is not one of ours.
func (c *compiler) noteCall(x *callExpr) {
	switch fn := x.fn.(type) {
	case *lambdaExpr:
		return
	case *attrExpr:
		if c.world.known[fn.name] {
			return // those that change their value are noted as attributes
		}
	case *nameExpr:
		if _, ok := c.world.builtin(fn.name, true); ok && c.resolve(fn.name).global {
			return
		}
	}
	c.mutates = true
}

// methodCall compiles v.name(...). A method of the value's type wins over a
// key of that name.
func (c *compiler) methodCall(x *attrExpr, args *arguments) code {
	if c.world.mutators[x.name] {
		c.changes()
	}
	val, name := c.expr(x.x), x.name
	onStr, onList, onDict := typeStr.method(name), typeList.method(name), typeDict.method(name)
	return func(fr *frame) (Value, error) {
		v, err := val(fr)
		if err != nil {
			return nil, err
		}
		var m *Builtin
		switch v := v.(type) {
		case string:
			m = onStr
		case *List:
			m = onList
		case *Dict:
			if m = onDict; v.kind != nil {
				m = v.kind.method(name)
			}
		default:
			m = methodOf(v, name)
		}
		if m != nil {
			return args.callBuiltin(fr, m, v, true)
		}
		f, err := getAttr(v, name)
		if err != nil {
			return nil, err
		}
		if b, ok := f.(*Builtin); ok {
			return args.callBuiltin(fr, b, nil, false)
		}
		a, err := args.eval(fr)
		if err != nil {
			return nil, err
		}
		return fr.ev.invoke(f, a)
	}
}

// arguments are those of one call, compiled.
type arguments struct {
	codes  []code
	names  []string // of each, "" by position
	stars  []int
	simple bool // all by position, without stars
}

// A callArgs is the arguments of a call, evaluated.
type callArgs struct {
	pos   []Value
	named []namedArg
}

type namedArg struct {
	name string
	val  Value
}

func (c *compiler) arguments(args []argument) *arguments {
	a := &arguments{simple: true}
	for _, arg := range args {
		a.codes = append(a.codes, c.expr(arg.x))
		a.names = append(a.names, arg.name)
		a.stars = append(a.stars, arg.stars)
		a.simple = a.simple && arg.name == "" && arg.stars == 0
	}
	return a
}

func (a *arguments) eval(fr *frame) (callArgs, error) {
	out := callArgs{pos: make([]Value, 0, len(a.codes))}
	for i, x := range a.codes {
		v, err := x(fr)
		if err != nil {
			return out, err
		}
		switch {
		case a.stars[i] == 1:
			items, err := fr.ev.collect(v)
			if err != nil {
				return out, err
			}
			out.pos = append(out.pos, items...)
		case a.stars[i] == 2:
			if err := out.spread(v); err != nil {
				return out, err
			}
		case a.names[i] != "":
			if err := out.add(a.names[i], v); err != nil {
				return out, err
			}
		default:
			out.pos = append(out.pos, v)
		}
	}
	return out, nil
}

func (a *callArgs) add(name string, v Value) error {
	for _, n := range a.named {
		if n.name == name {
			return raise(excTypeError, "got multiple values for keyword argument '%s'", name)
		}
	}
	a.named = append(a.named, namedArg{name, v})
	return nil
}

func (a *callArgs) spread(v Value) error {
	d, ok := v.(*Dict)
	if !ok {
		return raise(excTypeError, "argument after ** must be a mapping, not %s", TypeName(v))
	}
	for k, v := range d.All() {
		name, ok := k.(string)
		if !ok {
			return raise(excTypeError, "keywords must be strings")
		}
		if err := a.add(name, v); err != nil {
			return err
		}
	}
	return nil
}

// callBuiltin calls a function written in Go, with self ahead of the
// arguments if it is a method.
func (a *arguments) callBuiltin(fr *frame, b *Builtin, self Value, method bool) (Value, error) {
	first := 0
	if method {
		first = 1
	}
	n := len(a.codes)
	if !a.simple || b.rest || b.named || first+n > b.byPos || b.missing(first+n) >= 0 {
		args, err := a.eval(fr)
		if err != nil {
			return nil, err
		}
		if method {
			args.pos = append([]Value{self}, args.pos...)
		}
		return fr.ev.callBuiltin(b, args)
	}
	vals := make([]Value, len(b.params))
	if method {
		vals[0] = self
	}
	for i, x := range a.codes {
		v, err := x(fr)
		if err != nil {
			return nil, err
		}
		vals[first+i] = v
	}
	for i := first + n; i < len(vals); i++ {
		vals[i] = absent
	}
	return b.fn(fr.ev, vals)
}

// callFunc calls a function of the script.
func (a *arguments) callFunc(fr *frame, f *Func) (Value, error) {
	if !a.simple || !f.code.plain || len(a.codes) != len(f.code.params) {
		args, err := a.eval(fr)
		if err != nil {
			return nil, err
		}
		return fr.ev.callFunc(f, args)
	}
	slots := newSlots(f.code.info.size)
	for i, x := range a.codes {
		v, err := x(fr)
		if err != nil {
			return nil, err
		}
		slots[i] = v
	}
	return fr.ev.run(f, slots)
}
