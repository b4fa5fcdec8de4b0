package expr

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// A regexParser reads a pattern by recursive descent:
//
//	choices:  sequence {'|' sequence}
//	sequence: {atom {quantifier}}
//
// Faults are panics with a regexFault.
type regexParser struct {
	src    string
	at     int
	flags  int
	groups int
	asked  int // the highest group that a conditional asks for
	names  map[string]int
	order  []string
	open   map[int]bool // groups that are not closed yet
	depth  int
}

type regexFault string

func parseRegex(pattern string, flags int) (root rxNode, p *regexParser, err error) {
	p = &regexParser{src: pattern, flags: flags | flagUnicode, names: map[string]int{}, open: map[int]bool{}}
	defer func() {
		if fault, ok := recover().(regexFault); ok {
			err = raise(excRegexError, "%s at position %d", string(fault), textLen(p.src[:min(p.at, len(p.src))]))
		} else if root == nil {
			panic("regex parser gave nothing")
		}
	}()
	p.globalFlags()
	root = p.choices()
	if p.at < len(p.src) {
		p.fail("unbalanced parenthesis")
	}
	if p.asked > p.groups {
		p.fail("invalid group reference " + strconv.Itoa(p.asked))
	}
	return root, p, nil
}

func (p *regexParser) fail(msg string) { panic(regexFault(msg)) }

func (p *regexParser) peek() rune {
	if p.at >= len(p.src) {
		return -1
	}
	r, _ := utf8.DecodeRuneInString(p.src[p.at:])
	return r
}

func (p *regexParser) next() rune {
	if p.at >= len(p.src) {
		p.fail("unexpected end of pattern")
	}
	r, n := utf8.DecodeRuneInString(p.src[p.at:])
	p.at += n
	return r
}

func (p *regexParser) accept(s string) bool {
	if strings.HasPrefix(p.src[p.at:], s) {
		p.at += len(s)
		return true
	}
	return false
}

// until reads up to and with the end character.
func (p *regexParser) until(end string) string {
	i := strings.Index(p.src[p.at:], end)
	if i < 0 {
		p.fail("missing " + end + ", unterminated name")
	}
	s := p.src[p.at : p.at+i]
	p.at += i + len(end)
	return s
}

// globalFlags reads `(?flags)` at the beginning.
func (p *regexParser) globalFlags() {
	for strings.HasPrefix(p.src[p.at:], "(?") {
		end := strings.IndexByte(p.src[p.at:], ')')
		if end < 3 || strings.Trim(p.src[p.at+2:p.at+end], "aiLmsux") != "" {
			return
		}
		for _, c := range p.src[p.at+2 : p.at+end] {
			p.flags |= flagOf[c]
		}
		p.at += end + 1
	}
}

var flagOf = map[rune]int{
	'i': flagIgnoreCase, 'm': flagMultiline, 's': flagDotAll, 'x': flagVerbose, 'a': flagASCII, 'u': flagUnicode, 'L': 0,
}

func (p *regexParser) has(flag int) bool { return p.flags&flag != 0 }

func (p *regexParser) choices() rxNode {
	p.depth++
	if p.depth > maxParserDepth {
		p.fail("pattern is nested too deeply")
	}
	defer func() { p.depth-- }()
	choices := []rxNode{p.sequence()}
	for p.accept("|") {
		choices = append(choices, p.sequence())
	}
	if len(choices) == 1 {
		return choices[0]
	}
	return rxAlt{choices}
}

func (p *regexParser) sequence() rxNode {
	var parts []rxNode
	for {
		if p.has(flagVerbose) {
			p.skipVerbose()
		}
		if c := p.peek(); c < 0 || c == '|' || c == ')' {
			break
		}
		x := p.atom()
		if x == nil { // a comment
			continue
		}
		parts = append(parts, p.quantified(x))
	}
	switch len(parts) {
	case 0:
		return rxEmpty{}
	case 1:
		return parts[0]
	}
	return rxSeq{parts}
}

func (p *regexParser) skipVerbose() {
	for p.at < len(p.src) {
		switch c := p.src[p.at]; {
		case c == '#':
			for p.at < len(p.src) && p.src[p.at] != '\n' {
				p.at++
			}
		case strings.IndexByte(" \t\n\r\f\v", c) >= 0:
			p.at++
		default:
			return
		}
	}
}

// quantified reads the quantifiers after an atom:
//
//	quantifier: ('*' | '+' | '?' | '{' [m] [',' [n]] '}') ['?' | '+']
func (p *regexParser) quantified(x rxNode) rxNode {
	for n := 0; ; n++ {
		if p.has(flagVerbose) {
			p.skipVerbose()
		}
		low, high, ok := p.quantifier()
		if !ok {
			return x
		}
		if _, assert := x.(rxAssert); n > 0 || assert {
			if n > 0 {
				p.fail("multiple repeat")
			}
			p.fail("nothing to repeat")
		}
		switch {
		case p.accept("?"):
			x = rxRepeat{x, low, high, true}
		case p.accept("+"):
			x = rxAtomic{rxRepeat{x, low, high, false}}
		default:
			x = rxRepeat{x, low, high, false}
		}
	}
}

