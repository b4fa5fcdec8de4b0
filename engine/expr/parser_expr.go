package expr

// expressions reads
//
//	expressions: star_expression {',' star_expression} [',']
//
// where a comma makes a tuple.
func (p *parser) expressions() expression {
	first := p.starExpression()
	if !p.is(",") {
		if s, ok := first.(*starExpr); ok {
			p.fail(s.pos, "can't use starred expression here")
		}
		return first
	}
	items := []expression{first}
	for p.accept(",") && p.startsExpression() {
		items = append(items, p.starExpression())
	}
	return &tupleExpr{first.at(), items}
}

// startsExpression reports whether the next token may begin an expression.
func (p *parser) startsExpression() bool {
	switch t := p.peek(); t.kind {
	case tokName, tokNumber, tokString:
		return true
	case tokKeyword:
		switch t.text {
		case "None", "True", "False", "not", "lambda", "await", "yield":
			return true
		}
	case tokOp:
		switch t.text {
		case "(", "[", "{", "-", "+", "~", "*", "...":
			return true
		}
	}
	return false
}

// starExpression reads
//
//	star_expression: '*' or_expr | named
func (p *parser) starExpression() expression {
	if t := p.peek(); p.accept("*") {
		return &starExpr{t.pos, p.binary(precOr)}
	}
	return p.expression()
}

// starNamed reads an item of a list, set or tuple in brackets.
func (p *parser) starNamed() expression {
	if p.is("*") {
		return p.starExpression()
	}
	return p.named()
}

// named reads
//
//	named: NAME ':=' expression | expression
func (p *parser) named() expression {
	t := p.peek()
	if t.kind == tokName && p.tokens[p.i+1].text == ":=" && p.tokens[p.i+1].kind == tokOp {
		p.i += 2
		return &walrusExpr{t.pos, t.text, p.expression()}
	}
	return p.expression()
}

// expression reads
//
//	expression: disjunction ['if' disjunction 'else' expression] | lambda
func (p *parser) expression() expression {
	p.deeper()
	defer func() { p.depth-- }()
	if p.is("lambda") {
		return p.lambda()
	}
	x := p.disjunction()
	if !p.accept("if") {
		return x
	}
	test := p.disjunction()
	if !p.is("else") {
		p.hint(p.peek().pos, "expected 'else' after 'if' expression", "write x if test else y")
	}
	p.expect("else")
	return &condExpr{x.at(), test, x, p.expression()}
}

// disjunction reads
//
//	disjunction: conjunction {'or' conjunction}
//	conjunction: inversion {'and' inversion}
func (p *parser) disjunction() expression {
	return p.logic("or", func() expression { return p.logic("and", p.inversion) })
}

func (p *parser) logic(word string, operand func() expression) expression {
	x := operand()
	if !p.is(word) {
		return x
	}
	xs := []expression{x}
	for p.accept(word) {
		xs = append(xs, operand())
	}
	return &logicExpr{x.at(), word == "or", xs}
}

// inversion reads
//
//	inversion: 'not' inversion | comparison
func (p *parser) inversion() expression {
	t := p.peek()
	if !p.accept("not") {
		return p.comparison()
	}
	p.deeper()
	defer func() { p.depth-- }()
	return &unaryExpr{t.pos, opNot, p.inversion()}
}

// comparison reads
//
//	comparison: or_expr {('<' | '==' | 'in' | 'is' ['not'] | ...) or_expr}
func (p *parser) comparison() expression {
	first := p.binary(precOr)
	op, ok := p.compareOp()
	if !ok {
		return first
	}
	c := &compareExpr{pos: first.at(), first: first}
	for ok {
		c.ops = append(c.ops, op)
		c.rest = append(c.rest, p.binary(precOr))
		op, ok = p.compareOp()
	}
	return c
}

