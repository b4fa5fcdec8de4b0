package configs

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Size is a number of bytes. It is written with its unit: 100B, 512KiB,
// 1MiB, 2GiB.
type Size int64

// Units of a Size.
const (
	KiB Size = 1 << 10
	MiB Size = 1 << 20
	GiB Size = 1 << 30
)

var units = [...]struct {
	name string
	size Size
}{{"GiB", GiB}, {"MiB", MiB}, {"KiB", KiB}, {"B", 1}}

func (s Size) String() string {
	for _, u := range units {
		if s != 0 && s%u.size == 0 {
			return strconv.FormatInt(int64(s/u.size), 10) + u.name
		}
	}
	return "0B"
}

// MarshalText writes the size with its unit.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a size with its unit. Only zero needs none.
func (s *Size) UnmarshalText(text []byte) error {
	digits := strings.TrimRightFunc(string(text), func(r rune) bool { return r < '0' || r > '9' })
	unit := string(text[len(digits):])
	n, err := wholeNumber(digits)
	switch {
	case err == errWholeNumber:
		return fmt.Errorf(`wants a size, for example "1MiB", got %q`, text)
	case err != nil:
		return err
	case unit == "" && n == 0:
		*s = 0
		return nil
	}
	for _, u := range units {
		switch {
		case unit != u.name:
		case int64(n) > math.MaxInt64/int64(u.size):
			return fmt.Errorf("is too large, got %q", text)
		default:
			*s = Size(n) * u.size
			return nil
		}
	}
	return fmt.Errorf(`wants a unit (B, KiB, MiB or GiB), for example "%dMiB"`, n)
}
