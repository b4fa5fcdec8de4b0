package expr

import (
	"time"
)

// The values of Python's datetime. All are plain structs that compare with
// ==, and none knows a clock.
type (
	// A Date is a day of the proleptic Gregorian calendar.
	Date struct{ year, month, day int }

	// A Time is a time of day, with an offset from UTC if it is aware.
	Time struct {
		hour, minute, second, micro int
		zone                        Zone
	}

	// A Datetime is a day and a time.
	Datetime struct {
		Date
		Time
	}

	// A Delta is a duration, in microseconds.
	Delta struct{ us int64 }

	// A Zone is a fixed offset from UTC; the zero value is none.
	Zone struct {
		known  bool
		offset int64 // in microseconds
		name   string
	}
)

var (
	typeDate     = &Type{name: "date"}
	typeTime     = &Type{name: "time"}
	typeDatetime = &Type{name: "datetime", base: typeDate}
	typeDelta    = &Type{name: "timedelta"}
	typeZone     = &Type{name: "timezone"}
)

var utc = Zone{known: true, name: "UTC"}

// DateOf gives the day of a moment, in its location.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date{y, int(m), d}
}

// DatetimeOf gives a moment as its location's clocks show it: aware, with
// the offset from UTC, or naive, without.
func DatetimeOf(t time.Time, aware bool) Datetime {
	dt := Datetime{DateOf(t), Time{hour: t.Hour(), minute: t.Minute(), second: t.Second(), micro: t.Nanosecond() / 1000}}
	if aware {
		_, offset := t.Zone()
		dt.zone = fixedZone(int64(offset) * second)
	}
	return dt
}

const (
	second  = int64(1_000_000)
	day     = 86_400 * second
	maxYear = 9999
)

// fixedZone gives the zone of an offset; UTC if it is zero.
func fixedZone(offset int64) Zone {
	if offset == 0 {
		return utc
	}
	return Zone{known: true, offset: offset, name: "UTC" + offsetText(offset, ":")}
}

func newDate(year, month, d int64) (Date, error) {
	switch {
	case year < 1 || year > maxYear:
		return Date{}, raise(excValueError, "year must be in 1..9999, not %d", year)
	case month < 1 || month > 12:
		return Date{}, raise(excValueError, "month must be in 1..12, not %d", month)
	case d < 1 || d > int64(daysIn(int(year), int(month))):
		return Date{}, raise(excValueError, "day %d must be in range 1..%d for month %d in year %d", d, daysIn(int(year), int(month)), month, year)
	}
	return Date{int(year), int(month), int(d)}, nil
}

