package expr

// atom reads
//
//	atom: NAME | NUMBER | STRING {STRING} | 'None' | 'True' | 'False' | '...'
//	    | '(' ... ')' | '[' ... ']' | '{' ... '}'
func (p *parser) atom() expression {
	t := p.peek()
	switch t.kind {
	case tokName:
		p.i++
		return &nameExpr{t.pos, t.text}
	case tokNumber:
		p.i++
		return &constExpr{t.pos, t.val}
	case tokString:
		return p.strings()
	case tokKeyword:
		switch t.text {
		case "None":
			p.i++
			return &constExpr{t.pos, nil}
		case "True", "False":
			p.i++
			return &constExpr{t.pos, t.text == "True"}
		}
	case tokOp:
		switch t.text {
		case "(":
			return p.parenthesis()
		case "[":
			return p.list()
		case "{":
			return p.braces()
		case "...":
			p.unsupported(t.pos, "`...` is", "use None")
		}
	}
	p.unexpected()
	return nil
}

// parenthesis reads
//
//	'(' ')' | '(' yield ')' | '(' named ')' | '(' named comprehension ')'
//	| '(' item {',' item} [','] ')'
func (p *parser) parenthesis() expression {
	start := p.expect("(")
	if p.accept(")") {
		return &tupleExpr{start, nil}
	}
	if p.is("yield") {
		y := p.yield()
		p.expect(")")
		return y
	}
	first := p.starNamed()
	if p.is("for") || p.is("async") {
		c := p.comprehension(start, compGenerator, first, nil)
		p.expect(")")
		return c
	}
	if p.accept(")") {
		if s, ok := first.(*starExpr); ok {
			p.fail(s.pos, "cannot use starred expression here")
		}
		return first
	}
	items := p.items(first, ")")
	return &tupleExpr{start, items}
}

// items reads the rest of a bracketed list up to its end.
func (p *parser) items(first expression, end string) []expression {
	items := []expression{first}
	for p.accept(",") {
		if p.is(end) {
			break
		}
		items = append(items, p.starNamed())
	}
	p.expect(end)
	return items
}

// list reads
//
//	'[' ']' | '[' named comprehension ']' | '[' item {',' item} [','] ']'
func (p *parser) list() expression {
	start := p.expect("[")
	if p.accept("]") {
		return &listExpr{start, nil}
	}
	first := p.starNamed()
	if p.is("for") || p.is("async") {
		c := p.comprehension(start, compList, first, nil)
		p.expect("]")
		return c
	}
	return &listExpr{start, p.items(first, "]")}
}

// braces reads a dictionary or a set:
//
//	'{' [pair {',' pair} [',']] '}' | '{' key ':' value comprehension '}'
//	'{' item {',' item} [','] '}'   | '{' named comprehension '}'
//	pair: key ':' value | '**' or_expr
func (p *parser) braces() expression {
	start := p.expect("{")
	if p.accept("}") {
		return &dictExpr{start, nil, nil}
	}
	if p.is("**") {
		return p.dict(start, nil, nil)
	}
	first := p.starNamed()
	if p.accept(":") {
		val := p.expression()
		if p.is("for") || p.is("async") {
			c := p.comprehension(start, compDict, first, val)
			p.expect("}")
			return c
		}
		return p.dict(start, first, val)
	}
	if p.is("for") || p.is("async") {
		c := p.comprehension(start, compSet, first, nil)
		p.expect("}")
		return c
	}
	return &setExpr{start, p.items(first, "}")}
}

// dict reads the rest of a dictionary after its first pair, if that is given.
func (p *parser) dict(start pos, key, val expression) expression {
	d := &dictExpr{pos: start}
	if key != nil {
		d.keys, d.vals = []expression{key}, []expression{val}
		if !p.accept(",") {
			p.expect("}")
			return d
		}
	}
	for !p.accept("}") {
		if p.accept("**") {
			d.keys, d.vals = append(d.keys, nil), append(d.vals, p.binary(precOr))
		} else {
			d.keys = append(d.keys, p.expression())
			p.expect(":")
			d.vals = append(d.vals, p.expression())
		}
		if !p.accept(",") {
			p.expect("}")
			return d
		}
	}
	return d
}

// comprehension reads the clauses after the item:
//
//	comprehension: 'for' targets 'in' disjunction {'for' ... | 'if' disjunction}
func (p *parser) comprehension(start pos, kind compKind, item, val expression) expression {
	if s, ok := item.(*starExpr); ok {
		p.fail(s.pos, "iterable unpacking cannot be used in comprehension")
	}
	c := &compExpr{pos: start, kind: kind, item: item, val: val}
	for {
		switch {
		case p.is("async"):
			p.unexpected()
		case p.accept("for"):
			target := p.targets()
			p.expect("in")
			c.clauses = append(c.clauses, clause{target: target, iter: p.disjunction()})
		case p.accept("if"):
			c.clauses = append(c.clauses, clause{test: p.condition()})
		default:
			return c
		}
	}
}

// condition reads the test of a comprehension, which may be `name := x`.
func (p *parser) condition() expression {
	if p.peek().kind == tokName && p.tokens[p.i+1].text == ":=" {
		return p.named()
	}
	return p.disjunction()
}

// strings reads neighbouring literals, which are one.
func (p *parser) strings() expression {
	start := p.peek().pos
	var parts []textPart
	var octets Bytes
	text, isBytes := false, false
	for p.peek().kind == tokString {
		t := p.next()
		if b, ok := t.val.(Bytes); ok {
			octets += b
			isBytes = true
		} else {
			parts = append(parts, t.parts...)
			text = true
		}
	}
	if text && isBytes {
		p.fail(start, "cannot mix bytes and nonbytes literals")
	}
	if isBytes {
		return &constExpr{start, octets}
	}
	out := p.textParts(parts)
	switch {
	case len(out) == 0:
		return &constExpr{start, ""}
	case len(out) == 1 && out[0].x == nil:
		return &constExpr{start, out[0].text}
	}
	return &fstringExpr{start, out}
}

// textParts parses the fields of literals and joins the text between them.
func (p *parser) textParts(parts []textPart) []fstringPart {
	var out []fstringPart
	add := func(text string) {
		if n := len(out); n > 0 && out[n-1].x == nil {
			out[n-1].text += text
		} else if text != "" {
			out = append(out, fstringPart{text: text})
		}
	}
	for _, part := range parts {
		f := part.field
		if f == nil {
			add(part.text)
			continue
		}
		conv := f.conv
		if f.debug != "" {
			add(f.debug)
			if conv == 0 && f.spec == nil {
				conv = 'r'
			}
		}
		out = append(out, fstringPart{x: p.field(f), conv: conv, spec: p.textParts(f.spec)})
	}
	return out
}

// field parses the expression of a field as if it stood in parentheses.
func (p *parser) field(f *field) expression {
	p.deeper()
	defer func() { p.depth-- }()
	tokens, i := p.tokens, p.i
	p.tokens, p.i = f.tokens, 0
	var x expression
	if p.is("yield") {
		x = p.yield()
	} else {
		x = p.expressions()
	}
	if p.peek().kind != tokEOF {
		p.unexpected()
	}
	p.tokens, p.i = tokens, i
	return x
}
