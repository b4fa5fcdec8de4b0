package expr

// name compiles the use of a name: a slot, or a variable of the program,
// which hides a builtin of the same name.
func (c *compiler) name(x *nameExpr) code {
	name := x.name
	r := c.resolve(name)
	if !r.global {
		return loadSlot(r, name)
	}
	c.names[name] = true
	builtin, ok := c.world.builtin(name, c.block)
	if !ok {
		c.outsideName()
	}
	return func(fr *frame) (Value, error) {
		if v, ok := fr.ev.scope.Get(name); ok {
			return v, nil
		}
		if ok && !fr.ev.bare {
			return builtin, nil
		}
		return nil, errName(name)
	}
}

func errName(name string) error {
	if hint, ok := missingNames[name]; ok {
		return raise(excNameError, "name '%s' is not defined; %s", name, hint)
	}
	return raise(excNameError, "name '%s' is not defined", name)
}

// missingNames says what to use instead of builtins that are not offered.
var missingNames = map[string]string{
	"map":        "write [f(x) for x in xs]",
	"filter":     "write [x for x in xs if test(x)]",
	"chr":        "write the character, or use a format such as '{:c}'",
	"hex":        "write f'{n:x}'",
	"oct":        "write f'{n:o}'",
	"bin":        "write f'{n:b}'",
	"divmod":     "write (a // b, a % b)",
	"getattr":    "write value.name or value['name']",
	"hasattr":    "write 'name' in value",
	"open":       "there is no access to files",
	"eval":       "there is no evaluation of text",
	"exec":       "there is no evaluation of text",
	"compile":    "there is no evaluation of text",
	"__import__": "use an import statement in a code task",
	"true":       "write True",
	"false":      "write False",
	"null":       "write None",
}

// loadSlot reads a local variable.
func loadSlot(r ref, name string) code {
	slot := r.slot
	switch r.hops {
	case 0:
		return func(fr *frame) (Value, error) {
			v := fr.slots[slot]
			if isUnbound(v) {
				return nil, errUnbound(name)
			}
			return v, nil
		}
	case 1:
		return func(fr *frame) (Value, error) {
			v := fr.parent.slots[slot]
			if isUnbound(v) {
				return nil, errUnbound(name)
			}
			return v, nil
		}
	}
	return func(fr *frame) (Value, error) {
		v := fr.up(r.hops).slots[slot]
		if isUnbound(v) {
			return nil, errUnbound(name)
		}
		return v, nil
	}
}

func (fr *frame) up(hops int) *frame {
	for ; hops > 0; hops-- {
		fr = fr.parent
	}
	return fr
}

func errUnbound(name string) error {
	return raise(excUnboundLocalError, "cannot access local variable '%s' where it is not associated with a value", name)
}

// A store assigns a value to a target.
type store func(fr *frame, v Value) error

// storeName compiles the assignment to a name.
func (c *compiler) storeName(name string) store {
	r := c.resolve(name)
	if r.global {
		c.outsideName()
		return func(fr *frame, v Value) error {
			fr.ev.scope.Set(name, v)
			return nil
		}
	}
	slot := r.slot
	if r.hops == 0 {
		return func(fr *frame, v Value) error {
			fr.slots[slot] = v
			return nil
		}
	}
	c.changes() // of a variable of another function
	return func(fr *frame, v Value) error {
		fr.up(r.hops).slots[slot] = v
		return nil
	}
}

// walrus compiles `name := x`, which assigns in the function around the
// comprehension it stands in.
func (c *compiler) walrus(x *walrusExpr) code {
	val := c.expr(x.x)
	s := c.scope
	for s.comp {
		if _, ok := s.slots[x.name]; ok {
			c.fail(x.pos, "assignment expression cannot rebind comprehension iteration variable '"+x.name+"'")
		}
		s = s.outer
	}
	if s.slots == nil {
		c.changes()
	}
	set := c.storeName(x.name)
	return func(fr *frame) (Value, error) {
		v, err := val(fr)
		if err != nil {
			return nil, err
		}
		return v, set(fr, v)
	}
}

// deleteName compiles `del name`.
func (c *compiler) deleteName(name string) action {
	r := c.resolve(name)
	if r.global {
		return func(fr *frame) (flow, error) {
			if _, ok := fr.ev.scope.Get(name); !ok {
				return flowNext, errName(name)
			}
			fr.ev.scope.Delete(name)
			return flowNext, nil
		}
	}
	return func(fr *frame) (flow, error) {
		slots := fr.up(r.hops).slots
		if isUnbound(slots[r.slot]) {
			return flowNext, errUnbound(name)
		}
		slots[r.slot] = unbound
		return flowNext, nil
	}
}