func newTime(hour, minute, sec, micro int64, zone Zone) (Time, error) {
	for _, part := range []struct {
		name     string
		n, below int64
	}{{"hour", hour, 24}, {"minute", minute, 60}, {"second", sec, 60}, {"microsecond", micro, second}} {
		if part.n < 0 || part.n >= part.below {
			return Time{}, raise(excValueError, "%s must be in 0..%d, not %d", part.name, part.below-1, part.n)
		}
	}
	return Time{int(hour), int(minute), int(sec), int(micro), zone}, nil
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// midnight gives a day as a moment of UTC, for the calendar of package time.
func (d Date) midnight() time.Time {
	return time.Date(d.year, time.Month(d.month), d.day, 0, 0, 0, 0, time.UTC)
}

// firstDay is the Unix day of 0001-01-01, whose ordinal is 1.
const firstDay = -719162

// ordinal counts the days, from 1 for 0001-01-01.
func (d Date) ordinal() int64 { return d.midnight().Unix()/86400 - firstDay + 1 }

func dateOfOrdinal(n int64) (Date, error) {
	if n < 1 || n > 3652059 {
		return Date{}, raise(excOverflowError, "date value out of range")
	}
	return DateOf(time.Unix((n-1+firstDay)*86400, 0).UTC()), nil
}

// weekday counts from Monday, which is 0.
func (d Date) weekday() int { return (int(d.midnight().Weekday()) + 6) % 7 }

// clock gives the microseconds since midnight.
func (t Time) clock() int64 {
	return (int64(t.hour)*3600+int64(t.minute)*60+int64(t.second))*second + int64(t.micro)
}

func timeOfClock(us int64, zone Zone) Time {
	s := us / second
	return Time{int(s / 3600), int(s / 60 % 60), int(s % 60), int(us % second), zone}
}

// micros counts the microseconds since 0001-01-01, as the clocks show it.
func (dt Datetime) micros() int64 { return (dt.ordinal()-1)*day + dt.clock() }

// utcMicros is micros on clocks that show UTC.
func (dt Datetime) utcMicros() int64 { return dt.micros() - dt.zone.offset }

func datetimeOfMicros(us int64, zone Zone) (Datetime, error) {
	days, rest := us/day, us%day
	if rest < 0 {
		days, rest = days-1, rest+day
	}
	d, err := dateOfOrdinal(days + 1)
	return Datetime{d, timeOfClock(rest, zone)}, err
}

func (Date) class() *Type     { return typeDate }
func (Time) class() *Type     { return typeTime }
func (Datetime) class() *Type { return typeDatetime }
func (Delta) class() *Type    { return typeDelta }
func (Zone) class() *Type     { return typeZone }

func (d Date) hashKey() (any, error)  { return d, nil }
func (d Delta) hashKey() (any, error) { return d, nil }
func (z Zone) hashKey() (any, error)  { return z.offset, nil }

// instant is the hash key of what is aware: the same moment in any zone.
type instant int64

func (t Time) hashKey() (any, error) {
	if t.zone.known {
		return instant(t.clock() - t.zone.offset), nil
	}
	return t, nil
}

func (dt Datetime) hashKey() (any, error) {
	if dt.zone.known {
		return instant(dt.utcMicros()), nil
	}
	return dt, nil
}

func (d Delta) truth() bool { return d.us != 0 }

func (d Date) equal(_ *walk, other Value) (bool, error) {
	o, ok := other.(Date)
	return ok && o == d, nil
}

func (t Time) equal(_ *walk, other Value) (bool, error) {
	o, ok := other.(Time)
	return ok && o.zone.known == t.zone.known && o.clock()-o.zone.offset == t.clock()-t.zone.offset, nil
}

func (dt Datetime) equal(_ *walk, other Value) (bool, error) {
	o, ok := other.(Datetime)
	return ok && o.zone.known == dt.zone.known && o.utcMicros() == dt.utcMicros(), nil
}

func (d Delta) equal(_ *walk, other Value) (bool, error) {
	o, ok := other.(Delta)
	return ok && o == d, nil
}

func (z Zone) equal(_ *walk, other Value) (bool, error) {
	o, ok := other.(Zone)
	return ok && o.offset == z.offset, nil
}

func (d Date) order(other Value) (int, bool, error) {
	o, ok := other.(Date)
	return compare3(d.ordinal(), o.ordinal()), ok, nil
}

func (t Time) order(other Value) (int, bool, error) {
	o, ok := other.(Time)
	if ok && o.zone.known != t.zone.known {
		return 0, false, raise(excTypeError, "can't compare offset-naive and offset-aware times")
	}
	return compare3(t.clock()-t.zone.offset, o.clock()-o.zone.offset), ok, nil
}

func (dt Datetime) order(other Value) (int, bool, error) {
	o, ok := other.(Datetime)
	if ok && o.zone.known != dt.zone.known {
		return 0, false, raise(excTypeError, "can't compare offset-naive and offset-aware datetimes")
	}
	return compare3(dt.utcMicros(), o.utcMicros()), ok, nil
}

func (d Delta) order(other Value) (int, bool, error) {
	o, ok := other.(Delta)
	return compare3(d.us, o.us), ok, nil
}
