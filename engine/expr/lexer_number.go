package expr

import (
	"math/big"
	"strconv"
	"strings"
)

// number reads a numeric literal:
//
//	integer: 0 | 1_000 | 0xff | 0o17 | 0b101
//	float:   1.5 | 1. | .5 | 1e3 | 1_0.5e-3
func (l *lexer) number() {
	from := l.at
	if base := radix(l.src[l.at:]); base != 10 {
		l.at += 2
		l.digits(base)
		l.endNumber(from)
		l.integer(from, l.src[from+2:l.at], base)
		return
	}
	whole := true
	l.digits(10)
	if l.peek() == '.' {
		whole = false
		l.at++
		l.digits(10)
	}
	if c := l.peek(); c == 'e' || c == 'E' {
		mark := l.at
		l.at++
		if c := l.peek(); c == '+' || c == '-' {
			l.at++
		}
		if isDigit(l.peek()) {
			whole = false
			l.digits(10)
		} else {
			l.at = mark
		}
	}
	if c := l.peek(); c == 'j' || c == 'J' {
		l.unsupported(from, "complex numbers are not supported", "use a pair of floats")
	}
	l.endNumber(from)
	if whole {
		l.integer(from, l.src[from:l.at], 10)
		return
	}
	text := strings.ReplaceAll(l.src[from:l.at], "_", "")
	f, _ := strconv.ParseFloat(text, 64) // out of range gives inf, as in Python
	l.tokens = append(l.tokens, token{kind: tokNumber, pos: pos(from), end: pos(l.at), val: f})
}

func (l *lexer) peek() byte {
	if l.at < len(l.src) {
		return l.src[l.at]
	}
	return 0
}

func radix(s string) int {
	if len(s) < 2 || s[0] != '0' {
		return 10
	}
	switch s[1] {
	case 'x', 'X':
		return 16
	case 'o', 'O':
		return 8
	case 'b', 'B':
		return 2
	}
	return 10
}

// digits passes over digits with single underscores between them.
func (l *lexer) digits(base int) {
	for {
		c := l.peek()
		switch {
		case digitValue(c) < base:
			l.at++
		case c == '_' && l.at+1 < len(l.src) && digitValue(l.src[l.at+1]) < base:
			l.at++
		default:
			return
		}
	}
}

func digitValue(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case 'a' <= c && c <= 'z':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'Z':
		return int(c-'A') + 10
	}
	return 99
}

// endNumber refuses a name right after a number, unless it is a keyword that
// goes on with the expression, as in `1if x else 2`.
func (l *lexer) endNumber(from int) {
	rest := l.src[l.at:]
	if !isNameStart(rest) {
		return
	}
	for _, word := range []string{"and", "else", "for", "if", "in", "is", "not", "or"} {
		if strings.HasPrefix(rest, word) {
			return
		}
	}
	l.fail(from, "invalid decimal literal")
}

func (l *lexer) integer(from int, text string, base int) {
	digits := strings.ReplaceAll(text, "_", "")
	switch {
	case digits == "":
		l.fail(from, "invalid number literal")
	case base == 10 && len(digits) > 1 && digits[0] == '0' && strings.Trim(digits, "0") != "":
		l.hint(from, "leading zeros in decimal integer literals are not permitted", "use an 0o prefix for octal integers")
	case base == 10 && len(digits) > maxIntDigits:
		l.fail(from, "integer literal has more than 4300 digits")
	}
	n, ok := new(big.Int).SetString(digits, base)
	if !ok {
		l.fail(from, "invalid number literal")
	}
	l.tokens = append(l.tokens, token{kind: tokNumber, pos: pos(from), end: pos(l.at), val: normInt(n)})
}
