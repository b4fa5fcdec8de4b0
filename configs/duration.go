package configs

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

const day = 24 * time.Hour

// ParseDuration reads a duration as settings write it: 30s, 1h30m, 7d.
func ParseDuration(text string) (time.Duration, error) { return parseDuration(text) }

// parseDuration reads what [time.ParseDuration] reads, with whole days of 24
// hours in front: 7d, 1d12h. Only zero needs no unit.
func parseDuration(text string) (time.Duration, error) {
	if strings.HasPrefix(text, "-") {
		return 0, errNegative
	}
	if hasLeadingZero(text) {
		return 0, errLeadingZero
	}
	if n, err := wholeNumber(text); err == nil && n > 0 {
		return 0, fmt.Errorf(`wants a unit, for example "%ds"`, n)
	}
	wrong := fmt.Errorf(`wants a duration, for example "30s", got %q`, text)
	days, rest, ok := strings.Cut(text, "d")
	if !ok {
		days, rest = "0", text
	}
	n, err := wholeNumber(days)
	if err != nil {
		return 0, wrong
	}
	if n > int(1<<63-1)/int(day) {
		return 0, errors.New("is too long")
	}
	var d time.Duration
	if rest != "" || !ok {
		if d, err = time.ParseDuration(rest); err != nil || strings.HasPrefix(rest, "+") || d < 0 {
			return 0, wrong
		}
	}
	if d += time.Duration(n) * day; d < 0 {
		return 0, errors.New("is too long")
	}
	return d, nil
}

// formatDuration writes d as short as parseDuration reads it.
func formatDuration(d time.Duration) string {
	if d != 0 && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
