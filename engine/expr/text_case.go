package expr

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Case mappings of one character to several, from Unicode's SpecialCasing:
// each word is a character and what it becomes. Go's own tables map only to
// single characters.
const specialUpper = "\u00dfSS \u0149\u02bcN \u01f0J\u030c \u0390\u0399\u0308\u0301 \u03b0\u03a5\u0308\u0301 " +
	"\u0587\u0535\u0552 \u1e96H\u0331 \u1e97T\u0308 \u1e98W\u030a \u1e99Y\u030a \u1e9aA\u02be " +
	"\u1f50\u03a5\u0313 \u1f52\u03a5\u0313\u0300 \u1f54\u03a5\u0313\u0301 \u1f56\u03a5\u0313\u0342 " +
	"\u1f80\u1f08\u0399 \u1f81\u1f09\u0399 \u1f82\u1f0a\u0399 \u1f83\u1f0b\u0399 \u1f84\u1f0c\u0399 " +
	"\u1f85\u1f0d\u0399 \u1f86\u1f0e\u0399 \u1f87\u1f0f\u0399 \u1f88\u1f08\u0399 \u1f89\u1f09\u0399 " +
	"\u1f8a\u1f0a\u0399 \u1f8b\u1f0b\u0399 \u1f8c\u1f0c\u0399 \u1f8d\u1f0d\u0399 \u1f8e\u1f0e\u0399 " +
	"\u1f8f\u1f0f\u0399 \u1f90\u1f28\u0399 \u1f91\u1f29\u0399 \u1f92\u1f2a\u0399 \u1f93\u1f2b\u0399 " +
	"\u1f94\u1f2c\u0399 \u1f95\u1f2d\u0399 \u1f96\u1f2e\u0399 \u1f97\u1f2f\u0399 \u1f98\u1f28\u0399 " +
	"\u1f99\u1f29\u0399 \u1f9a\u1f2a\u0399 \u1f9b\u1f2b\u0399 \u1f9c\u1f2c\u0399 \u1f9d\u1f2d\u0399 " +
	"\u1f9e\u1f2e\u0399 \u1f9f\u1f2f\u0399 \u1fa0\u1f68\u0399 \u1fa1\u1f69\u0399 \u1fa2\u1f6a\u0399 " +
	"\u1fa3\u1f6b\u0399 \u1fa4\u1f6c\u0399 \u1fa5\u1f6d\u0399 \u1fa6\u1f6e\u0399 \u1fa7\u1f6f\u0399 " +
	"\u1fa8\u1f68\u0399 \u1fa9\u1f69\u0399 \u1faa\u1f6a\u0399 \u1fab\u1f6b\u0399 \u1fac\u1f6c\u0399 " +
	"\u1fad\u1f6d\u0399 \u1fae\u1f6e\u0399 \u1faf\u1f6f\u0399 \u1fb2\u1fba\u0399 \u1fb3\u0391\u0399 " +
	"\u1fb4\u0386\u0399 \u1fb6\u0391\u0342 \u1fb7\u0391\u0342\u0399 \u1fbc\u0391\u0399 " +
	"\u1fc2\u1fca\u0399 \u1fc3\u0397\u0399 \u1fc4\u0389\u0399 \u1fc6\u0397\u0342 " +
	"\u1fc7\u0397\u0342\u0399 \u1fcc\u0397\u0399 \u1fd2\u0399\u0308\u0300 \u1fd3\u0399\u0308\u0301 " +
	"\u1fd6\u0399\u0342 \u1fd7\u0399\u0308\u0342 \u1fe2\u03a5\u0308\u0300 \u1fe3\u03a5\u0308\u0301 " +
	"\u1fe4\u03a1\u0313 \u1fe6\u03a5\u0342 \u1fe7\u03a5\u0308\u0342 \u1ff2\u1ffa\u0399 " +
	"\u1ff3\u03a9\u0399 \u1ff4\u038f\u0399 \u1ff6\u03a9\u0342 \u1ff7\u03a9\u0342\u0399 " +
	"\u1ffc\u03a9\u0399 \ufb00FF \ufb01FI \ufb02FL \ufb03FFI \ufb04FFL \ufb05ST \ufb06ST " +
	"\ufb13\u0544\u0546 \ufb14\u0544\u0535 \ufb15\u0544\u053b \ufb16\u054e\u0546 \ufb17\u0544\u053d"

