package expr

import (
	"math/big"
)

// newDelta makes a duration of an exact number of microseconds, which it
// rounds, half to even.
func newDelta(us *big.Rat) (Delta, error) {
	n := us.Num()
	if !us.IsInt() {
		n = roundRat(us)
	}
	if !n.IsInt64() {
		return Delta{}, raise(excOverflowError, "the duration is too long")
	}
	return Delta{n.Int64()}, nil
}

// rational gives a number exactly.
func rational(v Value) (*big.Rat, error) {
	if f, ok := v.(float64); ok {
		if r := new(big.Rat).SetFloat64(f); r != nil {
			return r, nil
		}
		_, err := truncate(f)
		return nil, err
	}
	if !isNumber(v) {
		return nil, raise(excTypeError, "unsupported type for timedelta component: %s", TypeName(v))
	}
	return new(big.Rat).SetInt(toBig(v)), nil
}

func (d Delta) rat() *big.Rat { return new(big.Rat).SetInt64(d.us) }

// parts gives days, seconds and microseconds, of which only the days may be
// negative.
func (d Delta) parts() (days, seconds, micros int64) {
	days, _ = floorDiv(d.us, day)
	rest := d.us - days*day
	return days, rest / second, rest % second
}

func (d Delta) add(us int64) (Delta, error) {
	sum, ok := smallInt[opAdd](d.us, us)
	if !ok {
		return Delta{}, raise(excOverflowError, "the duration is too long")
	}
	return Delta{sum}, nil
}

func (d Delta) negate(op unaryOp) (Value, error) {
	if op == opNeg {
		return Delta{-d.us}, nil
	}
	return d, nil
}

func (d Delta) abs() Value { return Delta{max(d.us, -d.us)} }

func (d Delta) operate(_ *eval, op binaryOp, other Value, reversed bool) (Value, bool, error) {
	if o, ok := other.(Delta); ok {
		v, err := d.withDelta(op, o)
		return v, v != nil || err != nil, err
	}
	if !isNumber(other) || reversed && op != opMul {
		return nil, false, nil
	}
	n, err := rational(other)
	if err != nil {
		return nil, true, err
	}
	switch op {
	case opMul:
		v, err := newDelta(n.Mul(n, d.rat()))
		return v, true, err
	case opDiv, opFloorDiv:
		if n.Sign() == 0 {
			return nil, true, errZeroDivision(opFloorDiv, false)
		}
		q := n.Quo(d.rat(), n)
		if op == opFloorDiv {
			whole, _ := floorDivMod(q.Num(), q.Denom())
			q = new(big.Rat).SetInt(whole)
		}
		v, err := newDelta(q)
		return v, true, err
	}
	return nil, false, nil
}

func (d Delta) withDelta(op binaryOp, o Delta) (Value, error) {
	switch op {
	case opAdd:
		return valueOr(d.add(o.us))
	case opSub:
		return valueOr(d.add(-o.us))
	case opDiv, opFloorDiv, opMod:
		if o.us == 0 {
			return nil, errZeroDivision(op, false)
		}
		if op == opDiv {
			f, _ := new(big.Rat).SetFrac64(d.us, o.us).Float64()
			return f, nil
		}
		q, m := floorDivMod(big.NewInt(d.us), big.NewInt(o.us))
		if op == opFloorDiv {
			return normInt(q), nil
		}
		return Delta{m.Int64()}, nil
	}
	return nil, nil
}

// valueOr gives a value, or the error and none.
func valueOr[T Value](v T, err error) (Value, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

func (d Date) operate(_ *eval, op binaryOp, other Value, reversed bool) (Value, bool, error) {
	switch o := other.(type) {
	case Delta:
		days, _, _ := o.parts()
		switch {
		case op == opSub && !reversed:
			days = -days
		case op != opAdd:
			return nil, false, nil
		}
		v, err := valueOr(dateOfOrdinal(d.ordinal() + days))
		return v, true, err
	case Date:
		if op == opSub && !reversed {
			return Delta{(d.ordinal() - o.ordinal()) * day}, true, nil
		}
	}
	return nil, false, nil
}

func (dt Datetime) operate(_ *eval, op binaryOp, other Value, reversed bool) (Value, bool, error) {
	switch o := other.(type) {
	case Delta:
		us := o.us
		switch {
		case op == opSub && !reversed:
			us = -us
		case op != opAdd:
			return nil, false, nil
		}
		sum, err := Delta{dt.micros()}.add(us)
		if err != nil {
			return nil, true, err
		}
		v, err := valueOr(datetimeOfMicros(sum.us, dt.zone))
		return v, true, err
	case Datetime:
		if op != opSub || reversed {
			return nil, false, nil
		}
		if dt.zone.known != o.zone.known {
			return nil, true, raise(excTypeError, "can't subtract offset-naive and offset-aware datetimes")
		}
		return Delta{dt.utcMicros() - o.utcMicros()}, true, nil
	}
	return nil, false, nil
}
