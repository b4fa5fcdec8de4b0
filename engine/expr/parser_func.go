package expr

// arguments reads what follows the opening parenthesis of a call:
//
//	arguments: [argument {',' argument} [',']] ')'
//	argument:  '*' expression | '**' expression | NAME '=' expression
//	         | named | named comprehension
func (p *parser) arguments() []argument {
	var args []argument
	byName := false
	for !p.accept(")") {
		t := p.peek()
		switch {
		case p.accept("*"):
			args = append(args, argument{stars: 1, x: p.expression()})
		case p.accept("**"):
			byName = true
			args = append(args, argument{stars: 2, x: p.expression()})
		case t.kind == tokName && p.tokens[p.i+1].text == "=" && p.tokens[p.i+1].kind == tokOp:
			for _, a := range args {
				if a.name == t.text {
					p.fail(t.pos, "keyword argument repeated: "+t.text)
				}
			}
			p.i += 2
			byName = true
			args = append(args, argument{name: t.text, x: p.expression()})
		default:
			x := p.named()
			if p.is("for") || p.is("async") {
				x = p.comprehension(t.pos, compGenerator, x, nil)
				if len(args) > 0 || p.is(",") && p.tokens[p.i+1].text != ")" {
					p.fail(t.pos, "Generator expression must be parenthesized")
				}
			}
			if byName {
				p.fail(t.pos, "positional argument follows keyword argument")
			}
			args = append(args, argument{x: x})
		}
		if !p.accept(",") {
			p.expect(")")
			break
		}
	}
	return args
}

// lambda reads
//
//	lambda: 'lambda' parameters ':' expression
func (p *parser) lambda() expression {
	start := p.expect("lambda")
	fn := &function{name: "<lambda>"}
	p.parameters(fn, ":", false)
	inFunc, inLoop := p.inFunc, p.inLoop
	p.inFunc, p.inLoop = true, false
	fn.value = p.expression()
	p.inFunc, p.inLoop = inFunc, inLoop
	return &lambdaExpr{start, fn}
}

// parameters reads up to and with the end token:
//
//	parameters: [parameter {',' parameter} [',']]
//	parameter:  NAME [':' annotation] ['=' expression] | '/' | '*' | '*' NAME | '**' NAME
func (p *parser) parameters(fn *function, end string, annotated bool) {
	seen := map[string]bool{}
	name := func() string {
		at := p.peek().pos
		n := p.name()
		if seen[n] {
			p.fail(at, "duplicate argument '"+n+"' in function definition")
		}
		seen[n] = true
		if annotated && p.accept(":") {
			p.expression() // annotations mean nothing here
		}
		return n
	}
	byName := false
	for !p.accept(end) {
		at := p.peek().pos
		switch {
		case fn.named != "":
			p.fail(at, "arguments cannot follow var-keyword argument")
		case p.accept("**"):
			fn.named = name()
		case p.accept("*"):
			if byName {
				p.fail(at, "* argument may appear only once")
			}
			byName = true
			if !p.is(",") {
				fn.rest = name()
			} else if n := p.tokens[p.i+1]; n.text == end || n.text == "**" {
				p.fail(at, "named arguments must follow bare *")
			}
		case p.accept("/"):
			if byName || fn.posOnly > 0 || len(fn.params) == 0 {
				p.fail(at, "/ must be ahead of *, and follow an argument")
			}
			fn.posOnly = len(fn.params)
		default:
			a := param{name: name()}
			if p.accept("=") {
				a.def = p.expression()
			}
			if byName {
				fn.keywords = append(fn.keywords, a)
				break
			}
			if n := len(fn.params); a.def == nil && n > 0 && fn.params[n-1].def != nil {
				p.fail(at, "parameter without a default follows parameter with a default")
			}
			fn.params = append(fn.params, a)
		}
		if !p.accept(",") {
			p.expect(end)
			return
		}
	}
}

// yield reads
//
//	yield: 'yield' ['from' expression | expressions]
func (p *parser) yield() expression {
	start := p.expect("yield")
	if !p.inFunc {
		p.fail(start, "'yield' outside function")
	}
	if p.accept("from") {
		return &yieldExpr{start, p.expression(), true}
	}
	y := &yieldExpr{pos: start}
	if p.startsExpression() {
		y.x = p.expressions()
	}
	return y
}