// specialTitle holds those that do not follow from their upper case.
const specialTitle = "\u0149\u02bcN \u1fb2\u1fba\u0345 \u1fb4\u0386\u0345 \u1fb7\u0391\u0342\u0345 \u1fc2\u1fca\u0345 " +
	"\u1fc4\u0389\u0345 \u1fc7\u0397\u0342\u0345 \u1ff2\u1ffa\u0345 \u1ff4\u038f\u0345 " +
	"\u1ff7\u03a9\u0342\u0345"

var (
	upperOf = caseTable(specialUpper)
	titleOf = caseTable(specialTitle)
)

func caseTable(words string) map[rune]string {
	m := make(map[rune]string)
	for _, w := range strings.Fields(words) {
		r, n := utf8.DecodeRuneInString(w)
		m[r] = w[n:]
	}
	return m
}

func appendUpper(b []byte, r rune) []byte {
	if s, ok := upperOf[r]; ok {
		return append(b, s...)
	}
	return utf8.AppendRune(b, unicode.ToUpper(r))
}

func appendTitle(b []byte, r rune) []byte {
	if s, ok := titleOf[r]; ok {
		return append(b, s...)
	}
	if s, ok := upperOf[r]; ok && unicode.ToTitle(r) == r && !unicode.IsTitle(r) {
		first, n := utf8.DecodeRuneInString(s)
		b = utf8.AppendRune(b, first)
		for _, r := range s[n:] {
			b = utf8.AppendRune(b, unicode.ToLower(r))
		}
		return b
	}
	return utf8.AppendRune(b, unicode.ToTitle(r))
}

// appendLower writes the lower case of the character at s[i:]; a capital
// sigma depends on what is around it.
func appendLower(b []byte, s string, i int, r rune) []byte {
	switch r {
	case 'Σ':
		if finalSigma(s, i) {
			return append(b, "ς"...)
		}
	case 'İ':
		return append(b, "i\u0307"...)
	}
	return utf8.AppendRune(b, unicode.ToLower(r))
}

// finalSigma reports whether a sigma ends a word: a letter is ahead of it
// and none behind, not counting marks and apostrophes.
func finalSigma(s string, i int) bool {
	before := false
	for j := i; j > 0; {
		r, n := utf8.DecodeLastRuneInString(s[:j])
		j -= n
		if !caseIgnorable(r) {
			before = isCased(r)
			break
		}
	}
	if !before {
		return false
	}
	for _, r := range s[i+len("Σ"):] {
		if !caseIgnorable(r) {
			return !isCased(r)
		}
	}
	return true
}

func caseIgnorable(r rune) bool {
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) ||
		strings.ContainsRune("'.:·’‘․", r)
}

func isCased(r rune) bool {
	return isUpperRune(r) || isLowerRune(r) || unicode.IsTitle(r)
}

func upper(s string) string {
	if isASCII(s) {
		return strings.ToUpper(s)
	}
	b := make([]byte, 0, len(s)+8)
	for _, r := range s {
		b = appendUpper(b, r)
	}
	return string(b)
}

func lower(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	b := make([]byte, 0, len(s)+8)
	for i, r := range s {
		b = appendLower(b, s, i, r)
	}
	return string(b)
}

// casefold is what texts that differ only in case have in common.
func casefold(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	b := make([]byte, 0, len(s)+8)
	for _, r := range s {
		switch {
		case r == 'ı':
			b = utf8.AppendRune(b, r)
		case r == 'ẞ':
			b = append(b, "ss"...)
		case unicode.Is(unicode.Cherokee, r): // folds to upper case
			b = utf8.AppendRune(b, unicode.ToUpper(r))
		default:
			for _, u := range string(appendUpper(nil, r)) {
				b = appendLower(b, "", 0, u)
			}
		}
	}
	return string(b)
}

// title starts each word with a capital.
func title(s string) string {
	b := make([]byte, 0, len(s)+8)
	inWord := false
	for i, r := range s {
		if inWord {
			b = appendLower(b, s, i, r)
		} else {
			b = appendTitle(b, r)
		}
		inWord = isCased(r)
	}
	return string(b)
}

func capitalize(s string) string {
	b := make([]byte, 0, len(s)+8)
	for i, r := range s {
		if i == 0 {
			b = appendTitle(b, r)
		} else {
			b = appendLower(b, s, i, r)
		}
	}
	return string(b)
}

func swapcase(s string) string {
	b := make([]byte, 0, len(s)+8)
	for i, r := range s {
		switch {
		case isUpperRune(r):
			b = appendLower(b, s, i, r)
		case isLowerRune(r):
			b = appendUpper(b, r)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return string(b)
}
