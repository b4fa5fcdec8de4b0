package expr

import "unicode/utf8"

// Text is UTF-8 that answers by code point. For ASCII, which most text is,
// the two are the same and positions need no search.

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// textLen gives the number of code points.
func textLen(s string) int { return utf8.RuneCountInString(s) }

// textOffset gives the octet position of code point i, which is at most the
// length.
func textOffset(s string, i int) int {
	if isASCII(s) {
		return i
	}
	at := 0
	for ; i > 0; i-- {
		_, n := utf8.DecodeRuneInString(s[at:])
		at += n
	}
	return at
}

// textIter runs over the characters.
type textIter struct {
	rest string
}

func (it *textIter) next(*eval) (Value, bool, error) {
	if it.rest == "" {
		return nil, false, nil
	}
	_, n := utf8.DecodeRuneInString(it.rest)
	s := it.rest[:n]
	it.rest = it.rest[n:]
	return s, true, nil
}
