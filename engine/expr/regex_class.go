package expr

import (
	"cmp"
	"maps"
	"slices"
	"unicode"
	"unicode/utf8"
)

// category gives the test of \d, \s, \w and their opposites, or nil.
func (p *regexParser) category(c rune) func(rune) bool {
	var test func(rune) bool
	switch c {
	case 'd', 'D':
		test = isDecimalRune
	case 's', 'S':
		test = isSpace
	case 'w', 'W':
		test = isWordRune
	default:
		return nil
	}
	if p.has(flagASCII) {
		wide := test
		test = func(r rune) bool { return r < utf8.RuneSelf && wide(r) && (r < 0x1c || r > 0x1f) }
	}
	if unicode.IsUpper(c) {
		positive := test
		test = func(r rune) bool { return !positive(r) }
	}
	return test
}

func isWordRune(r rune) bool {
	if r < utf8.RuneSelf {
		return r == '_' || digitValue(byte(r)) < 99
	}
	return isAlnumRune(r)
}

// A runeRange is one range of a class.
type runeRange struct{ low, high rune }

// class reads `[...]`, whose first character may be a closing bracket.
func (p *regexParser) class() rxNode {
	negate := p.accept("^")
	var ranges []runeRange
	categories := map[rune]func(rune) bool{}
	for first := true; ; first = false {
		if p.at >= len(p.src) {
			p.fail("unterminated character set")
		}
		if p.peek() == ']' && !first {
			p.at++
			break
		}
		at := p.at
		low, test := p.classItem()
		if test != nil {
			categories[rune(p.src[at+1])] = test
			continue
		}
		high := low
		if p.peek() == '-' && p.at+1 < len(p.src) && p.src[p.at+1] != ']' {
			p.at++
			if high, test = p.classItem(); test != nil || high < low {
				p.fail("bad character range")
			}
		}
		ranges = append(ranges, runeRange{low, high})
	}
	wide := wideTicks * (1 + len(categories))
	if p.has(flagIgnoreCase) {
		wide *= 4 // the most characters that differ in case only
	}
	tests := slices.Collect(maps.Values(categories))
	return rxSet{classTest(merged(ranges), tests, negate, p.has(flagIgnoreCase)), wide}
}

// merged gives ranges in order that do not meet.
func merged(ranges []runeRange) []runeRange {
	slices.SortFunc(ranges, func(a, b runeRange) int { return cmp.Compare(a.low, b.low) })
	var out []runeRange
	for _, r := range ranges {
		if last := len(out) - 1; last >= 0 && r.low <= out[last].high+1 {
			out[last].high = max(out[last].high, r.high)
			continue
		}
		out = append(out, r)
	}
	return out
}

// classItem reads a character, or a category, which has a test.
func (p *regexParser) classItem() (rune, func(rune) bool) {
	c := p.next()
	if c != '\\' {
		return c, nil
	}
	c = p.next()
	if test := p.category(c); test != nil {
		return 0, test
	}
	switch {
	case c == 'b':
		return '\b', nil
	case '1' <= c && c <= '7':
		n := c - '0'
		for i := 0; i < 2 && '0' <= p.peek() && p.peek() <= '7'; i++ {
			n = n*8 + p.next() - '0'
		}
		return n, nil
	}
	return p.escaped(c), nil
}

// classTest makes the test of a class, for ASCII by a table.
func classTest(ranges []runeRange, tests []func(rune) bool, negate, fold bool) func(rune) bool {
	slow := func(r rune) bool {
		_, found := slices.BinarySearchFunc(ranges, r, func(c runeRange, r rune) int {
			switch {
			case c.high < r:
				return -1
			case c.low > r:
				return 1
			}
			return 0
		})
		return found || slices.ContainsFunc(tests, func(test func(rune) bool) bool { return test(r) })
	}
	if fold {
		exact := slow
		slow = func(r rune) bool {
			if exact(r) {
				return true
			}
			for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
				if exact(f) {
					return true
				}
			}
			return false
		}
	}
	var ascii [utf8.RuneSelf]bool
	for r := range ascii {
		ascii[r] = slow(rune(r)) != negate
	}
	return func(r rune) bool {
		if r >= 0 && r < utf8.RuneSelf {
			return ascii[r]
		}
		return slow(r) != negate
	}
}

// equalFold reports whether two characters differ in case only.
func equalFold(a, b rune) bool {
	if a == b {
		return true
	}
	for f := unicode.SimpleFold(a); f != a; f = unicode.SimpleFold(f) {
		if f == b {
			return true
		}
	}
	return false
}
