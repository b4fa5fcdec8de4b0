package expr

// suite reads the body of a compound statement:
//
//	suite: ':' (simple_line | NEWLINE INDENT {statement} DEDENT)
func (p *parser) suite() []statement {
	p.expect(":")
	if p.peek().kind != tokNewline {
		return p.simpleLine(nil)
	}
	p.i++
	if p.peek().kind != tokIndent {
		p.fail(p.peek().pos, "expected an indented block")
	}
	p.i++
	var body []statement
	for p.peek().kind != tokDedent {
		body = p.statement(body)
	}
	p.i++
	return body
}

// loopBody reads a suite in which break and continue are allowed.
func (p *parser) loopBody() []statement {
	was := p.inLoop
	p.inLoop = true
	body := p.suite()
	p.inLoop = was
	return body
}

func (p *parser) orElse() []statement {
	if p.accept("else") {
		return p.suite()
	}
	return nil
}

// ifStatement reads
//
//	'if' named suite {'elif' named suite} ['else' suite]
func (p *parser) ifStatement(ln line) statement {
	s := &ifStmt{line: ln}
	p.expect("if")
	for {
		s.tests = append(s.tests, p.named())
		s.bodies = append(s.bodies, p.suite())
		if !p.accept("elif") {
			break
		}
	}
	s.orelse = p.orElse()
	return s
}

// while reads
//
//	'while' named suite ['else' suite]
func (p *parser) while(ln line) statement {
	p.expect("while")
	s := &whileStmt{line: ln, test: p.named()}
	s.body = p.loopBody()
	s.orelse = p.orElse()
	return s
}

// forStatement reads
//
//	'for' targets 'in' expressions suite ['else' suite]
func (p *parser) forStatement(ln line) statement {
	p.expect("for")
	s := &forStmt{line: ln, target: p.targets()}
	p.expect("in")
	s.iter = p.value()
	s.body = p.loopBody()
	s.orelse = p.orElse()
	return s
}

// try reads
//
//	'try' suite {'except' [expression ['as' NAME]] suite} ['else' suite] ['finally' suite]
func (p *parser) try(ln line) statement {
	at := p.expect("try")
	s := &tryStmt{line: ln, body: p.suite()}
	for p.is("except") {
		h := handler{line: p.line(p.peek().pos)}
		p.i++
		if t := p.peek(); p.is("*") {
			p.unsupported(t.pos, "`except*` is", "use except")
		}
		if !p.is(":") {
			h.kind = p.expression()
			if p.accept("as") {
				h.name = p.name()
			}
		}
		h.body = p.suite()
		if n := len(s.handlers); n > 0 && s.handlers[n-1].kind == nil {
			p.fail(at, "default 'except:' must be last")
		}
		s.handlers = append(s.handlers, h)
	}
	if len(s.handlers) > 0 {
		s.orelse = p.orElse()
	}
	if p.accept("finally") {
		s.finally = p.suite()
	}
	if len(s.handlers) == 0 && s.finally == nil {
		p.fail(p.peek().pos, "expected 'except' or 'finally' block")
	}
	return s
}

// decorated reads
//
//	{'@' named NEWLINE} def
func (p *parser) decorated(ln line) statement {
	var decorators []expression
	for p.accept("@") {
		decorators = append(decorators, p.named())
		if p.peek().kind != tokNewline {
			p.unexpected()
		}
		p.i++
	}
	if !p.is("def") {
		p.unexpected()
	}
	return p.def(ln, decorators)
}

// def reads
//
//	'def' NAME '(' parameters ')' ['->' annotation] suite
func (p *parser) def(ln line, decorators []expression) statement {
	p.expect("def")
	fn := &function{name: p.name()}
	p.expect("(")
	p.parameters(fn, ")", true)
	if p.accept("->") {
		p.expression() // annotations mean nothing here
	}
	inFunc, inLoop := p.inFunc, p.inLoop
	p.inFunc, p.inLoop = true, false
	fn.body = p.suite()
	p.inFunc, p.inLoop = inFunc, inLoop
	return &defStmt{ln, fn, decorators}
}
