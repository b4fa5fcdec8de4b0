package expr

import (
	"fmt"
	"strings"
)

var (
	monthNames = []string{
		"January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
		"November", "December",
	}
	dayNames = []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}
)

// strftime writes a moment by a format of %-directives, in the C locale.
func (ev *eval) strftime(dt Datetime, format string) (string, error) {
	if err := ev.growTimes(int64(len(format)), 16); err != nil {
		return "", err
	}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		c := format[i]
		if c == '-' && i+1 < len(format) { // without leading zeros
			i++
			s := strings.TrimLeft(directive(dt, format[i]), "0")
			if s == "" {
				s = "0"
			}
			b.WriteString(s)
			continue
		}
		b.WriteString(directive(dt, c))
	}
	return b.String(), nil
}

// directive gives the text of one directive; one that does not exist stays.
func directive(dt Datetime, c byte) string {
	yearDay := dt.ordinal() - Date{dt.year, 1, 1}.ordinal()
	hour12 := (dt.hour+11)%12 + 1
	isoYear, isoWeek := dt.midnight().ISOWeek()
	two := func(n int) string { return fmt.Sprintf("%02d", n) }
	switch c {
	case 'Y':
		return fmt.Sprintf("%d", dt.year)
	case 'y':
		return two(dt.year % 100)
	case 'm':
		return two(dt.month)
	case 'd':
		return two(dt.day)
	case 'e':
		return fmt.Sprintf("%2d", dt.day)
	case 'H':
		return two(dt.hour)
	case 'I':
		return two(hour12)
	case 'M':
		return two(dt.minute)
	case 'S':
		return two(dt.second)
	case 'f':
		return fmt.Sprintf("%06d", dt.micro)
	case 'p':
		if dt.hour < 12 {
			return "AM"
		}
		return "PM"
	case 'a':
		return dayNames[dt.weekday()][:3]
	case 'A':
		return dayNames[dt.weekday()]
	case 'b', 'h':
		return monthNames[dt.month-1][:3]
	case 'B':
		return monthNames[dt.month-1]
	case 'j':
		return fmt.Sprintf("%03d", yearDay+1)
	case 'w':
		return fmt.Sprintf("%d", (dt.weekday()+1)%7)
	case 'u':
		return fmt.Sprintf("%d", dt.weekday()+1)
	case 'U':
		return two((int(yearDay) + 7 - (dt.weekday()+1)%7) / 7)
	case 'W':
		return two((int(yearDay) + 7 - dt.weekday()) / 7)
	case 'G':
		return fmt.Sprintf("%04d", isoYear)
	case 'V':
		return two(isoWeek)
	case 'z':
		if !dt.zone.known {
			return ""
		}
		return offsetText(dt.zone.offset, "")
	case 'Z':
		return dt.zone.name
	case 's':
		return fmt.Sprintf("%d", dt.utcMicros()/second+firstDay*86400)
	case '%':
		return "%"
	case 'n':
		return "\n"
	case 't':
		return "\t"
	}
	if parts, ok := composed[c]; ok {
		var b strings.Builder
		for i := 0; i < len(parts); i++ {
			if parts[i] == '%' {
				i++
				b.WriteString(directive(dt, parts[i]))
				continue
			}
			b.WriteByte(parts[i])
		}
		return b.String()
	}
	return "%" + string(rune(c))
}

// composed are the directives that stand for several.
var composed = map[byte]string{
	'c': "%a %b %e %H:%M:%S %Y", 'x': "%m/%d/%y", 'X': "%H:%M:%S", 'D': "%m/%d/%y", 'F': "%Y-%m-%d",
	'T': "%H:%M:%S", 'R': "%H:%M", 'r': "%I:%M:%S %p",
}

func (d Date) format(ev *eval, spec string) (string, error) {
	return ev.strftime(Datetime{Date: d}, spec)
}

func (t Time) format(ev *eval, spec string) (string, error) {
	return ev.strftime(Datetime{Date{1900, 1, 1}, t}, spec)
}

func (dt Datetime) format(ev *eval, spec string) (string, error) { return ev.strftime(dt, spec) }
