package expr

// getAttr gives an attribute of a value: a key of a dictionary, a field, or
// what the closed tables of its type hold. There is nothing else, so names
// such as __class__ reach nothing.
func getAttr(v Value, name string) (Value, error) {
	switch x := v.(type) {
	case *Dict:
		if val, ok := x.GetString(name); ok {
			return val, nil
		}
	case *Type:
		if val, ok := x.attr(name); ok {
			return val, nil
		}
		return nil, raise(excAttributeError, "type object '%s' has no attribute '%s'", x.name, name)
	case *Func:
		if name == "__name__" {
			return x.code.name, nil
		}
	case *Builtin:
		if name == "__name__" {
			return x.name, nil
		}
	case attributed:
		if val, ok := x.attr(name); ok {
			return val, nil
		}
	case Host:
		if val, ok := x.Attr(name); ok {
			return val, nil
		}
	}
	for t := typeOf(v); t != nil; t = t.base {
		if get := t.getters[name]; get != nil {
			return get(v), nil
		}
		if val, ok := t.constants[name]; ok {
			return val, nil
		}
	}
	if m := methodOf(v, name); m != nil {
		return &method{self: v, fn: m}, nil
	}
	return nil, errNoAttr(v, name)
}

func methodOf(v Value, name string) *Builtin {
	if _, ok := v.(*Type); ok {
		return nil
	}
	return typeOf(v).method(name)
}

// attr gives an attribute of a class: its name, what belongs to it, or a
// method that wants its value as the first argument.
func (t *Type) attr(name string) (Value, bool) {
	if name == "__name__" {
		return t.name, true
	}
	for k := t; k != nil; k = k.base {
		if v, ok := k.statics[name]; ok {
			return v, true
		}
		if v, ok := k.constants[name]; ok {
			return v, true
		}
		if m := k.methods[name]; m != nil {
			return &Builtin{
				name: m.name, params: m.params, required: m.required | 1, byPos: m.byPos, byName: m.byName,
				rest: m.rest, named: m.named, mutates: m.mutates, fn: k.guard(m),
			}, true
		}
	}
	return nil, false
}

// guard lets a method that was read from its class check its first argument.
func (t *Type) guard(m *Builtin) func(ev *eval, a []Value) (Value, error) {
	return func(ev *eval, a []Value) (Value, error) {
		if !typeOf(a[0]).is(t) {
			return nil, raise(excTypeError, "descriptor '%s' for '%s' objects doesn't apply to a '%s' object", m.name, t.name, TypeName(a[0]))
		}
		return m.fn(ev, a)
	}
}

func errNoAttr(v Value, name string) error {
	if _, ok := v.(*Dict); ok {
		return raise(excAttributeError, "%s", name)
	}
	if m, ok := v.(*Module); ok {
		return raise(excAttributeError, "module '%s' has no attribute '%s'", m.name, name)
	}
	return raise(excAttributeError, "'%s' object has no attribute '%s'", TypeName(v), name)
}

// setAttr sets a key of a dictionary; nothing else has attributes to set.
func (ev *eval) setAttr(v Value, name string, val Value) error {
	d, ok := v.(*Dict)
	if !ok {
		return raise(excAttributeError, "'%s' object has no attribute '%s' to set", TypeName(v), name)
	}
	if err := ev.grow(entryCost); err != nil {
		return err
	}
	d.SetString(name, val)
	return nil
}
