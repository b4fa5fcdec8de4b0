package expr

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxSource bounds the length of source, in octets.
const maxSource = 1 << 20

// A lexer cuts source into tokens. In a block, line breaks and indentation
// are tokens too, as Python has it: indentation that grows gives one
// tokIndent, indentation that shrinks one tokDedent for each level.
type lexer struct {
	src     string
	at      int
	block   bool
	open    []byte // brackets that are open; line breaks within do not count
	indents []int
	fields  int // replacement fields of f-strings that are open
	tokens  []token
}

// A syntaxFault is what lexer, parser and compiler panic with; the entry
// points turn it into a *SyntaxError.
type syntaxFault struct{ err *SyntaxError }

// faultAt makes the fault for a place in the source.
func faultAt(src string, at int, msg, hint string, unsupported bool) syntaxFault {
	at = min(at, len(src))
	line := 1 + strings.Count(src[:at], "\n")
	col := 1 + utf8.RuneCountInString(src[strings.LastIndexByte(src[:at], '\n')+1:at])
	return syntaxFault{&SyntaxError{Line: line, Col: col, Msg: msg, Hint: hint, Unsupported: unsupported}}
}

// faultAtLine makes the fault for a line.
func faultAtLine(line int, msg string) syntaxFault {
	return syntaxFault{&SyntaxError{Line: line, Col: 1, Msg: msg}}
}

func (l *lexer) fail(at int, msg string) { panic(faultAt(l.src, at, msg, "", false)) }

func (l *lexer) hint(at int, msg, hint string) { panic(faultAt(l.src, at, msg, hint, false)) }

func (l *lexer) unsupported(at int, msg, hint string) { panic(faultAt(l.src, at, msg, hint, true)) }

// lex gives the tokens of the source, the last of them tokEOF.
func lex(src string, block bool) []token {
	l := &lexer{src: src, block: block, indents: []int{0}}
	if len(src) > maxSource {
		l.fail(0, "source is longer than 1 MiB")
	}
	if block {
		l.indentation()
	} else {
		l.at = len(src) - len(strings.TrimLeft(src, " \t\r\n"))
	}
	for l.at < len(l.src) {
		l.token()
	}
	if n := len(l.open); n > 0 {
		l.fail(len(src), "'"+string(l.open[n-1])+"' was never closed")
	}
	if block {
		if n := len(l.tokens); n > 0 && l.tokens[n-1].kind != tokNewline {
			l.add(tokNewline, l.at, "")
		}
		for range l.indents[1:] {
			l.add(tokDedent, l.at, "")
		}
	}
	l.add(tokEOF, l.at, "")
	return l.tokens
}

func (l *lexer) add(kind tokenKind, from int, text string) {
	l.tokens = append(l.tokens, token{kind: kind, pos: pos(from), end: pos(l.at), text: text})
}

// token reads the next token, or passes over what is none.
func (l *lexer) token() {
	switch c := l.src[l.at]; {
	case c == ' ' || c == '\t' || c == '\f' || c == '\r':
		l.at++
	case c == '\n':
		l.newline()
	case c == '#':
		l.comment()
	case c == '\\':
		l.continuation()
	case isDigit(c) || c == '.' && l.at+1 < len(l.src) && isDigit(l.src[l.at+1]):
		l.number()
	case c == '"' || c == '\'':
		l.literal("")
	case isNameStart(l.src[l.at:]):
		l.name()
	default:
		l.operator()
	}
}

func (l *lexer) comment() {
	if i := strings.IndexByte(l.src[l.at:], '\n'); i >= 0 {
		l.at += i
	} else {
		l.at = len(l.src)
	}
}

func (l *lexer) continuation() {
	rest := strings.TrimPrefix(l.src[l.at+1:], "\r")
	if !strings.HasPrefix(rest, "\n") {
		l.fail(l.at, "unexpected character after line continuation character")
	}
	l.at = len(l.src) - len(rest) + 1
}

