package expr

import "math/big"

var typeStructTime = &Type{name: "time.struct_time", base: typeNamed}

// timeModule tells the time and nothing else: waiting is a chip's work.
func timeModule() *Module {
	return &Module{name: "time", names: values(
		newBuiltin("time", "", func(ev *eval, _ []Value) (Value, error) { return ev.seconds(), nil }),
		newBuiltin("time_ns", "", func(ev *eval, _ []Value) (Value, error) { return ev.clock().UnixNano(), nil }),
		newBuiltin("monotonic", "", func(ev *eval, _ []Value) (Value, error) { return ev.seconds(), nil }),
		newBuiltin("perf_counter", "", func(ev *eval, _ []Value) (Value, error) { return ev.seconds(), nil }),
		newBuiltin("gmtime", "secs? /", func(ev *eval, a []Value) (Value, error) {
			dt, err := ev.timeOrNow(a[0], utc)
			return valueOr(timeTuple(dt, 0), err)
		}),
		newBuiltin("localtime", "secs? /", func(ev *eval, a []Value) (Value, error) {
			dt, err := ev.timeOrNow(a[0], Zone{})
			return valueOr(timeTuple(dt, 0), err)
		}),
		newBuiltin("strftime", "format t? /", func(ev *eval, a []Value) (Value, error) {
			format, err := argStr(a[0], "")
			if err != nil {
				return nil, err
			}
			dt, err := ev.ofTimeTuple(a[1])
			if err != nil {
				return nil, err
			}
			return valueOr(ev.strftime(dt, format))
		}),
		newBuiltin("mktime", "t /", func(ev *eval, a []Value) (Value, error) {
			dt, err := ev.ofTimeTuple(a[0])
			return valueOr(ev.timestamp(dt), err)
		}),
		newBuiltin("sleep", "secs /", func(*eval, []Value) (Value, error) {
			return nil, raise(excRuntimeError, "code cannot sleep; use the chip utils.time.sleep")
		}),
	)}
}

func (ev *eval) seconds() float64 {
	f, _ := new(big.Rat).SetFrac64(ev.clock().UnixNano(), 1e9).Float64()
	return f
}

func (ev *eval) timeOrNow(secs Value, zone Zone) (Datetime, error) {
	if isNone(secs) {
		if zone.known {
			return momentIn(ev.clock(), zone)
		}
		return DatetimeOf(ev.clock(), false), nil
	}
	return ev.fromTimestamp(secs, zone)
}

// timeTuple gives a struct_time. dst is 0 without summer time, -1 if nothing
// is known of it.
func timeTuple(dt Datetime, dst int64) *named {
	yearDay := dt.ordinal() - Date{dt.year, 1, 1}.ordinal() + 1
	items := Tuple{}
	for _, n := range []int{dt.year, dt.month, dt.day, dt.hour, dt.minute, dt.second, dt.weekday()} {
		items = append(items, int64(n))
	}
	return &named{
		kind:  typeStructTime,
		names: []string{"tm_year", "tm_mon", "tm_mday", "tm_hour", "tm_min", "tm_sec", "tm_wday", "tm_yday", "tm_isdst"},
		items: append(items, yearDay, dst),
	}
}

// ofTimeTuple gives the moment of a struct_time or tuple, now if there is
// none.
func (ev *eval) ofTimeTuple(v Value) (Datetime, error) {
	if isNone(v) {
		return DatetimeOf(ev.clock(), false), nil
	}
	items, ok := sequence(plain(v))
	if !ok || len(items) != 9 {
		return Datetime{}, raise(excTypeError, "Tuple or struct_time argument required")
	}
	ns, err := argInts(items, 0, 0, 0, 0, 0, 0)
	if err != nil {
		return Datetime{}, err
	}
	d, err := newDate(ns[0], ns[1], ns[2])
	if err != nil {
		return Datetime{}, err
	}
	t, err := newTime(ns[3], ns[4], ns[5], 0, Zone{})
	return Datetime{d, t}, err
}
