package expr

// parseBlock reads
//
//	source: {statement} EOF
func parseBlock(src string) []statement {
	p := newParser(src, true)
	var body []statement
	for p.peek().kind != tokEOF {
		body = p.statement(body)
	}
	return body
}

// statement reads one line of simple statements, or a compound one, and
// appends it.
func (p *parser) statement(body []statement) []statement {
	p.deeper()
	defer func() { p.depth-- }()
	t := p.peek()
	ln := p.line(t.pos)
	if t.kind == tokKeyword {
		switch t.text {
		case "if":
			return append(body, p.ifStatement(ln))
		case "while":
			return append(body, p.while(ln))
		case "for":
			return append(body, p.forStatement(ln))
		case "try":
			return append(body, p.try(ln))
		case "def":
			return append(body, p.def(ln, nil))
		case "class", "with", "async":
			p.unexpected()
		}
	}
	if t.kind == tokOp && t.text == "@" {
		return append(body, p.decorated(ln))
	}
	p.refuseMatch()
	return p.simpleLine(body)
}

// refuseMatch tells a match statement, whose word is a name elsewhere, by
// the case that follows it.
func (p *parser) refuseMatch() {
	t := p.peek()
	if t.kind != tokName || t.text != "match" && t.text != "type" {
		return
	}
	n := p.tokens[p.i+1]
	if t.text == "type" {
		if n.kind == tokName {
			p.unsupported(t.pos, "`type` statements are", "leave the alias out")
		}
		return
	}
	for i := p.i + 1; i+3 < len(p.tokens) && p.tokens[i].kind != tokNewline; i++ {
		after := p.tokens[i+1:]
		if p.tokens[i].text == ":" && after[0].kind == tokNewline && after[1].kind == tokIndent && after[2].text == "case" {
			p.unsupported(t.pos, "`match` is", "use if and elif")
		}
	}
}

// simpleLine reads
//
//	simple_line: simple {';' simple} [';'] NEWLINE
func (p *parser) simpleLine(body []statement) []statement {
	for {
		body = append(body, p.simple())
		if p.accept(";") && p.peek().kind != tokNewline {
			continue
		}
		if p.peek().kind != tokNewline {
			p.misplaced()
		}
		p.i++
		return body
	}
}

// misplaced explains what stands where a line should end.
func (p *parser) misplaced() {
	t := p.peek()
	prev := p.tokens[max(p.i-1, 0)]
	if prev.kind == tokName && (prev.text == "print" || prev.text == "exec") && t.kind != tokOp {
		p.hint(prev.pos, "missing parentheses in call to '"+prev.text+"'", "write "+prev.text+"(...)")
	}
	p.unexpected()
}

// simple reads one simple statement.
func (p *parser) simple() statement {
	t := p.peek()
	ln := p.line(t.pos)
	if t.kind == tokKeyword {
		switch t.text {
		case "pass":
			p.i++
			return &passStmt{ln}
		case "break", "continue":
			p.i++
			if !p.inLoop {
				p.fail(t.pos, "'"+t.text+"' outside loop")
			}
			if t.text == "break" {
				return &breakStmt{ln}
			}
			return &continueStmt{ln}
		case "return":
			return p.returnStatement(ln)
		case "raise":
			return p.raise(ln)
		case "assert":
			return p.assert(ln)
		case "del":
			return p.del(ln)
		case "global", "nonlocal":
			return p.scopeDeclaration(ln)
		case "import":
			return p.importStatement(ln)
		case "from":
			return p.fromImport(ln)
		}
	}
	return p.assignment(ln)
}

func (p *parser) returnStatement(ln line) statement {
	at := p.expect("return")
	if !p.inFunc {
		p.hint(at, "'return' outside function", "the last expression is the value of the code")
	}
	s := &returnStmt{line: ln}
	if p.startsExpression() {
		s.x = p.expressions()
	}
	return s
}

// raise reads
//
//	'raise' [expression ['from' expression]]
func (p *parser) raise(ln line) statement {
	p.expect("raise")
	s := &raiseStmt{line: ln}
	if p.startsExpression() {
		s.x = p.expression()
		if p.accept("from") {
			s.from = p.expression()
		}
	}
	return s
}

func (p *parser) assert(ln line) statement {
	p.expect("assert")
	s := &assertStmt{line: ln, test: p.expression()}
	if p.accept(",") {
		s.msg = p.expression()
	}
	return s
}

func (p *parser) del(ln line) statement {
	p.expect("del")
	target := p.expressions()
	s := &delStmt{line: ln}
	var add func(x expression)
	add = func(x expression) {
		switch x := x.(type) {
		case *nameExpr, *attrExpr, *indexExpr:
			s.targets = append(s.targets, x)
		case *tupleExpr:
			for _, item := range x.items {
				add(item)
			}
		case *listExpr:
			for _, item := range x.items {
				add(item)
			}
		default:
			p.fail(x.at(), "cannot delete this expression")
		}
	}
	add(target)
	return s
}

func (p *parser) scopeDeclaration(ln line) statement {
	t := p.next()
	s := &scopeStmt{line: ln, nonlocal: t.text == "nonlocal"}
	if s.nonlocal && !p.inFunc {
		p.fail(t.pos, "nonlocal declaration not allowed at module level")
	}
	s.names = append(s.names, p.name())
	for p.accept(",") {
		s.names = append(s.names, p.name())
	}
	return s
}

// importStatement reads
//
//	'import' module ['as' NAME] {',' module ['as' NAME]}
//
// Only the first of several stands on the line; the others become lines.
func (p *parser) importStatement(ln line) statement {
	p.expect("import")
	first := p.importOne(ln)
	if !p.is(",") {
		return first
	}
	// import a, b is two statements; `if True` keeps them together.
	body := []statement{first}
	for p.accept(",") {
		body = append(body, p.importOne(ln))
	}
	return &ifStmt{line: ln, tests: []expression{&constExpr{0, true}}, bodies: [][]statement{body}}
}

func (p *parser) importOne(ln line) statement {
	s := &importStmt{line: ln, module: p.moduleName()}
	if p.accept("as") {
		s.as = p.name()
	}
	return s
}

func (p *parser) moduleName() string {
	if p.is(".") {
		p.unsupported(p.peek().pos, "relative imports are", "import one of the offered modules")
	}
	name := p.name()
	for p.accept(".") {
		name += "." + p.name()
	}
	return name
}

// fromImport reads
//
//	'from' module 'import' ('(' names [','] ')' | names)
//	names: NAME ['as' NAME] {',' NAME ['as' NAME]}
func (p *parser) fromImport(ln line) statement {
	p.expect("from")
	s := &importStmt{line: ln, module: p.moduleName()}
	p.expect("import")
	if p.is("*") {
		p.unsupported(p.peek().pos, "`import *` is", "import the names that are used")
	}
	brackets := p.accept("(")
	for {
		n := importName{name: p.name()}
		n.as = n.name
		if p.accept("as") {
			n.as = p.name()
		}
		s.names = append(s.names, n)
		if !p.accept(",") || brackets && p.is(")") {
			break
		}
	}
	if brackets {
		p.expect(")")
	}
	return s
}