func (l *lexer) newline() {
	from := l.at
	l.at++
	if len(l.open) > 0 {
		return
	}
	if n := len(l.tokens); n > 0 && l.tokens[n-1].kind != tokNewline {
		l.add(tokNewline, from, "")
	}
	if l.block {
		l.indentation()
	}
}

// indentation measures the beginning of a line that holds something.
func (l *lexer) indentation() {
	for l.at < len(l.src) {
		width, start := 0, l.at
	measure:
		for ; l.at < len(l.src); l.at++ {
			switch l.src[l.at] {
			case ' ':
				width++
			case '\t':
				width += 8 - width%8
			case '\f', '\r':
			default:
				break measure
			}
		}
		if l.at == len(l.src) {
			return
		}
		switch l.src[l.at] {
		case '\n':
			l.at++
			continue
		case '#':
			l.comment()
			continue
		}
		l.indentTo(width, start)
		return
	}
}

func (l *lexer) indentTo(width, start int) {
	top := func() int { return l.indents[len(l.indents)-1] }
	if width > top() {
		if len(l.tokens) == 0 {
			l.fail(start, "unexpected indent")
		}
		if len(l.indents) > 100 {
			l.fail(start, "too many levels of indentation")
		}
		l.indents = append(l.indents, width)
		l.add(tokIndent, start, "")
		return
	}
	for width < top() {
		l.indents = l.indents[:len(l.indents)-1]
		l.add(tokDedent, start, "")
	}
	if width != top() {
		l.fail(start, "unindent does not match any outer indentation level")
	}
}

func (l *lexer) name() {
	from := l.at
	for l.at < len(l.src) {
		r, n := utf8.DecodeRuneInString(l.src[l.at:])
		if !isNameRune(r) {
			break
		}
		l.at += n
	}
	text := l.src[from:l.at]
	if l.at < len(l.src) && (l.src[l.at] == '"' || l.src[l.at] == '\'') {
		if prefix := strings.ToLower(text); isTextPrefix(prefix) {
			l.literalFrom(from, prefix)
			return
		}
	}
	kind := tokName
	if keywords[text] {
		kind = tokKeyword
	}
	l.add(kind, from, text)
}

func (l *lexer) operator() {
	rest := l.src[l.at:]
	for _, op := range operators {
		if !strings.HasPrefix(rest, op) {
			continue
		}
		from := l.at
		l.at += len(op)
		l.bracket(from, op)
		l.add(tokOp, from, op)
		return
	}
	switch r, _ := utf8.DecodeRuneInString(rest); r {
	case '!':
		l.hint(l.at, "invalid syntax", "negation is written `not x`")
	case '$', '?', '`':
		l.fail(l.at, "invalid syntax")
	case '“', '”', '‘', '’':
		l.hint(l.at, "invalid character '"+string(r)+"'", "use plain quotes")
	default:
		l.fail(l.at, "invalid character '"+string(r)+"'")
	}
}

// bracket keeps the stack of open brackets.
func (l *lexer) bracket(from int, op string) {
	switch op {
	case "(", "[", "{":
		if len(l.open) >= maxParserDepth {
			l.fail(from, "too many nested parentheses")
		}
		l.open = append(l.open, op[0])
	case ")", "]", "}":
		n := len(l.open)
		if n == 0 {
			l.fail(from, "unmatched '"+op+"'")
		}
		if want := l.open[n-1]; closing[want] != op[0] {
			l.fail(from, "closing parenthesis '"+op+"' does not match opening parenthesis '"+string(want)+"'")
		}
		l.open = l.open[:n-1]
	}
}

var closing = map[byte]byte{'(': ')', '[': ']', '{': '}'}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isNameStart(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return r == '_' || unicode.IsLetter(r) || r >= utf8.RuneSelf && unicode.Is(unicode.Nl, r)
}

func isNameRune(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || r >= utf8.RuneSelf && unicode.In(r, unicode.M, unicode.Nl)
}

func isTextPrefix(s string) bool {
	switch s {
	case "r", "b", "f", "u", "rb", "br", "rf", "fr":
		return true
	}
	return false
}
