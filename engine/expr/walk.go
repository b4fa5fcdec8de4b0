package expr

// children calls f with the direct parts of an expression. Of a lambda these
// are its defaults: its value belongs to another function.
func children(x expression, f func(expression)) {
	each := func(xs ...expression) {
		for _, x := range xs {
			if x != nil {
				f(x)
			}
		}
	}
	switch x := x.(type) {
	case *fstringExpr:
		eachField(x.parts, f)
	case *unaryExpr:
		f(x.x)
	case *binaryExpr:
		each(x.x, x.y)
	case *logicExpr:
		each(x.xs...)
	case *compareExpr:
		f(x.first)
		each(x.rest...)
	case *condExpr:
		each(x.test, x.yes, x.no)
	case *lambdaExpr:
		for _, p := range append(x.fn.params[:len(x.fn.params):len(x.fn.params)], x.fn.keywords...) {
			each(p.def)
		}
	case *callExpr:
		f(x.fn)
		for _, a := range x.args {
			f(a.x)
		}
	case *attrExpr:
		f(x.x)
	case *indexExpr:
		each(x.x, x.key)
	case *sliceExpr:
		each(x.low, x.high, x.step)
	case *listExpr:
		each(x.items...)
	case *tupleExpr:
		each(x.items...)
	case *setExpr:
		each(x.items...)
	case *dictExpr:
		each(x.keys...)
		each(x.vals...)
	case *starExpr:
		f(x.x)
	case *walrusExpr:
		f(x.x)
	case *yieldExpr:
		each(x.x)
	case *compExpr:
		each(x.item, x.val)
		for _, c := range x.clauses {
			each(c.target, c.iter, c.test)
		}
	}
}

func eachField(parts []fstringPart, f func(expression)) {
	for _, p := range parts {
		if p.x != nil {
			f(p.x)
			eachField(p.spec, f)
		}
	}
}

// contains reports whether x or a part of it is as wanted.
func contains(x expression, wanted func(expression) bool) bool {
	if x == nil {
		return false
	}
	if wanted(x) {
		return true
	}
	found := false
	children(x, func(part expression) {
		found = found || contains(part, wanted)
	})
	return found
}

// A binder collects the names that a function's body assigns to.
type binder struct {
	names   []string
	seen    map[string]bool
	foreign map[string]bool // declared global or nonlocal
	yields  bool
}

func newBinder() *binder {
	return &binder{seen: map[string]bool{}, foreign: map[string]bool{}}
}

func (b *binder) bind(name string) {
	if name != "" && !b.seen[name] {
		b.seen[name] = true
		b.names = append(b.names, name)
	}
}

// expression finds `:=`, which binds in the function even from within a
// comprehension, and yield.
func (b *binder) expression(x expression) {
	if x == nil {
		return
	}
	switch x := x.(type) {
	case *walrusExpr:
		b.bind(x.name)
	case *yieldExpr:
		b.yields = true
	}
	children(x, b.expression)
}

func (b *binder) target(x expression) {
	switch x := x.(type) {
	case *nameExpr:
		b.bind(x.name)
	case *starExpr:
		b.target(x.x)
	case *tupleExpr:
		for _, item := range x.items {
			b.target(item)
		}
	case *listExpr:
		for _, item := range x.items {
			b.target(item)
		}
	default:
		b.expression(x)
	}
}

func (b *binder) block(body []statement) {
	for _, s := range body {
		b.statement(s)
	}
}

func (b *binder) statement(s statement) {
	switch s := s.(type) {
	case *exprStmt:
		b.expression(s.x)
	case *assignStmt:
		for _, t := range s.targets {
			b.target(t)
		}
		b.expression(s.x)
	case *augStmt:
		b.target(s.target)
		b.expression(s.x)
	case *delStmt:
		for _, t := range s.targets {
			b.target(t)
		}
	case *returnStmt:
		b.expression(s.x)
	case *raiseStmt:
		b.expression(s.x)
		b.expression(s.from)
	case *assertStmt:
		b.expression(s.test)
		b.expression(s.msg)
	case *ifStmt:
		for i, test := range s.tests {
			b.expression(test)
			b.block(s.bodies[i])
		}
		b.block(s.orelse)
	case *whileStmt:
		b.expression(s.test)
		b.block(s.body)
		b.block(s.orelse)
	case *forStmt:
		b.target(s.target)
		b.expression(s.iter)
		b.block(s.body)
		b.block(s.orelse)
	case *tryStmt:
		b.block(s.body)
		for _, h := range s.handlers {
			b.expression(h.kind)
			b.bind(h.name)
			b.block(h.body)
		}
		b.block(s.orelse)
		b.block(s.finally)
	case *defStmt:
		b.bind(s.fn.name)
		for _, d := range s.decorators {
			b.expression(d)
		}
		children(&lambdaExpr{fn: s.fn}, b.expression)
	case *scopeStmt:
		for _, n := range s.names {
			b.foreign[n] = true
		}
	case *importStmt:
		b.importNames(s)
	}
}

func (b *binder) importNames(s *importStmt) {
	if s.names == nil {
		b.bind(s.boundName())
	}
	for _, n := range s.names {
		b.bind(n.as)
	}
}
