package expr

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// literal reads a text or bytes literal that begins at the current place,
// with its prefix already read.
func (l *lexer) literal(prefix string) { l.literalFrom(l.at, prefix) }

func (l *lexer) literalFrom(from int, prefix string) {
	quote := l.src[l.at : l.at+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(l.src[l.at:], triple) {
		quote = triple
	}
	l.at += len(quote)
	t := textLexer{
		lexer: l, from: from, quote: quote,
		raw:   strings.Contains(prefix, "r"),
		bytes: strings.Contains(prefix, "b"),
	}
	tok := token{kind: tokString, pos: pos(from)}
	switch {
	case strings.Contains(prefix, "f"):
		tok.parts = t.fstring(false, 0)
	case t.bytes:
		tok.val = Bytes(t.plain())
	default:
		tok.parts = []textPart{{text: t.plain()}}
	}
	tok.end = pos(l.at)
	l.tokens = append(l.tokens, tok)
}

// A textLexer reads the inside of one literal.
type textLexer struct {
	*lexer
	from  int
	quote string
	raw   bool
	bytes bool
}

func (t *textLexer) unterminated() {
	if len(t.quote) == 3 {
		t.fail(t.from, "unterminated triple-quoted string literal")
	}
	t.fail(t.from, "unterminated string literal")
}

// step reads one character or escape into b.
func (t *textLexer) step(b *strings.Builder) {
	if t.at >= len(t.src) || t.src[t.at] == '\n' && len(t.quote) == 1 {
		t.unterminated()
	}
	if t.src[t.at] == '\\' {
		t.escape(b)
		return
	}
	r, n := utf8.DecodeRuneInString(t.src[t.at:])
	if t.bytes && r >= utf8.RuneSelf {
		t.fail(t.at, "bytes can only contain ASCII literal characters")
	}
	if t.src[t.at] == '\r' && strings.HasPrefix(t.src[t.at:], "\r\n") {
		n, t.at = 1, t.at+1 // a line break is one \n
	}
	b.WriteString(t.src[t.at : t.at+n])
	t.at += n
}

// plain reads up to the closing quote.
func (t *textLexer) plain() string {
	var b strings.Builder
	for !strings.HasPrefix(t.src[t.at:], t.quote) {
		t.step(&b)
	}
	t.at += len(t.quote)
	return b.String()
}

// escape reads a backslash and what follows. An unknown escape stays as it
// is written.
func (t *textLexer) escape(b *strings.Builder) {
	from := t.at
	t.at++
	if t.at >= len(t.src) {
		t.unterminated()
	}
	c := t.src[t.at]
	if t.raw {
		_, n := utf8.DecodeRuneInString(t.src[t.at:])
		b.WriteString(t.src[from : t.at+n])
		t.at += n
		return
	}
	t.at++
	if i := strings.IndexByte("\\'\"abfnrtv", c); i >= 0 {
		b.WriteByte("\\'\"\a\b\f\n\r\t\v"[i])
		return
	}
	switch {
	case c == '\n':
	case c == '\r' && strings.HasPrefix(t.src[t.at:], "\n"):
		t.at++
	case '0' <= c && c <= '7':
		t.at--
		n := 0
		for i := 0; i < 3 && '0' <= t.peek() && t.peek() <= '7'; i++ {
			n = n*8 + int(t.peek()-'0')
			t.at++
		}
		t.code(b, rune(n))
	case c == 'x':
		t.hex(b, from, 2)
	case c == 'u' && !t.bytes:
		t.hex(b, from, 4)
	case c == 'U' && !t.bytes:
		t.hex(b, from, 8)
	case c == 'N' && !t.bytes:
		t.unsupported(from, `named characters (\N{...}) are not supported`, `write the character itself or \u1234`)
	default:
		_, n := utf8.DecodeRuneInString(t.src[t.at-1:])
		t.at += n - 1
		b.WriteString(t.src[from:t.at])
	}
}

func (t *textLexer) hex(b *strings.Builder, from, width int) {
	if len(t.src)-t.at < width {
		t.fail(from, "truncated \\x, \\u or \\U escape")
	}
	n, err := strconv.ParseUint(t.src[t.at:t.at+width], 16, 32)
	if err != nil || n > utf8.MaxRune {
		t.fail(from, "invalid \\x, \\u or \\U escape")
	}
	t.at += width
	t.code(b, rune(n))
}

func (t *textLexer) code(b *strings.Builder, r rune) {
	if t.bytes {
		b.WriteByte(byte(r))
		return
	}
	b.WriteRune(r)
}

// fstring reads the parts of an f-string up to its closing quote, or those
// of a format spec up to the brace that closes its field.
func (t *textLexer) fstring(spec bool, depth int) []textPart {
	if depth > 2 {
		t.fail(t.at, "f-string: expressions nested too deeply")
	}
	var parts []textPart
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			parts = append(parts, textPart{text: b.String()})
			b.Reset()
		}
	}
	for {
		rest := t.src[t.at:]
		switch {
		case !spec && strings.HasPrefix(rest, t.quote):
			t.at += len(t.quote)
			flush()
			return parts
		case spec && strings.HasPrefix(rest, "}"):
			flush()
			return parts
		case !spec && (strings.HasPrefix(rest, "{{") || strings.HasPrefix(rest, "}}")):
			b.WriteByte(rest[0])
			t.at += 2
		case strings.HasPrefix(rest, "{"):
			flush()
			parts = append(parts, textPart{field: t.field(depth)})
		case strings.HasPrefix(rest, "}"):
			t.fail(t.at, "f-string: single '}' is not allowed")
		case spec && strings.HasPrefix(rest, t.quote):
			t.fail(t.at, "f-string: expecting '}'")
		default:
			t.step(&b)
		}
	}
}

