package expr

import "unicode/utf8"

// Text is UTF-8 that answers by code point. For ASCII, which most text is,
// the two are the same and positions need no search.

func isASCII(s string) bool {
	for len(s) >= 8 {
		if s[0]|s[1]|s[2]|s[3]|s[4]|s[5]|s[6]|s[7] >= utf8.RuneSelf {
			return false
		}
		s = s[8:]
	}
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// textLen gives the number of code points.
func textLen(s string) int { return utf8.RuneCountInString(s) }

// textOffset gives the octet position of code point i, or the length if there
// are no more than i.
func textOffset(s string, i int) int {
	for at := range s {
		if i == 0 {
			return at
		}
		i--
	}
	return len(s)
}

// A textIndex finds the code points of a text without going through all of it
// each time.
type textIndex struct {
	text  string
	ascii bool
	n     int   // code points
	marks []int // octet positions of every markEvery-th code point, unless ASCII
}

const markEvery = 64

// newTextIndex goes through a text. One that is short has no marks.
func newTextIndex(s string) textIndex {
	x := textIndex{text: s, ascii: isASCII(s), n: len(s)}
	if x.ascii {
		return x
	}
	x.n = textLen(s)
	if x.n <= markEvery {
		return x
	}
	x.marks = make([]int, 0, x.n/markEvery+1)
	n := 0
	for at := range s {
		if n%markEvery == 0 {
			x.marks = append(x.marks, at)
		}
		n++
	}
	return x
}

// offset gives the octet position of code point i, which is at most n.
func (x *textIndex) offset(i int) int {
	if x.ascii {
		return i
	}
	at := 0
	if m := i / markEvery; m < len(x.marks) {
		at, i = x.marks[m], i%markEvery
	}
	return at + textOffset(x.text[at:], i)
}

// keptTexts is how many indexes an evaluation keeps, for loops that go through
// some texts by position.
const keptTexts = 4

// indexed gives the index of a text.
func (ev *eval) indexed(s string) (textIndex, error) {
	if len(s) <= markEvery {
		return newTextIndex(s), nil
	}
	for i := range ev.texts {
		if ev.texts[i].text == s {
			return ev.texts[i], nil
		}
	}
	if err := ev.spend(len(s) / 64); err != nil {
		return textIndex{}, err
	}
	x := newTextIndex(s)
	if err := ev.grow(len(x.marks) * 8); err != nil {
		return textIndex{}, err
	}
	if len(ev.texts) < keptTexts {
		ev.texts = append(ev.texts, x)
	} else {
		ev.texts[ev.nextText] = x
		ev.nextText = (ev.nextText + 1) % keptTexts
	}
	return x, nil
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