func (p *parser) compareOp() (compareOp, bool) {
	t := p.peek()
	switch t.kind {
	case tokOp:
		for op := opEq; op <= opGe; op++ {
			if t.text == op.String() {
				p.i++
				return op, true
			}
		}
	case tokKeyword:
		switch t.text {
		case "in":
			p.i++
			return opIn, true
		case "is":
			p.i++
			if p.accept("not") {
				return opIsNot, true
			}
			return opIs, true
		case "not":
			if n := p.tokens[p.i+1]; n.kind == tokKeyword && n.text == "in" {
				p.i += 2
				return opNotIn, true
			}
		}
	}
	return 0, false
}

// Precedences of the binary operators, loosest first.
const (
	precOr = iota
	precXor
	precAnd
	precShift
	precSum
	precProduct
	precUnary
)

var binaryOps = [precUnary]map[string]binaryOp{
	precOr:      {"|": opOr},
	precXor:     {"^": opXor},
	precAnd:     {"&": opAnd},
	precShift:   {"<<": opShl, ">>": opShr},
	precSum:     {"+": opAdd, "-": opSub},
	precProduct: {"*": opMul, "/": opDiv, "//": opFloorDiv, "%": opMod, "@": opMatMul},
}

// binary reads
//
//	or_expr: xor {'|' xor}, and so on down to factor
func (p *parser) binary(prec int) expression {
	if prec == precUnary {
		return p.factor()
	}
	x := p.binary(prec + 1)
	for n := 0; ; n++ {
		t := p.peek()
		op, ok := binaryOps[prec][t.text]
		if !ok || t.kind != tokOp {
			return x
		}
		p.chain(n)
		p.i++
		x = &binaryExpr{x.at(), op, x, p.binary(prec + 1)}
	}
}

// factor reads
//
//	factor: ('+' | '-' | '~') factor | power
//	power:  primary ['**' factor]
func (p *parser) factor() expression {
	t := p.peek()
	if t.kind == tokOp {
		if i := indexOf([]string{"-", "+", "~"}, t.text); i >= 0 {
			p.i++
			p.deeper()
			defer func() { p.depth-- }()
			return &unaryExpr{t.pos, unaryOp(i), p.factor()}
		}
	}
	x := p.primary()
	if !p.accept("**") {
		return x
	}
	p.deeper()
	defer func() { p.depth-- }()
	return &binaryExpr{x.at(), opPow, x, p.factor()}
}

func indexOf(words []string, s string) int {
	for i, w := range words {
		if w == s {
			return i
		}
	}
	return -1
}

// primary reads
//
//	primary: atom {'.' NAME | '(' arguments ')' | '[' subscript ']'}
func (p *parser) primary() expression {
	x := p.atom()
	for n := 0; ; n++ {
		p.chain(n)
		t := p.peek()
		switch {
		case p.accept("."):
			if p.peek().kind == tokKeyword {
				p.hint(p.peek().pos, "`"+p.peek().text+"` cannot be an attribute", "write ['"+p.peek().text+"']")
			}
			x = &attrExpr{t.pos, x, p.name()}
		case p.accept("("):
			x = &callExpr{t.pos, x, p.arguments()}
		case p.accept("["):
			x = &indexExpr{t.pos, x, p.subscript()}
		default:
			return x
		}
	}
}

// subscript reads
//
//	subscript: slice {',' slice} [',']
//	slice:     [expression] ':' [expression] [':' [expression]] | named
func (p *parser) subscript() expression {
	start := p.peek().pos
	first := p.slice()
	if p.accept("]") {
		return first
	}
	items := []expression{first}
	for p.accept(",") {
		if p.is("]") {
			break
		}
		items = append(items, p.slice())
	}
	p.expect("]")
	return &tupleExpr{start, items}
}

func (p *parser) slice() expression {
	start := p.peek().pos
	part := func() expression {
		if p.is(":") || p.is("]") || p.is(",") {
			return nil
		}
		return p.expression()
	}
	var low expression
	if !p.is(":") {
		low = p.starNamed()
	}
	if !p.accept(":") {
		return low
	}
	s := &sliceExpr{pos: start, low: low, high: part()}
	if p.accept(":") {
		s.step = part()
	}
	return s
}
