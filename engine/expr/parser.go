package expr

// A parser turns tokens into a syntax tree by recursive descent. Each method
// reads the part of the grammar that its comment gives, where [x] may be
// absent and {x} may repeat. Faults are panics with a syntaxFault.
type parser struct {
	src     string
	tokens  []token
	i       int
	depth   int
	lineAt  pos // a place whose line is known, since lines are asked for in order
	lineNum int
	block   bool
	inFunc  bool
	inLoop  bool
}

func newParser(src string, block bool) *parser {
	return &parser{src: src, tokens: lex(src, block), lineNum: 1, block: block}
}

// parseExpression reads
//
//	source: expressions {NEWLINE} EOF
func parseExpression(src string) expression {
	p := newParser(src, false)
	if p.peek().kind == tokEOF {
		p.fail(p.peek().pos, "an expression is missing")
	}
	x := p.expressions()
	after := p.i
	for p.peek().kind == tokNewline {
		p.i++
	}
	if p.peek().kind != tokEOF {
		p.i = after
	}
	p.end()
	return x
}

// end requires that everything has been read.
func (p *parser) end() {
	t := p.peek()
	switch {
	case t.kind == tokEOF:
	case t.kind == tokNewline:
		p.lineEnds(t.pos, "an expression ends at the line break")
	case t.text == "=":
		p.hint(t.pos, "an expression cannot assign", "compare with ==, or assign with (name := value)")
	case t.text == ":=":
		p.hint(t.pos, "an assignment expression needs parentheses", "write (name := value)")
	default:
		p.unexpected()
	}
}

func (p *parser) fail(at pos, msg string) { p.hint(at, msg, "") }

// hint fails with what to write instead.
func (p *parser) hint(at pos, msg, hint string) { panic(faultAt(p.src, int(at), msg, hint, false)) }

func (p *parser) unsupported(at pos, msg, hint string) {
	panic(faultAt(p.src, int(at), msg+" not supported", hint, true))
}

// unexpected fails at the next token.
func (p *parser) unexpected() {
	t := p.peek()
	switch t.kind {
	case tokEOF:
		p.fail(t.pos, "unexpected end")
	case tokNewline:
		p.lineEnds(t.pos, "unexpected end of line")
	case tokIndent:
		p.fail(t.pos, "unexpected indent")
	case tokDedent:
		p.fail(t.pos, "unexpected unindent")
	case tokKeyword:
		if hint, ok := unsupportedWords[t.text]; ok {
			p.unsupported(t.pos, "`"+t.text+"` is", hint)
		}
	}
	p.fail(t.pos, "unexpected "+p.src[t.pos:t.end])
}

// lineEnds fails at a line break; in an expression it can be kept from ending
// anything.
func (p *parser) lineEnds(at pos, msg string) {
	hint := ""
	if !p.block {
		hint = "put it in parentheses to go on"
	}
	p.hint(at, msg, hint)
}

// unsupportedWords says what to write instead of what is left out.
var unsupportedWords = map[string]string{
	"class": "use dictionaries and functions",
	"with":  "use try and finally",
	"async": "use run_async on a task",
	"await": "use the wait_for chip",
}

func (p *parser) peek() *token { return &p.tokens[p.i] }

func (p *parser) next() *token {
	t := &p.tokens[p.i]
	if t.kind != tokEOF {
		p.i++
	}
	return t
}

// is reports whether the next token is the operator or keyword.
func (p *parser) is(text string) bool {
	t := p.peek()
	return t.text == text && (t.kind == tokOp || t.kind == tokKeyword)
}

// accept takes the next token if it is the operator or keyword.
func (p *parser) accept(text string) bool {
	if p.is(text) {
		p.i++
		return true
	}
	return false
}

func (p *parser) expect(text string) pos {
	if !p.is(text) {
		if t := p.peek(); text == ":" && (t.kind == tokNewline || t.kind == tokName) {
			p.fail(t.pos, "expected ':'")
		}
		if t := p.peek(); t.text == "=" && t.kind == tokOp {
			p.hint(t.pos, "invalid syntax", "maybe you meant '==' or ':='")
		}
		p.unexpected()
	}
	return p.next().pos
}

func (p *parser) name() string {
	t := p.peek()
	if t.kind != tokName {
		p.unexpected()
	}
	p.i++
	return t.text
}

// deeper guards the recursion.
func (p *parser) deeper() {
	p.depth++
	if p.depth > maxParserDepth {
		p.fail(p.peek().pos, "nested too deeply")
	}
}

// maxChain bounds chains such as a + b + ..., whose tree is as deep as they
// are long.
const maxChain = 5000

func (p *parser) chain(n int) {
	if n > maxChain {
		p.fail(p.peek().pos, "expression is too long")
	}
}

// line gives the line of a place at or after the last one asked for.
func (p *parser) line(at pos) line {
	if at < p.lineAt {
		p.lineAt, p.lineNum = 0, 1
	}
	for ; p.lineAt < at; p.lineAt++ {
		if p.src[p.lineAt] == '\n' {
			p.lineNum++
		}
	}
	return line(p.lineNum)
}
