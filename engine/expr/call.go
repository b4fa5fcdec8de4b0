package expr

import "math/bits"

// call calls any value with arguments by position.
func (ev *eval) call(f Value, args ...Value) (Value, error) {
	return ev.invoke(f, callArgs{pos: args})
}

// invoke calls any value.
func (ev *eval) invoke(f Value, args callArgs) (Value, error) {
	switch f := f.(type) {
	case *Builtin:
		return ev.callBuiltin(f, args)
	case *Func:
		return ev.callFunc(f, args)
	case *method:
		args.pos = append([]Value{f.self}, args.pos...)
		return ev.callBuiltin(f.fn, args)
	case *Type:
		if f.is(excBaseException) {
			return makeException(f, args)
		}
		if f.make == nil {
			return nil, raise(excTypeError, "cannot create '%s' instances", f.name)
		}
		return ev.callBuiltin(f.make, args)
	}
	return nil, raise(excTypeError, "'%s' object is not callable", TypeName(f))
}

func makeException(kind *Type, args callArgs) (Value, error) {
	if len(args.named) > 0 {
		return nil, raise(excTypeError, "%s() takes no keyword arguments", kind.name)
	}
	return &Exc{kind: kind, args: args.pos}, nil
}

// A method is a method of a value that has been read but not called yet.
type method struct {
	self Value
	fn   *Builtin
}

func (m *method) class() *Type          { return typeBuiltin }
func (m *method) hashKey() (any, error) { return m, nil }

func (m *method) repr(p *printer) error {
	return p.text("<built-in method " + m.fn.name + " of " + TypeName(m.self) + " object>")
}

// missing gives the first parameter that must be given but is not among the
// first n, or -1.
func (b *Builtin) missing(n int) int {
	if rest := b.required >> n; rest != 0 {
		return n + bits.TrailingZeros(uint(rest))
	}
	return -1
}

// callBuiltin sorts the arguments to the parameters and calls.
func (ev *eval) callBuiltin(b *Builtin, args callArgs) (Value, error) {
	size := len(b.params)
	if b.rest {
		size++
	}
	if b.named {
		size++
	}
	vals := make([]Value, size)
	n := min(len(args.pos), b.byPos)
	copy(vals, args.pos[:n])
	for i := n; i < len(b.params); i++ {
		vals[i] = absent
	}
	next := len(b.params)
	if b.rest {
		vals[next] = Tuple(args.pos[n:])
		next++
	} else if len(args.pos) > n {
		return nil, raise(excTypeError, "%s() takes at most %d positional arguments (%d given)", b.name, b.byPos, len(args.pos))
	}
	var more *Dict
	if b.named {
		more = NewDict()
		vals[next] = more
	}
	for _, a := range args.named {
		i := indexOf(b.params, a.name)
		switch {
		case i >= b.byName && i >= 0 && given(vals[i]):
			return nil, raise(excTypeError, "argument for %s() given by name ('%s') and position", b.name, a.name)
		case i >= b.byName && i >= 0:
			vals[i] = a.val
		case more != nil:
			more.SetString(a.name, a.val)
		default:
			return nil, raise(excTypeError, "%s() got an unexpected keyword argument '%s'", b.name, a.name)
		}
	}
	for i, name := range b.params {
		if b.required>>i&1 == 1 && !given(vals[i]) {
			return nil, raise(excTypeError, "%s() missing required argument '%s'", b.name, name)
		}
	}
	return b.fn(ev, vals)
}
