package main

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// printable is a text from elsewhere as it may be written to a terminal, in one
// line: what would move the cursor or change colours is shown, not obeyed.
func printable(text string) string {
	if !strings.ContainsFunc(text, obeyed) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if obeyed(r) {
			fmt.Fprintf(&b, `\x%02x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func obeyed(r rune) bool { return unicode.IsControl(r) && r != '\t' }

// fit cuts a text to so many columns of a terminal.
func fit(text string, columns int) string {
	text = strings.ReplaceAll(printable(text), "\t", " ")
	used, last := 0, 0 // last is where the text is cut to have room for the mark
	for i, r := range text {
		if used+cells(r) > columns {
			return text[:last] + "…"
		}
		if used += cells(r); used < columns {
			last = i + len(string(r))
		}
	}
	return text
}

// cells is how many columns a character takes.
func cells(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}
