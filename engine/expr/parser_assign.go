package expr

import "strings"

// assignment reads an expression, or one of
//
//	target {'=' target} '=' value
//	target op'=' value
//	target ':' annotation ['=' value]
func (p *parser) assignment(ln line) statement {
	x := p.value()
	t := p.peek()
	if t.kind != tokOp {
		return &exprStmt{ln, x}
	}
	switch {
	case t.text == "=":
		s := &assignStmt{line: ln}
		for p.accept("=") {
			p.checkTarget(x, true)
			s.targets = append(s.targets, x)
			x = p.value()
		}
		s.x = x
		return s
	case t.text == ":":
		p.i++
		p.checkTarget(x, false)
		p.expression() // annotations mean nothing here
		s := &assignStmt{line: ln, targets: []expression{x}}
		if p.accept("=") {
			s.x = p.value()
		}
		return s
	case strings.HasSuffix(t.text, "=") && indexOf(binaryText[:], strings.TrimSuffix(t.text, "=")) >= 0:
		p.i++
		p.checkTarget(x, false)
		op := binaryOp(indexOf(binaryText[:], strings.TrimSuffix(t.text, "=")))
		return &augStmt{ln, x, op, p.value()}
	}
	return &exprStmt{ln, x}
}

// value reads
//
//	value: yield | expressions
func (p *parser) value() expression {
	if p.is("yield") {
		return p.yield()
	}
	if t := p.peek(); p.is("*") {
		// `*rest, last = xs`; alone a star is no value.
		x := p.starExpression()
		if !p.is(",") {
			p.fail(t.pos, "can't use starred expression here")
		}
		items := []expression{x}
		for p.accept(",") && p.startsExpression() {
			items = append(items, p.starExpression())
		}
		return &tupleExpr{t.pos, items}
	}
	return p.expressions()
}

// targets reads the targets of a for, up to its `in`:
//
//	targets: target {',' target} [',']
func (p *parser) targets() expression {
	start := p.peek().pos
	x := p.target()
	if p.is(",") {
		items := []expression{x}
		for p.accept(",") && !p.is("in") {
			items = append(items, p.target())
		}
		x = &tupleExpr{start, items}
	}
	p.checkTarget(x, true)
	return x
}

func (p *parser) target() expression {
	if t := p.peek(); p.accept("*") {
		return &starExpr{t.pos, p.primary()}
	}
	return p.primary()
}

// checkTarget requires something that can be assigned to; a list of targets
// only where several are allowed.
func (p *parser) checkTarget(x expression, several bool) {
	switch x := x.(type) {
	case *nameExpr, *attrExpr, *indexExpr:
		return
	case *tupleExpr:
		if several {
			p.checkTargets(x.items)
			return
		}
	case *listExpr:
		if several {
			p.checkTargets(x.items)
			return
		}
	}
	what := "this expression"
	switch x.(type) {
	case *constExpr, *fstringExpr:
		what = "a literal"
	case *callExpr:
		what = "a function call"
	case *compareExpr:
		what = "a comparison"
	case *binaryExpr, *unaryExpr, *logicExpr:
		what = "an expression"
	case *tupleExpr, *listExpr:
		what = "several targets"
	}
	p.fail(x.at(), "cannot assign to "+what)
}

func (p *parser) checkTargets(items []expression) {
	stars := 0
	for _, item := range items {
		if s, ok := item.(*starExpr); ok {
			stars++
			if stars > 1 {
				p.fail(s.pos, "multiple starred expressions in assignment")
			}
			item = s.x
		}
		p.checkTarget(item, true)
	}
}
