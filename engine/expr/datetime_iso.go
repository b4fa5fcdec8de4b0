package expr

import (
	"fmt"
	"strings"
	"time"
)

// iso writes a day as 2024-02-29.
func (d Date) iso() string { return fmt.Sprintf("%04d-%02d-%02d", d.year, d.month, d.day) }

// iso writes a time as 13:05:09, with microseconds if there are any, or to a
// given precision.
func (t Time) iso(spec string) (string, error) {
	hm := fmt.Sprintf("%02d:%02d", t.hour, t.minute)
	hms := fmt.Sprintf("%s:%02d", hm, t.second)
	s := hms
	switch spec {
	case "auto":
		if t.micro > 0 {
			s = fmt.Sprintf("%s.%06d", hms, t.micro)
		}
	case "hours":
		s = hm[:2]
	case "minutes":
		s = hm
	case "seconds":
	case "milliseconds":
		s = fmt.Sprintf("%s.%03d", hms, t.micro/1000)
	case "microseconds":
		s = fmt.Sprintf("%s.%06d", hms, t.micro)
	default:
		return "", raise(excValueError, "Unknown timespec value")
	}
	if t.zone.known {
		s += offsetText(t.zone.offset, ":")
	}
	return s, nil
}

func (t Time) text() string {
	s, _ := t.iso("auto") // a spec that exists
	return s
}

func (dt Datetime) iso(sep string) string { return dt.Date.iso() + sep + dt.Time.text() }

// offsetText writes an offset as +02:00, with seconds if there are any.
func offsetText(us int64, sep string) string {
	sign := "+"
	if us < 0 {
		sign, us = "-", -us
	}
	s := us / second
	text := fmt.Sprintf("%s%02d%s%02d", sign, s/3600, sep, s/60%60)
	if s%60 != 0 || us%second != 0 {
		text += fmt.Sprintf("%s%02d", sep, s%60)
	}
	if us%second != 0 {
		text += fmt.Sprintf(".%06d", us%second)
	}
	return text
}

// leadingDigits reads n decimal digits ahead of a text.
func leadingDigits(s string, n int) (v int64, rest string, ok bool) {
	if len(s) < n {
		return 0, s, false
	}
	for i := range n {
		if !isDigit(s[i]) {
			return 0, s, false
		}
		v = v*10 + int64(s[i]-'0')
	}
	return v, s[n:], true
}

func errISO(s string) error { return raise(excValueError, "Invalid isoformat string: %s", Repr(s)) }

// parseDate reads a day in a form of ISO 8601: 2024-02-29, 20240229 or
// 2024-W09-4. It gives what follows it.
func parseDate(s string) (d Date, rest string, err error) {
	whole := s
	year, s, ok := leadingDigits(s, 4)
	dash := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	if week, found := strings.CutPrefix(s, "W"); found && ok {
		return parseWeekDate(whole, year, week, dash)
	}
	month, s, ok1 := leadingDigits(s, 2)
	if dash {
		var found bool
		s, found = strings.CutPrefix(s, "-")
		ok = ok && found
	}
	dayOfMonth, s, ok2 := leadingDigits(s, 2)
	if !ok || !ok1 || !ok2 {
		return Date{}, "", errISO(whole)
	}
	d, err = newDate(year, month, dayOfMonth)
	return d, s, err
}

func parseWeekDate(whole string, year int64, s string, dash bool) (Date, string, error) {
	week, s, ok := leadingDigits(s, 2)
	weekday := int64(1)
	if t, found := strings.CutPrefix(s, "-"); found == dash && t != "" && isDigit(t[0]) {
		var ok2 bool
		weekday, s, ok2 = leadingDigits(t, 1)
		ok = ok && ok2
	}
	if !ok {
		return Date{}, "", errISO(whole)
	}
	d, err := dateOfWeek(year, week, weekday)
	return d, s, err
}

// dateOfWeek gives the day of an ISO week, whose first holds January 4th.
func dateOfWeek(year, week, weekday int64) (Date, error) {
	if year < 1 || year > maxYear || week < 1 || week > 53 || weekday < 1 || weekday > 7 {
		return Date{}, raise(excValueError, "Invalid week: %d", week)
	}
	jan4 := Date{int(year), 1, 4}
	d, err := dateOfOrdinal(jan4.ordinal() - int64(jan4.weekday()) + (week-1)*7 + weekday - 1)
	if err != nil {
		return Date{}, err
	}
	if y, w := d.midnight().ISOWeek(); int64(y) != year || int64(w) != week {
		return Date{}, raise(excValueError, "Invalid week: %d", week)
	}
	return d, nil
}

