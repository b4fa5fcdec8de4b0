package configs

import (
	"errors"
	"strconv"
	"strings"
)

var (
	errWholeNumber = errors.New("wants a whole number")
	errLeadingZero = errors.New("has a leading zero, which some read as octal; leave it out")
	errNegative    = errors.New("must not be negative")
)

// wholeNumber reads a number from zero up, written in decimal digits alone.
func wholeNumber(text string) (int, error) {
	if rest, ok := strings.CutPrefix(text, "-"); ok {
		if _, err := strconv.Atoi(rest); err == nil {
			return 0, errNegative
		}
	}
	if hasLeadingZero(text) {
		return 0, errLeadingZero
	}
	n, err := strconv.Atoi(text)
	if err != nil || strings.HasPrefix(text, "+") {
		return 0, errWholeNumber
	}
	return n, nil
}

func hasLeadingZero(text string) bool {
	return len(text) > 1 && text[0] == '0' && '0' <= text[1] && text[1] <= '9'
}
