package expr

import (
	"math/big"
	"time"
)

func linkDatetimeType() {
	const params = "hour? minute? second? microsecond? tzinfo? * fold?"
	typeDatetime.make = newBuiltin("datetime", "year month day "+params, func(_ *eval, a []Value) (Value, error) {
		return replaceDatetime(Datetime{}, a)
	})
	typeDatetime.statics = map[string]Value{
		"min": Datetime{Date: Date{1, 1, 1}}, "max": Datetime{Date{maxYear, 12, 31}, timeOfClock(day-1, Zone{})},
		"resolution": Delta{1},
		"now": newBuiltin("now", "tz?", func(ev *eval, a []Value) (Value, error) {
			zone, err := argZone(a[0], Zone{})
			if err != nil {
				return nil, err
			}
			if !zone.known {
				return DatetimeOf(ev.clock(), false), nil
			}
			return valueOr(momentIn(ev.clock(), zone))
		}),
		"today":  newBuiltin("today", "", func(ev *eval, _ []Value) (Value, error) { return DatetimeOf(ev.clock(), false), nil }),
		"utcnow": newBuiltin("utcnow", "", func(ev *eval, _ []Value) (Value, error) { return DatetimeOf(ev.clock().UTC(), false), nil }),
		"fromtimestamp": newBuiltin("fromtimestamp", "timestamp tz?", func(ev *eval, a []Value) (Value, error) {
			zone, err := argZone(a[1], Zone{})
			if err != nil {
				return nil, err
			}
			return valueOr(ev.fromTimestamp(a[0], zone))
		}),
		"utcfromtimestamp": newBuiltin("utcfromtimestamp", "timestamp /", func(ev *eval, a []Value) (Value, error) {
			dt, err := ev.fromTimestamp(a[0], utc)
			dt.zone = Zone{}
			return valueOr(dt, err)
		}),
		"combine": newBuiltin("combine", "date time tzinfo?", func(_ *eval, a []Value) (Value, error) {
			d, ok := a[0].(Date)
			if dt, isFull := a[0].(Datetime); isFull {
				d, ok = dt.Date, true
			}
			t, ok2 := a[1].(Time)
			if !ok || !ok2 {
				return nil, raise(excTypeError, "combine() wants a date and a time")
			}
			zone, err := argZone(a[2], t.zone)
			t.zone = zone
			return valueOr(Datetime{d, t}, err)
		}),
		"strptime": newBuiltin("strptime", "text format /", func(ev *eval, a []Value) (Value, error) {
			text, err := argStr(a[0], "")
			if err != nil {
				return nil, err
			}
			format, err := argStr(a[1], "")
			if err != nil {
				return nil, err
			}
			if err := ev.spend(len(format)); err != nil {
				return nil, err
			}
			return valueOr(parseByFormat(text, format))
		}),
		"fromisoformat": newBuiltin("fromisoformat", "s /", func(_ *eval, a []Value) (Value, error) {
			s, err := argStr(a[0], "")
			if err != nil {
				return nil, err
			}
			return valueOr(parseDatetime(s))
		}),
	}
	typeDatetime.methods = table(
		method1("date", func(dt Datetime) Value { return dt.Date }),
		method1("time", func(dt Datetime) Value { t := dt.Time; t.zone = Zone{}; return t }),
		method1("timetz", func(dt Datetime) Value { return dt.Time }),
		method1("utcoffset", func(dt Datetime) Value { return dt.zone.delta() }),
		method1("tzname", func(dt Datetime) Value { return textOrNone(dt.zone.name) }),
		def("timestamp", "/", func(ev *eval, a []Value) (Value, error) { return ev.timestamp(a[0].(Datetime)), nil }),
		def("astimezone", "tz?", func(ev *eval, a []Value) (Value, error) {
			zone, err := argZone(a[1], Zone{})
			if err != nil {
				return nil, err
			}
			return valueOr(ev.inZone(a[0].(Datetime), zone))
		}),
		def("isoformat", "sep? timespec?", func(_ *eval, a []Value) (Value, error) {
			sep, err := argStr(a[1], "T")
			if err != nil {
				return nil, err
			}
			spec, err := argStr(a[2], "auto")
			if err != nil {
				return nil, err
			}
			dt := a[0].(Datetime)
			s, err := dt.Time.iso(spec)
			return valueOr(dt.Date.iso()+sep+s, err)
		}),
		def("replace", "year? month? day? "+params, func(_ *eval, a []Value) (Value, error) {
			return replaceDatetime(a[0].(Datetime), a[1:])
		}),
	)
	typeDatetime.getters = clockGetters(func(v Value) Time { return v.(Datetime).Time })
}

func replaceDatetime(dt Datetime, a []Value) (Value, error) {
	ns, err := argInts(a, int64(dt.year), int64(dt.month), int64(dt.day))
	if err != nil {
		return nil, err
	}
	d, err := newDate(ns[0], ns[1], ns[2])
	if err != nil {
		return nil, err
	}
	t, err := replaceTime(dt.Time, a[3:])
	if err != nil {
		return nil, err
	}
	return Datetime{d, t.(Time)}, nil
}

// fromTimestamp gives the moment of a Unix time: as the local clocks show it
// if there is no zone.
func (ev *eval) fromTimestamp(v Value, zone Zone) (Datetime, error) {
	r, err := rational(v)
	if err != nil {
		return Datetime{}, err
	}
	d, err := newDelta(r.Mul(r, new(big.Rat).SetInt64(second)))
	if err != nil {
		return Datetime{}, err
	}
	t := time.UnixMicro(d.us)
	if zone.known {
		return momentIn(t, zone)
	}
	local := t.In(ev.clock().Location())
	if local.Year() < 1 || local.Year() > maxYear {
		return Datetime{}, raise(excValueError, "year %d is out of range", local.Year())
	}
	return DatetimeOf(local, false), nil
}

// moment gives the instant that a datetime stands for; a naive one is as the
// local clocks show it.
func (ev *eval) moment(dt Datetime) time.Time {
	if dt.zone.known {
		return time.UnixMicro(dt.utcMicros() + firstDay*day)
	}
	return time.Date(dt.year, time.Month(dt.month), dt.day, dt.hour, dt.minute, dt.second, dt.micro*1000, ev.clock().Location())
}

func (ev *eval) timestamp(dt Datetime) float64 {
	f, _ := new(big.Rat).SetFrac64(ev.moment(dt).UnixMicro(), second).Float64()
	return f
}

// inZone gives the same moment in another zone, by default the local one.
func (ev *eval) inZone(dt Datetime, zone Zone) (Datetime, error) {
	t := ev.moment(dt)
	if zone.known {
		return momentIn(t, zone)
	}
	return DatetimeOf(t.In(ev.clock().Location()), true), nil
}
