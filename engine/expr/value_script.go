package expr

// A Func is a function of a script, made by def or lambda.
type Func struct {
	code     *funcCode
	defaults []Value // of the last parameters by position
	keywords []Value // defaults of those by name, absent where there is none
	frame    *frame  // in which it was made
	home     *homeMark
	shared   bool // a default can be changed
}

// A funcCode is what a def or lambda compiles to.
type funcCode struct {
	name      string
	params    []string // by position, in the first slots
	posOnly   int
	keywords  []string // by name only, in the slots after
	rest      bool     // *rest and **named, in the slots after
	named     bool
	plain     bool // parameters by position only
	generator bool
	info      *frameInfo
	body      code
}

func (f *Func) class() *Type          { return typeFunction }
func (f *Func) hashKey() (any, error) { return f, nil }

func (f *Func) repr(p *printer) error {
	return p.text("<function " + f.code.name + ">")
}

// A homeMark tells evaluations apart.
type homeMark struct{ _ byte }

// mark gives the mark of this evaluation.
func (ev *eval) mark() *homeMark {
	if ev.home == nil {
		ev.home = &homeMark{}
	}
	return ev.home
}

// mayRun refuses code of an earlier evaluation that would change variables
// of that evaluation, which others may be reading by now.
func (ev *eval) mayRun(info *frameInfo, home *homeMark) error {
	if home != ev.home && info.mutates && info.outside {
		return raise(excRuntimeError, "a function of an earlier task cannot change variables; define it in the task that calls it")
	}
	return nil
}

// enter counts a call.
func (ev *eval) enter() error {
	if ev.depth >= ev.limits.Depth {
		return &LimitError{What: "call depth", Limit: int64(ev.limits.Depth)}
	}
	ev.depth++
	return ev.step()
}

func (ev *eval) leave() { ev.depth-- }

// run calls a function whose parameters are in their slots.
func (ev *eval) run(f *Func, slots []Value) (Value, error) {
	if f.home != ev.home {
		if err := ev.visit(f, slots); err != nil {
			return nil, err
		}
	}
	if err := ev.grow(len(slots) * itemCost); err != nil {
		return nil, err
	}
	fr := &frame{ev: ev, parent: f.frame, slots: slots}
	if f.code.generator {
		return newGenerator(fr, f), nil
	}
	if err := ev.enter(); err != nil {
		return nil, err
	}
	v, err := f.code.body(fr)
	ev.leave()
	return v, err
}

// visit prepares the call of a function that was made by another evaluation.
// What it changes must belong to this one: its arguments do if the program
// is known to change what it is given, else they are copied.
func (ev *eval) visit(f *Func, slots []Value) error {
	info := f.code.info
	if f.shared && info.mutates {
		info = &frameInfo{mutates: true, outside: true}
	}
	if err := ev.mayRun(info, f.home); err != nil {
		return err
	}
	if info.mutates && !ev.mutating {
		for i, v := range slots {
			slots[i] = Copy(v)
		}
	}
	return nil
}

// callFunc sorts the arguments to the parameters and calls.
func (ev *eval) callFunc(f *Func, args callArgs) (Value, error) {
	c := f.code
	slots := newSlots(c.info.size)
	n := copy(slots[:len(c.params)], args.pos)
	next := len(c.params) + len(c.keywords)
	if c.rest {
		slots[next] = Tuple(args.pos[n:])
		next++
	} else if len(args.pos) > n {
		return nil, raise(excTypeError, "%s() takes %d positional arguments but %d were given", c.name, len(c.params), len(args.pos))
	}
	var more *Dict
	if c.named {
		more = NewDict()
		slots[next] = more
	}
	for _, a := range args.named {
		i := c.position(a.name)
		switch {
		case i >= 0 && !isUnbound(slots[i]):
			return nil, raise(excTypeError, "%s() got multiple values for argument '%s'", c.name, a.name)
		case i >= 0:
			slots[i] = a.val
		case more != nil:
			more.SetString(a.name, a.val)
		default:
			return nil, raise(excTypeError, "%s() got an unexpected keyword argument '%s'", c.name, a.name)
		}
	}
	if err := f.fillDefaults(slots); err != nil {
		return nil, err
	}
	return ev.run(f, slots)
}

// position gives the slot of a parameter that can be named, or -1.
func (c *funcCode) position(name string) int {
	if i := indexOf(c.params, name); i >= c.posOnly {
		return i
	}
	if i := indexOf(c.keywords, name); i >= 0 {
		return len(c.params) + i
	}
	return -1
}

func (f *Func) fillDefaults(slots []Value) error {
	c := f.code
	firstDefault := len(c.params) - len(f.defaults)
	for i, name := range c.params {
		if !isUnbound(slots[i]) {
			continue
		}
		if i < firstDefault {
			return raise(excTypeError, "%s() missing 1 required positional argument: '%s'", c.name, name)
		}
		slots[i] = f.defaults[i-firstDefault]
	}
	for i, name := range c.keywords {
		slot := len(c.params) + i
		if !isUnbound(slots[slot]) {
			continue
		}
		if !given(f.keywords[i]) {
			return raise(excTypeError, "%s() missing 1 required keyword-only argument: '%s'", c.name, name)
		}
		slots[slot] = f.keywords[i]
	}
	return nil
}
