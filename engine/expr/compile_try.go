package expr

// try compiles try, except, else and finally. Only exceptions are handled:
// a limit or the end of the context goes straight through.
func (c *compiler) try(s *tryStmt) action {
	guarded := c.guarded(s)
	if s.finally == nil {
		return guarded
	}
	finally := c.suite(s.finally)
	return func(fr *frame) (flow, error) {
		f, err := guarded(fr)
		if _, ok := err.(*Exc); err != nil && !ok {
			return f, err
		}
		result := fr.result
		switch after, ferr := finally(fr); {
		case ferr != nil:
			return flowNext, ferr
		case after != flowNext:
			return after, nil // return, break and continue override
		}
		fr.result = result
		return f, err
	}
}

// guarded compiles all but finally.
func (c *compiler) guarded(s *tryStmt) action {
	body := c.suite(s.body)
	handlers := make([]except, len(s.handlers))
	for i, h := range s.handlers {
		handlers[i] = c.except(h)
	}
	orelse := c.suite(s.orelse)
	return func(fr *frame) (flow, error) {
		f, err := body(fr)
		if err == nil {
			if f != flowNext {
				return f, nil
			}
			return orelse(fr)
		}
		exc, ok := err.(*Exc)
		if !ok {
			return flowNext, err
		}
		for _, h := range handlers {
			match, err := h.match(fr, exc)
			if err != nil {
				return flowNext, err
			}
			if match {
				return h.handle(fr, exc)
			}
		}
		return flowNext, err
	}
}

// An except is a compiled except clause.
type except struct {
	match  func(fr *frame, exc *Exc) (bool, error)
	handle func(fr *frame, exc *Exc) (flow, error)
}

func (c *compiler) except(h handler) except {
	e := except{match: func(*frame, *Exc) (bool, error) { return true, nil }}
	if h.kind != nil {
		kind := c.expr(h.kind)
		e.match = func(fr *frame, exc *Exc) (bool, error) {
			v, err := kind(fr)
			if err != nil {
				return false, err
			}
			return catches(v, exc)
		}
	}
	var set store
	var unset action
	if h.name != "" {
		set, unset = c.storeName(h.name), c.deleteName(h.name)
	}
	body := c.suite(h.body)
	e.handle = func(fr *frame, exc *Exc) (flow, error) {
		outer := fr.handling
		fr.handling = exc
		defer func() { fr.handling = outer }()
		if set == nil {
			return body(fr)
		}
		if err := set(fr, exc); err != nil {
			return flowNext, err
		}
		f, err := body(fr)
		_, _ = unset(fr) // the body may have deleted the name itself
		return f, err
	}
	return e
}

// catches reports whether an except of the classes v is for the exception.
func catches(v Value, exc *Exc) (bool, error) {
	kinds, ok := v.(Tuple)
	if !ok {
		kinds = Tuple{v}
	}
	for _, k := range kinds {
		t, ok := k.(*Type)
		if !ok || !t.is(excBaseException) {
			return false, raise(excTypeError, "catching classes that do not inherit from BaseException is not allowed")
		}
		if exc.kind.is(t) {
			return true, nil
		}
	}
	return false, nil
}

// raise compiles raise. Without an expression it raises again what is being
// handled.
func (c *compiler) raise(s *raiseStmt) action {
	if s.x == nil {
		return func(fr *frame) (flow, error) {
			if fr.handling == nil {
				return flowNext, raise(excRuntimeError, "No active exception to reraise")
			}
			return flowNext, fr.handling
		}
	}
	x, from := c.expr(s.x), c.optional(s.from)
	return func(fr *frame) (flow, error) {
		exc, err := exception(fr, x)
		if err != nil {
			return flowNext, err
		}
		cause, err := from(fr)
		if err != nil {
			return flowNext, err
		}
		if cause != nil {
			exc.cause, err = toException(fr.ev, cause)
			if err != nil {
				return flowNext, err
			}
		}
		return flowNext, exc
	}
}

func exception(fr *frame, x code) (*Exc, error) {
	v, err := x(fr)
	if err != nil {
		return nil, err
	}
	return toException(fr.ev, v)
}

// toException takes an exception, or makes one of a class.
func toException(ev *eval, v Value) (*Exc, error) {
	switch v := v.(type) {
	case *Exc:
		return v, nil
	case *Type:
		if v.is(excBaseException) {
			return &Exc{kind: v}, nil
		}
	}
	return nil, raise(excTypeError, "exceptions must derive from BaseException")
}
