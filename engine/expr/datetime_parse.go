package expr

import (
	"strings"
	"time"
	"unicode/utf8"
)

// A dateReader reads a moment by a format.
type dateReader struct {
	text   string
	year   int64
	month  int64
	day    int64
	clock  [4]int64 // hour, minute, second, microsecond
	half   string   // AM or PM
	zone   Zone
	yday   int64
	failed bool
}

func parseByFormat(text, format string) (Datetime, error) {
	r := dateReader{text: text, year: 1900, month: 1, day: 1}
	mismatch := func() error {
		return raise(excValueError, "time data %s does not match format %s", Repr(text), Repr(format))
	}
	for expanded := expand(format); expanded != "" && !r.failed; {
		c, n := utf8.DecodeRuneInString(expanded)
		expanded = expanded[n:]
		switch {
		case isSpace(c):
			r.text = strings.TrimLeftFunc(r.text, isSpace)
		case c == '%' && expanded != "":
			r.directive(expanded[0])
			expanded = expanded[1:]
		default:
			r.literal(string(c))
		}
	}
	if r.failed {
		return Datetime{}, mismatch()
	}
	if r.text != "" {
		return Datetime{}, raise(excValueError, "unconverted data remains: %s", r.text)
	}
	return r.datetime()
}

func expand(format string) string {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] == '%' && i+1 < len(format) {
			if parts, ok := composed[format[i+1]]; ok {
				b.WriteString(strings.ReplaceAll(parts, "%e", "%d"))
			} else {
				b.WriteString(format[i : i+2])
			}
			i++
			continue
		}
		b.WriteByte(format[i])
	}
	return b.String()
}

func (r *dateReader) literal(s string) {
	rest, ok := strings.CutPrefix(r.text, s)
	r.text, r.failed = rest, r.failed || !ok
}

// number reads up to n digits.
func (r *dateReader) number(n int) int64 {
	i := 0
	for i < n && i < len(r.text) && isDigit(r.text[i]) {
		i++
	}
	v, rest, ok := leadingDigits(r.text, i)
	if !ok || i == 0 {
		r.failed = true
	}
	r.text = rest
	return v
}

// word reads one of the names, or its first letters, and gives its number.
func (r *dateReader) word(names []string, letters int) int64 {
	for i, name := range names {
		if letters > 0 {
			name = name[:letters]
		}
		if len(r.text) >= len(name) && strings.EqualFold(r.text[:len(name)], name) {
			r.text = r.text[len(name):]
			return int64(i)
		}
	}
	r.failed = true
	return 0
}

func (r *dateReader) directive(c byte) {
	switch c {
	case 'Y':
		if r.year = r.number(4); r.year < 1 {
			r.failed = true
		}
	case 'y':
		if r.year = r.number(2); r.year < 69 {
			r.year += 2000
		} else {
			r.year += 1900
		}
	case 'm':
		r.month = r.number(2)
	case 'd':
		r.day = r.number(2)
	case 'H', 'I':
		r.clock[0] = r.number(2)
		r.failed = r.failed || c == 'I' && (r.clock[0] < 1 || r.clock[0] > 12)
	case 'M':
		r.clock[1] = r.number(2)
	case 'S':
		r.clock[2] = r.number(2)
	case 'f':
		before := len(r.text)
		r.clock[3] = r.number(6)
		for n := before - len(r.text); n < 6; n++ {
			r.clock[3] *= 10
		}
	case 'p':
		r.half = []string{"AM", "PM"}[r.word([]string{"AM", "PM"}, 0)]
	case 'b', 'h':
		r.month = r.word(monthNames, 3) + 1
	case 'B':
		r.month = r.word(monthNames, 0) + 1
	case 'a':
		r.word(dayNames, 3)
	case 'A':
		r.word(dayNames, 0)
	case 'j':
		r.yday = r.number(3)
	case 'w', 'u':
		r.number(1)
	case 'z':
		r.offset()
	case 'Z':
		if rest, ok := strings.CutPrefix(r.text, "UTC"); ok {
			r.text = rest
		} else {
			r.literal("GMT")
		}
	case '%':
		r.literal("%")
	default:
		r.failed = true
	}
}

// offset reads Z, +02:00 or +0200.
func (r *dateReader) offset() {
	if rest, ok := strings.CutPrefix(r.text, "Z"); ok {
		r.text, r.zone = rest, utc
		return
	}
	end := 1
	for end < len(r.text) && (isDigit(r.text[end]) || r.text[end] == ':') {
		end++
	}
	if len(r.text) < 5 || r.text[0] != '+' && r.text[0] != '-' {
		r.failed = true
		return
	}
	us, err := parseClock(r.text[1:end], r.text)
	if r.text[0] == '-' {
		us = -us
	}
	r.failed = r.failed || err != nil
	r.text, r.zone = r.text[end:], fixedZone(us)
}

func (r *dateReader) datetime() (Datetime, error) {
	switch {
	case r.half == "PM" && r.clock[0] < 12:
		r.clock[0] += 12
	case r.half == "AM" && r.clock[0] == 12:
		r.clock[0] = 0
	}
	if r.yday > 0 {
		d := time.Date(int(r.year), 1, int(r.yday), 0, 0, 0, 0, time.UTC)
		r.month, r.day = int64(d.Month()), int64(d.Day())
	}
	d, err := newDate(r.year, r.month, r.day)
	if err != nil {
		return Datetime{}, err
	}
	t, err := newTime(r.clock[0], r.clock[1], r.clock[2], r.clock[3], r.zone)
	return Datetime{d, t}, err
}
