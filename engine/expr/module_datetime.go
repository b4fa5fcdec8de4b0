package expr

import (
	"math"
	"math/big"
	"time"
)

func datetimeModule() *Module {
	return &Module{name: "datetime", names: map[string]Value{
		"date": typeDate, "time": typeTime, "datetime": typeDatetime, "timedelta": typeDelta, "timezone": typeZone,
		"UTC": utc, "MINYEAR": int64(1), "MAXYEAR": int64(maxYear),
	}}
}

func linkDatetime() {
	linkDate()
	linkDatetimeType()
	linkTime()
	linkDelta()
	linkZone()
}

// method1 makes a method of a function of the value alone.
func method1[T Value](name string, f func(T) Value) *Builtin {
	return def(name, "/", func(_ *eval, a []Value) (Value, error) { return f(a[0].(T)), nil })
}

func getter[T Value](f func(T) Value) func(Value) Value {
	return func(v Value) Value { return f(v.(T)) }
}

// argInts takes integers, each by default what is in def.
func argInts(a []Value, def ...int64) ([]int64, error) {
	ns := make([]int64, len(def))
	for i := range def {
		var err error
		if ns[i], err = argInt(a[i], def[i]); err != nil {
			return nil, err
		}
	}
	return ns, nil
}

// argZone takes a timezone, def if it is not given.
func argZone(v Value, def Zone) (Zone, error) {
	switch z := v.(type) {
	case absentArg:
		return def, nil
	case nil:
		return Zone{}, nil
	case Zone:
		return z, nil
	}
	return Zone{}, raise(excTypeError, "tzinfo argument must be None or of a tzinfo subclass, not type '%s'", TypeName(v))
}

// dateOf gives the day of a date or datetime, whose methods they share.
func dateOf(v Value) Date {
	if dt, ok := v.(Datetime); ok {
		return dt.Date
	}
	return v.(Date)
}

// full gives a date as a datetime, at midnight.
func full(v Value) Datetime {
	if dt, ok := v.(Datetime); ok {
		return dt
	}
	return Datetime{Date: v.(Date)}
}

func dateMethod(name string, f func(Date) Value) *Builtin {
	return def(name, "/", func(_ *eval, a []Value) (Value, error) { return f(dateOf(a[0])), nil })
}

var typeISODate = &Type{name: "datetime.IsoCalendarDate", base: typeNamed}

func linkDate() {
	typeDate.make = newBuiltin("date", "year month day", func(_ *eval, a []Value) (Value, error) {
		ns, err := argInts(a, 0, 0, 0)
		if err != nil {
			return nil, err
		}
		return valueOr(newDate(ns[0], ns[1], ns[2]))
	})
	typeDate.statics = map[string]Value{
		"min": Date{1, 1, 1}, "max": Date{maxYear, 12, 31}, "resolution": Delta{day},
		"today": newBuiltin("today", "", func(ev *eval, _ []Value) (Value, error) { return DateOf(ev.clock()), nil }),
		"fromisoformat": newBuiltin("fromisoformat", "s /", func(_ *eval, a []Value) (Value, error) {
			s, err := argStr(a[0], "")
			if err != nil {
				return nil, err
			}
			d, rest, err := parseDate(s)
			if err == nil && rest != "" {
				err = errISO(s)
			}
			return valueOr(d, err)
		}),
		"fromordinal": newBuiltin("fromordinal", "n /", func(_ *eval, a []Value) (Value, error) {
			n, err := argInt(a[0], 0)
			if err != nil {
				return nil, err
			}
			return valueOr(dateOfOrdinal(n))
		}),
		"fromtimestamp": newBuiltin("fromtimestamp", "t /", func(ev *eval, a []Value) (Value, error) {
			dt, err := ev.fromTimestamp(a[0], Zone{})
			return valueOr(dt.Date, err)
		}),
		"fromisocalendar": newBuiltin("fromisocalendar", "year week day", func(_ *eval, a []Value) (Value, error) {
			ns, err := argInts(a, 0, 0, 0)
			if err != nil {
				return nil, err
			}
			return valueOr(dateOfWeek(ns[0], ns[1], ns[2]))
		}),
	}
	typeDate.methods = table(
		dateMethod("weekday", func(d Date) Value { return int64(d.weekday()) }),
		dateMethod("isoweekday", func(d Date) Value { return int64(d.weekday() + 1) }),
		dateMethod("toordinal", func(d Date) Value { return d.ordinal() }),
		dateMethod("isocalendar", func(d Date) Value {
			year, week := d.midnight().ISOWeek()
			return &named{
				kind: typeISODate, names: []string{"year", "week", "weekday"},
				items: Tuple{int64(year), int64(week), int64(d.weekday() + 1)},
			}
		}),
		method1("isoformat", func(d Date) Value { return d.iso() }),
		def("strftime", "format", func(ev *eval, a []Value) (Value, error) {
			format, err := argStr(a[1], "")
			if err != nil {
				return nil, err
			}
			s, err := ev.strftime(full(a[0]), format)
			return s, err
		}),
		def("ctime", "/", func(ev *eval, a []Value) (Value, error) {
			s, err := ev.strftime(full(a[0]), "%c")
			return s, err
		}),
		def("timetuple", "/", func(_ *eval, a []Value) (Value, error) { return timeTuple(full(a[0]), -1), nil }),
		def("replace", "year? month? day?", func(_ *eval, a []Value) (Value, error) {
			d := a[0].(Date)
			ns, err := argInts(a[1:], int64(d.year), int64(d.month), int64(d.day))
			if err != nil {
				return nil, err
			}
			return valueOr(newDate(ns[0], ns[1], ns[2]))
		}),
	)
	typeDate.getters = map[string]func(Value) Value{
		"year":  func(v Value) Value { return int64(dateOf(v).year) },
		"month": func(v Value) Value { return int64(dateOf(v).month) },
		"day":   func(v Value) Value { return int64(dateOf(v).day) },
	}
}

