package expr

import "fmt"

// suite compiles statements that run one after the other.
func (c *compiler) suite(body []statement) action {
	actions := make([]action, len(body))
	for i, s := range body {
		actions[i] = c.statement(s)
	}
	if len(actions) == 1 {
		return actions[0]
	}
	return func(fr *frame) (flow, error) {
		for _, a := range actions {
			if f, err := a(fr); err != nil || f != flowNext {
				return f, err
			}
		}
		return flowNext, nil
	}
}

// blockValue compiles a whole block so that it gives its value: that of a
// last expression, or of a last assignment that begins with a name. The
// value becomes one more target.
func (c *compiler) blockValue(body []statement) code {
	if n := len(body); n > 0 {
		switch s := body[n-1].(type) {
		case *exprStmt:
			body[n-1] = &assignStmt{s.line, []expression{&resultExpr{s.x.at()}}, s.x}
		case *assignStmt:
			if _, ok := s.targets[0].(*nameExpr); ok {
				s.targets = append(s.targets, &resultExpr{s.targets[0].at()})
			}
		}
	}
	run := c.suite(body)
	return func(fr *frame) (Value, error) {
		_, err := run(fr)
		return fr.result, err
	}
}

// statement compiles a statement so that it counts as a step, and errors
// know its line.
func (c *compiler) statement(s statement) action {
	run, ln := c.simple(s), s.lineNo()
	return func(fr *frame) (flow, error) {
		err := fr.ev.step()
		if err == nil {
			var f flow
			if f, err = run(fr); err == nil {
				return f, nil
			}
		}
		return flowNext, atLine(err, ln)
	}
}

// atLine notes the line in an error that has none yet.
func atLine(err error, ln int) error {
	switch e := err.(type) {
	case *Exc:
		if e.line == 0 {
			e.line = ln
		}
	case *LimitError:
		if e.Line == 0 {
			e.Line = ln
		}
	}
	return err
}

func (c *compiler) simple(s statement) action {
	switch s := s.(type) {
	case *exprStmt:
		return c.exprStatement(s)
	case *assignStmt:
		return c.assign(s)
	case *augStmt:
		return c.augmented(s)
	case *delStmt:
		return c.del(s)
	case *passStmt:
		return func(*frame) (flow, error) { return flowNext, nil }
	case *breakStmt:
		return func(*frame) (flow, error) { return flowBreak, nil }
	case *continueStmt:
		return func(*frame) (flow, error) { return flowContinue, nil }
	case *returnStmt:
		return c.returnStatement(s)
	case *raiseStmt:
		return c.raise(s)
	case *assertStmt:
		return c.assert(s)
	case *ifStmt:
		return c.ifStatement(s)
	case *whileStmt:
		return c.while(s)
	case *forStmt:
		return c.forStatement(s)
	case *tryStmt:
		return c.try(s)
	case *defStmt:
		return c.def(s)
	case *scopeStmt:
		return c.scopeStatement(s)
	case *importStmt:
		return c.importStatement(s)
	}
	panic(fmt.Sprintf("statement %T is not compiled", s))
}

func (c *compiler) exprStatement(s *exprStmt) action {
	x := c.expr(s.x)
	return func(fr *frame) (flow, error) {
		_, err := x(fr)
		return flowNext, err
	}
}

func (c *compiler) returnStatement(s *returnStmt) action {
	x := c.optional(s.x)
	return func(fr *frame) (flow, error) {
		v, err := x(fr)
		fr.result = v
		return flowReturn, err
	}
}

func (c *compiler) assert(s *assertStmt) action {
	test, msg, given := c.expr(s.test), c.optional(s.msg), s.msg != nil
	return func(fr *frame) (flow, error) {
		v, err := test(fr)
		if err != nil || Truth(v) {
			return flowNext, err
		}
		e := &Exc{kind: excAssertionError}
		if given {
			if v, err = msg(fr); err != nil {
				return flowNext, err
			}
			e.args = Tuple{v}
		}
		return flowNext, e
	}
}