func (p *regexParser) quantifier() (low, high int, ok bool) {
	switch p.peek() {
	case '*':
		p.at++
		return 0, rxForever, true
	case '+':
		p.at++
		return 1, rxForever, true
	case '?':
		p.at++
		return 0, 1, true
	case '{':
		return p.bounds()
	}
	return 0, 0, false
}

// bounds reads `{m,n}`; braces that are no bounds are plain text.
func (p *regexParser) bounds() (low, high int, ok bool) {
	end := strings.IndexByte(p.src[p.at:], '}')
	if end < 0 {
		return 0, 0, false
	}
	from, to, comma := strings.Cut(p.src[p.at+1:p.at+end], ",")
	if from == "" && !comma {
		return 0, 0, false
	}
	number := func(s string, empty int) (int, bool) {
		if s == "" {
			return empty, true
		}
		for i := range len(s) {
			if !isDigit(s[i]) {
				return 0, false
			}
		}
		n, err := strconv.Atoi(s)
		if err != nil || n >= rxForever {
			p.fail("the repetition number is too large")
		}
		return n, true
	}
	low, ok1 := number(from, 0)
	high, ok2 := number(to, rxForever)
	if !ok1 || !ok2 {
		return 0, 0, false
	}
	if !comma {
		high = low
	}
	if low > high {
		p.fail("min repeat greater than max repeat")
	}
	p.at += end + 1
	return low, high, true
}

func (p *regexParser) atom() rxNode {
	c := p.next()
	switch c {
	case '.':
		if p.has(flagDotAll) {
			return rxSet{func(rune) bool { return true }, 0}
		}
		return rxSet{func(r rune) bool { return r != '\n' }, 0}
	case '^':
		if p.has(flagMultiline) {
			return rxAssert{assertLineStart}
		}
		return rxAssert{assertStart}
	case '$':
		if p.has(flagMultiline) {
			return rxAssert{assertLineEnd}
		}
		return rxAssert{assertTextEnd}
	case '[':
		return p.class()
	case '(':
		return p.group()
	case '\\':
		return p.escape()
	case '*', '+', '?':
		p.fail("nothing to repeat")
	case '{':
		p.at--
		if _, _, ok := p.bounds(); ok {
			p.fail("nothing to repeat")
		}
		p.at++
	}
	return p.char(c)
}

func (p *regexParser) char(r rune) rxNode {
	return rxChar{r, p.has(flagIgnoreCase)}
}

// escape reads what follows a backslash outside of a class.
func (p *regexParser) escape() rxNode {
	if p.at >= len(p.src) {
		p.fail("bad escape (end of pattern)")
	}
	c := p.next()
	switch c {
	case 'A':
		return rxAssert{assertStart}
	case 'Z':
		return rxAssert{assertEnd}
	case 'b', 'B':
		kind := map[rune]assertKind{'b': assertWord, 'B': assertNotWord}[c]
		if p.has(flagASCII) {
			kind += assertWordASCII - assertWord
		}
		return rxAssert{kind}
	}
	if test := p.category(c); test != nil {
		return rxSet{test, wideTicks}
	}
	if '1' <= c && c <= '9' {
		return p.backref(c)
	}
	return p.char(p.escaped(c))
}

// backref reads `\N`; three octal digits are a character.
func (p *regexParser) backref(c rune) rxNode {
	digits := string(c)
	if d := p.peek(); '0' <= d && d <= '9' {
		digits += string(p.next())
		if d := p.peek(); c <= '3' && digits[1] <= '7' && '0' <= d && d <= '7' {
			n, _ := strconv.ParseInt(digits+string(p.next()), 8, 32)
			return p.char(rune(n))
		}
	}
	n, _ := strconv.Atoi(digits)
	return p.reference(n)
}

func (p *regexParser) reference(n int) rxNode {
	if n > p.groups {
		p.fail("invalid group reference " + strconv.Itoa(n))
	}
	if p.open[n] {
		p.fail("cannot refer to an open group")
	}
	return rxBackref{n, p.has(flagIgnoreCase)}
}

// escaped gives the character of an escape that stands for one.
func (p *regexParser) escaped(c rune) rune {
	if i := strings.IndexRune("abfnrtv\\", c); i >= 0 && c != 'b' {
		return rune("\a\b\f\n\r\t\v\\"[i])
	}
	switch c {
	case '0':
		n := rune(0)
		for i := 0; i < 2 && '0' <= p.peek() && p.peek() <= '7'; i++ {
			n = n*8 + p.next() - '0'
		}
		return n
	case 'x':
		return p.hex(2)
	case 'u':
		return p.hex(4)
	case 'U':
		return p.hex(8)
	}
	if c < utf8.RuneSelf && digitValue(byte(c)) < 99 {
		p.fail("bad escape \\" + string(c))
	}
	return c
}

func (p *regexParser) hex(width int) rune {
	if len(p.src)-p.at < width {
		p.fail("incomplete escape")
	}
	n, err := strconv.ParseUint(p.src[p.at:p.at+width], 16, 32)
	if err != nil || n > utf8.MaxRune {
		p.fail("incomplete escape")
	}
	p.at += width
	return rune(n)
}