// parseTime reads a time in a form of ISO 8601: 13, 13:05, 13:05:09.25,
// 130509, with Z or an offset after it.
func parseTime(s string) (Time, error) {
	whole := s
	body, zone := s, Zone{}
	if i := strings.IndexAny(s, "+-Zz"); i >= 0 {
		body = s[:i]
		switch {
		case s[i] == 'Z' || s[i] == 'z':
			if i != len(s)-1 {
				return Time{}, errISO(whole)
			}
			zone = utc
		default:
			us, err := parseClock(s[i+1:], whole)
			if err != nil {
				return Time{}, err
			}
			if s[i] == '-' {
				us = -us
			}
			zone = fixedZone(us)
		}
	}
	us, err := parseClock(body, whole)
	if err != nil {
		return Time{}, err
	}
	if us >= day {
		return Time{}, raise(excValueError, "hour must be in 0..23")
	}
	return timeOfClock(us, zone), nil
}

// parseClock reads hours, minutes, seconds and a fraction, with or without
// colons, as microseconds.
func parseClock(s, whole string) (int64, error) {
	unit, total := 3600*second, int64(0)
	colons := len(s) > 2 && s[2] == ':'
	for i := 0; ; i++ {
		n, rest, ok := leadingDigits(s, 2)
		if !ok || i > 0 && n > 59 {
			return 0, errISO(whole)
		}
		total += n * unit
		s = rest
		if s == "" {
			return total, nil
		}
		if i == 2 {
			break
		}
		unit /= 60
		if colons {
			if s, ok = strings.CutPrefix(s, ":"); !ok {
				return 0, errISO(whole)
			}
		}
	}
	if s[0] != '.' && s[0] != ',' || len(s) < 2 || strings.Trim(s[1:], "0123456789") != "" {
		return 0, errISO(whole)
	}
	fraction := (s[1:] + "00000")[:6]
	n, _, _ := leadingDigits(fraction, 6)
	return total + n, nil
}

func parseDatetime(s string) (Datetime, error) {
	d, rest, err := parseDate(s)
	if err != nil || rest == "" {
		return Datetime{Date: d}, err
	}
	sep := textOffset(rest, 1)
	t, err := parseTime(rest[sep:])
	if err != nil {
		return Datetime{}, errISO(s)
	}
	return Datetime{d, t}, nil
}

// momentIn gives a moment of the world's clock as a Datetime in a zone.
func momentIn(t time.Time, zone Zone) (Datetime, error) {
	us := t.Unix()*second + int64(t.Nanosecond()/1000) - firstDay*day
	return datetimeOfMicros(us+zone.offset, zone)
}

func (d Date) str(p *printer) error      { return p.text(d.iso()) }
func (t Time) str(p *printer) error      { return p.text(t.text()) }
func (dt Datetime) str(p *printer) error { return p.text(dt.iso(" ")) }
func (z Zone) str(p *printer) error      { return p.text(z.name) }

func (d Date) jsonText() string      { return d.iso() }
func (t Time) jsonText() string      { return t.text() }
func (dt Datetime) jsonText() string { return dt.iso("T") }
func (d Delta) jsonText() string     { return d.text() }

func (d Delta) str(p *printer) error { return p.text(d.text()) }

// text writes a duration as `2 days, 3:04:05`.
func (d Delta) text() string {
	days, s, us := d.parts()
	text := fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	if us != 0 {
		text += fmt.Sprintf(".%06d", us)
	}
	switch days {
	case 0:
		return text
	case 1, -1:
		return fmt.Sprintf("%d day, %s", days, text)
	}
	return fmt.Sprintf("%d days, %s", days, text)
}

func (d Date) repr(p *printer) error {
	return p.text(fmt.Sprintf("datetime.date(%d, %d, %d)", d.year, d.month, d.day))
}

func (t Time) repr(p *printer) error { return p.text("datetime.time(" + t.args() + ")") }

func (dt Datetime) repr(p *printer) error {
	return p.text(fmt.Sprintf("datetime.datetime(%d, %d, %d, %s)", dt.year, dt.month, dt.day, dt.args()))
}

// args writes a time as arguments, those at the end left out if zero.
func (t Time) args() string {
	s := fmt.Sprintf("%d, %d", t.hour, t.minute)
	if t.second != 0 || t.micro != 0 {
		s += fmt.Sprintf(", %d", t.second)
	}
	if t.micro != 0 {
		s += fmt.Sprintf(", %d", t.micro)
	}
	if t.zone.known {
		s += ", tzinfo=" + t.zone.literal()
	}
	return s
}

func (d Delta) repr(p *printer) error { return p.text(d.literal()) }

func (d Delta) literal() string {
	days, s, us := d.parts()
	var parts []string
	for _, part := range []struct {
		name string
		n    int64
	}{{"days", days}, {"seconds", s}, {"microseconds", us}} {
		if part.n != 0 {
			parts = append(parts, fmt.Sprintf("%s=%d", part.name, part.n))
		}
	}
	if parts == nil {
		parts = []string{"0"}
	}
	return "datetime.timedelta(" + strings.Join(parts, ", ") + ")"
}

func (z Zone) repr(p *printer) error { return p.text(z.literal()) }

func (z Zone) literal() string {
	if z == utc {
		return "datetime.timezone.utc"
	}
	return "datetime.timezone(" + Delta{z.offset}.literal() + ")"
}
