package expr

import (
	"strconv"
	"strings"
)

// group reads what follows an opening parenthesis.
func (p *regexParser) group() rxNode {
	switch {
	case !p.accept("?"):
		return p.capture("")
	case p.accept("P<"):
		return p.capture(p.groupName(">"))
	case p.accept("P="):
		name := p.groupName(")")
		n, ok := p.names[name]
		if !ok {
			p.fail("unknown group name '" + name + "'")
		}
		return p.reference(n)
	case p.accept("#"):
		p.until(")")
		return nil
	case p.accept("="):
		return rxLook{x: p.inside()}
	case p.accept("!"):
		return rxLook{x: p.inside(), negate: true}
	case p.accept("<="):
		return p.behind(false)
	case p.accept("<!"):
		return p.behind(true)
	case p.accept(">"):
		return rxAtomic{p.inside()}
	case p.accept("("):
		return p.conditional()
	}
	return p.scopedFlags()
}

// inside reads up to the closing parenthesis. Flags that change inside hold
// there only.
func (p *regexParser) inside() rxNode {
	flags := p.flags
	x := p.choices()
	if !p.accept(")") {
		p.fail("missing ), unterminated subpattern")
	}
	p.flags = flags
	return x
}

func (p *regexParser) capture(name string) rxNode {
	p.groups++
	n := p.groups
	if name != "" {
		if p.names[name] != 0 {
			p.fail("redefinition of group name '" + name + "'")
		}
		p.names[name] = n
		p.order = append(p.order, name)
	}
	p.open[n] = true
	x := p.inside()
	delete(p.open, n)
	return rxGroup{x, n}
}

func (p *regexParser) groupName(end string) string {
	name := p.until(end)
	if !isIdentifier(name) {
		p.fail("bad character in group name '" + name + "'")
	}
	return name
}

func (p *regexParser) behind(negate bool) rxNode {
	x := p.inside()
	width, ok := rxWidth(x)
	if !ok {
		p.fail("look-behind requires fixed-width pattern")
	}
	return rxLook{x: x, behind: true, negate: negate, width: width}
}

// conditional reads `(?(group)yes|no)`.
func (p *regexParser) conditional() rxNode {
	name := p.until(")")
	n, ok := p.names[name]
	if !ok {
		var err error
		if n, err = strconv.Atoi(name); err != nil || n < 1 {
			p.fail("bad group number '" + name + "'")
		}
	}
	p.asked = max(p.asked, n) // the group may come later
	x := p.inside()
	alt, ok := x.(rxAlt)
	if !ok {
		return rxCond{n, x, rxEmpty{}}
	}
	if len(alt.choices) > 2 {
		p.fail("conditional backref with more than two branches")
	}
	return rxCond{n, alt.choices[0], alt.choices[1]}
}

// scopedFlags reads `(?:...)`, `(?i:...)` and `(?-i:...)`.
func (p *regexParser) scopedFlags() rxNode {
	outer := p.flags
	minus := false
	for {
		switch c := p.next(); {
		case c == ':':
			x := p.inside()
			p.flags = outer
			return rxSeq{[]rxNode{x}} // a group, which can be repeated
		case c == '-' && !minus:
			minus = true
		case c == ')':
			p.fail("global flags not at the start of the expression")
		case strings.ContainsRune("aimsux", c) && minus:
			p.flags &^= flagOf[c]
		case strings.ContainsRune("aimsux", c):
			p.flags |= flagOf[c]
		default:
			p.fail("unknown extension ?" + string(c))
		}
	}
}

// rxWidth gives the number of characters a node matches, if it is always
// the same.
func rxWidth(x rxNode) (int, bool) {
	switch x := x.(type) {
	case rxChar, rxSet:
		return 1, true
	case rxSeq:
		total := 0
		for _, part := range x.parts {
			n, ok := rxWidth(part)
			if !ok {
				return 0, false
			}
			total += n
		}
		return total, true
	case rxAlt:
		first, ok := rxWidth(x.choices[0])
		for _, c := range x.choices[1:] {
			n, fixed := rxWidth(c)
			ok = ok && fixed && n == first
		}
		return first, ok
	case rxRepeat:
		n, ok := rxWidth(x.x)
		return n * x.min, ok && x.min == x.max
	case rxGroup:
		return rxWidth(x.x)
	case rxAtomic:
		return rxWidth(x.x)
	case rxEmpty, rxAssert, rxLook:
		return 0, true
	case rxCond:
		yes, ok1 := rxWidth(x.yes)
		no, ok2 := rxWidth(x.no)
		return yes, ok1 && ok2 && yes == no
	}
	return 0, false
}