func linkTime() {
	const params = "hour? minute? second? microsecond? tzinfo? * fold?"
	typeTime.make = newBuiltin("time", params, func(_ *eval, a []Value) (Value, error) {
		return replaceTime(Time{}, a)
	})
	typeTime.statics = map[string]Value{
		"min": Time{}, "max": timeOfClock(day-1, Zone{}), "resolution": Delta{1},
		"fromisoformat": newBuiltin("fromisoformat", "s /", func(_ *eval, a []Value) (Value, error) {
			s, err := argStr(a[0], "")
			if err != nil {
				return nil, err
			}
			return valueOr(parseTime(s))
		}),
	}
	typeTime.methods = table(
		def("isoformat", "timespec?", func(_ *eval, a []Value) (Value, error) {
			spec, err := argStr(a[1], "auto")
			if err != nil {
				return nil, err
			}
			return valueOr(a[0].(Time).iso(spec))
		}),
		def("strftime", "format", func(ev *eval, a []Value) (Value, error) {
			format, err := argStr(a[1], "")
			if err != nil {
				return nil, err
			}
			return valueOr(a[0].(Time).format(ev, format))
		}),
		def("replace", params, func(_ *eval, a []Value) (Value, error) { return replaceTime(a[0].(Time), a[1:]) }),
		method1("utcoffset", func(t Time) Value { return t.zone.delta() }),
		method1("tzname", func(t Time) Value { return textOrNone(t.zone.name) }),
	)
	typeTime.getters = clockGetters(func(v Value) Time { return v.(Time) })
}

func clockGetters(of func(Value) Time) map[string]func(Value) Value {
	return map[string]func(Value) Value{
		"hour":        func(v Value) Value { return int64(of(v).hour) },
		"minute":      func(v Value) Value { return int64(of(v).minute) },
		"second":      func(v Value) Value { return int64(of(v).second) },
		"microsecond": func(v Value) Value { return int64(of(v).micro) },
		"fold":        func(Value) Value { return int64(0) },
		"tzinfo": func(v Value) Value {
			if z := of(v).zone; z.known {
				return z
			}
			return nil
		},
	}
}

// replaceTime gives a time with the parts that are given: hour, minute,
// second, microsecond and zone.
func replaceTime(t Time, a []Value) (Value, error) {
	ns, err := argInts(a, int64(t.hour), int64(t.minute), int64(t.second), int64(t.micro))
	if err != nil {
		return nil, err
	}
	zone, err := argZone(a[4], t.zone)
	if err != nil {
		return nil, err
	}
	return valueOr(newTime(ns[0], ns[1], ns[2], ns[3], zone))
}

// deltaUnits are the parts of a timedelta, in microseconds.
var deltaUnits = []int64{day, second, 1, 1000, 60 * second, 3600 * second, 7 * day}

func linkDelta() {
	typeDelta.make = newBuiltin("timedelta", "days? seconds? microseconds? milliseconds? minutes? hours? weeks?", func(_ *eval, a []Value) (Value, error) {
		total := new(big.Rat)
		for i, v := range a {
			if !given(v) {
				continue
			}
			r, err := rational(v)
			if err != nil {
				return nil, err
			}
			total.Add(total, r.Mul(r, new(big.Rat).SetInt64(deltaUnits[i])))
		}
		return valueOr(newDelta(total))
	})
	typeDelta.statics = map[string]Value{
		"min": Delta{math.MinInt64 / day * day}, "max": Delta{math.MaxInt64 / day * day}, "resolution": Delta{1},
	}
	typeDelta.methods = table(method1("total_seconds", func(d Delta) Value {
		f, _ := new(big.Rat).SetFrac64(d.us, second).Float64()
		return f
	}))
	typeDelta.getters = map[string]func(Value) Value{
		"days":         getter(func(d Delta) Value { days, _, _ := d.parts(); return days }),
		"seconds":      getter(func(d Delta) Value { _, s, _ := d.parts(); return s }),
		"microseconds": getter(func(d Delta) Value { _, _, us := d.parts(); return us }),
	}
}

// delta gives the offset of a zone, None of none.
func (z Zone) delta() Value {
	if !z.known {
		return nil
	}
	return Delta{z.offset}
}

func linkZone() {
	typeZone.make = newBuiltin("timezone", "offset name?", func(_ *eval, a []Value) (Value, error) {
		d, ok := a[0].(Delta)
		if !ok {
			return nil, raise(excTypeError, "timezone() argument 1 must be datetime.timedelta, not %s", TypeName(a[0]))
		}
		if d.us <= -day || d.us >= day {
			return nil, raise(excValueError, "offset must be strictly between -24 and 24 hours")
		}
		z := fixedZone(d.us)
		var err error
		z.name, err = argStr(a[1], z.name)
		return valueOr(z, err)
	})
	typeZone.statics = map[string]Value{"utc": utc}
	typeZone.methods = table(
		def("utcoffset", "dt", func(_ *eval, a []Value) (Value, error) { return a[0].(Zone).delta(), nil }),
		def("tzname", "dt", func(_ *eval, a []Value) (Value, error) { return a[0].(Zone).name, nil }),
	)
}

// clock gives the time, from the evaluation's options.
func (ev *eval) clock() time.Time {
	if ev.now != nil {
		return ev.now()
	}
	return time.Now()
}