// field reads one replacement field, braces included.
func (t *textLexer) field(depth int) *field {
	from := t.at
	t.at++
	if t.fields++; t.fields > maxParserDepth/2 {
		t.fail(from, "f-string: expressions nested too deeply")
	}
	defer func() { t.fields-- }()
	outer, open := t.tokens, t.open
	t.tokens, t.open = nil, []byte{'{'}
	f := &field{}
	start := t.at
	for !t.fieldEnds() {
		t.token()
	}
	end := t.at
	if t.peek() == '=' {
		t.at++
		for t.peek() == ' ' || t.peek() == '\t' || t.peek() == '\n' {
			t.at++
		}
		f.debug = t.src[start:t.at]
	}
	if len(t.tokens) == 0 {
		t.fail(from, "f-string: valid expression required before '}'")
	}
	t.tokens = append(t.tokens, token{kind: tokEOF, pos: pos(end), end: pos(end)})
	f.tokens = t.tokens
	t.tokens, t.open = outer, open
	if t.peek() == '!' {
		t.at++
		f.conv = t.peek()
		t.at++
		if f.conv != 's' && f.conv != 'r' && f.conv != 'a' {
			t.fail(t.at-1, "f-string: invalid conversion character, expected 's', 'r' or 'a'")
		}
		for t.peek() == ' ' {
			t.at++
		}
	}
	if t.peek() == ':' {
		t.at++
		f.spec = t.fstring(true, depth+1)
		if f.spec == nil {
			f.spec = []textPart{{}}
		}
	}
	if t.peek() != '}' {
		t.fail(from, "f-string: expecting '}'")
	}
	t.at++
	return f
}

// fieldEnds reports whether the expression of a field ends here.
func (t *textLexer) fieldEnds() bool {
	if t.at >= len(t.src) {
		t.fail(t.from, "f-string: expecting '}'")
	}
	if len(t.open) > 1 {
		return false
	}
	rest := t.src[t.at:]
	switch rest[0] {
	case '}', ':':
		return true
	case '!':
		return !strings.HasPrefix(rest, "!=")
	case '=':
		return !strings.HasPrefix(rest, "==")
	}
	return false
}