func (c *compiler) ifStatement(s *ifStmt) action {
	tests := c.exprs(s.tests)
	bodies := make([]action, len(s.bodies))
	for i, b := range s.bodies {
		bodies[i] = c.suite(b)
	}
	orelse := c.suite(s.orelse)
	return func(fr *frame) (flow, error) {
		for i, test := range tests {
			v, err := test(fr)
			if err != nil {
				return flowNext, err
			}
			if Truth(v) {
				return bodies[i](fr)
			}
		}
		return orelse(fr)
	}
}

func (c *compiler) while(s *whileStmt) action {
	test, body, orelse := c.expr(s.test), c.suite(s.body), c.suite(s.orelse)
	return func(fr *frame) (flow, error) {
		for {
			if err := fr.ev.step(); err != nil {
				return flowNext, err
			}
			v, err := test(fr)
			if err != nil {
				return flowNext, err
			}
			if !Truth(v) {
				return orelse(fr)
			}
			switch f, err := body(fr); {
			case err != nil || f == flowReturn:
				return f, err
			case f == flowBreak:
				return flowNext, nil
			}
		}
	}
}

func (c *compiler) forStatement(s *forStmt) action {
	source := c.expr(s.iter)
	set, body, orelse := c.store(s.target), c.suite(s.body), c.suite(s.orelse)
	return func(fr *frame) (flow, error) {
		v, err := source(fr)
		if err != nil {
			return flowNext, err
		}
		it, err := fr.ev.iterate(v)
		if err != nil {
			return flowNext, err
		}
		for {
			if err := fr.ev.step(); err != nil {
				return flowNext, err
			}
			v, ok, err := it.next(fr.ev)
			if err != nil {
				return flowNext, err
			}
			if !ok {
				return orelse(fr)
			}
			if err := set(fr, v); err != nil {
				return flowNext, err
			}
			switch f, err := body(fr); {
			case err != nil || f == flowReturn:
				return f, err
			case f == flowBreak:
				return flowNext, nil
			}
		}
	}
}

// importStatement compiles an import. A module or name that does not exist
// is a warning here and an error when it is reached.
func (c *compiler) importStatement(s *importStmt) action {
	m, ok := c.world.modules[s.module]
	if !ok {
		msg := "No module named '" + s.module + "'"
		c.warnings = append(c.warnings, Warning{Line: s.lineNo(), Msg: msg + "; " + c.world.moduleHint()})
		return func(*frame) (flow, error) {
			return flowNext, raise(excModuleNotFoundError, "%s", msg)
		}
	}
	if s.names == nil {
		v := Value(m)
		if s.as == "" {
			v = c.world.modules[s.boundName()]
		}
		set := c.storeName(s.boundName())
		return func(fr *frame) (flow, error) { return flowNext, set(fr, v) }
	}
	var sets []func(fr *frame) error
	for _, n := range s.names {
		v, ok := m.names[n.name]
		if sub, isModule := c.world.modules[s.module+"."+n.name]; isModule {
			v, ok = sub, true
		}
		if !ok {
			msg := "cannot import name '" + n.name + "' from '" + s.module + "'"
			c.warnings = append(c.warnings, Warning{Line: s.lineNo(), Msg: msg})
			sets = append(sets, func(*frame) error { return raise(excImportError, "%s", msg) })
			continue
		}
		set := c.storeName(n.as)
		sets = append(sets, func(fr *frame) error { return set(fr, v) })
	}
	return func(fr *frame) (flow, error) {
		for _, set := range sets {
			if err := set(fr); err != nil {
				return flowNext, err
			}
		}
		return flowNext, nil
	}
}

// boundName gives the name that `import a.b` binds: a, unless it is renamed.
func (s *importStmt) boundName() string {
	if s.as != "" {
		return s.as
	}
	for i := range len(s.module) {
		if s.module[i] == '.' {
			return s.module[:i]
		}
	}
	return s.module
}
