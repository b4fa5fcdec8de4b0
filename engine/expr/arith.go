package expr

import (
	"math"
	"math/big"
)

// binary applies an operator to two values.
func (ev *eval) binary(op binaryOp, a, b Value) (Value, error) {
	if x, ok := a.(float64); ok {
		if y, ok := b.(float64); ok {
			return floatBinary(op, x, y)
		}
	}
	if isNumber(a) && isNumber(b) {
		return ev.numberBinary(op, a, b)
	}
	if v, ok, err := ev.sequenceBinary(op, a, b); ok || err != nil {
		return v, err
	}
	if x, ok := a.(operand); ok {
		if v, ok, err := x.operate(ev, op, b, false); ok || err != nil {
			return v, err
		}
	}
	if y, ok := b.(operand); ok {
		if v, ok, err := y.operate(ev, op, a, true); ok || err != nil {
			return v, err
		}
	}
	return nil, errOperands(op, a, b)
}

func errOperands(op binaryOp, a, b Value) error {
	if op == opAdd {
		switch a.(type) {
		case string, *List, Tuple, Bytes:
			t := TypeName(a)
			return raise(excTypeError, "can only concatenate %s (not \"%s\") to %s", t, TypeName(b), t)
		}
	}
	return raise(excTypeError, "unsupported operand type(s) for %s: '%s' and '%s'", op, TypeName(a), TypeName(b))
}

func isNumber(v Value) bool {
	switch v.(type) {
	case int64, float64, bool, *big.Int:
		return true
	}
	return false
}

// numberBinary works on two numbers: as floats if one is, else as integers.
func (ev *eval) numberBinary(op binaryOp, a, b Value) (Value, error) {
	_, af := a.(float64)
	_, bf := b.(float64)
	if af || bf {
		if !floatOp(op) {
			return nil, errOperands(op, a, b)
		}
		x, err := toFloat(a)
		if err != nil {
			return nil, err
		}
		y, err := toFloat(b)
		if err != nil {
			return nil, err
		}
		return floatBinary(op, x, y)
	}
	if x, ok := a.(bool); ok {
		if y, ok := b.(bool); ok {
			switch op {
			case opAnd:
				return x && y, nil
			case opOr:
				return x || y, nil
			case opXor:
				return x != y, nil
			}
		}
	}
	if i, ok := integer(a); ok {
		if j, ok := integer(b); ok {
			if fast := smallInt[op]; fast != nil {
				if n, ok := fast(i, j); ok {
					return n, nil
				}
			}
		}
	}
	return ev.bigBinary(op, toBig(a), toBig(b))
}

func floatOp(op binaryOp) bool { return op <= opPow }

// toFloat converts a number; integers beyond the floats are an error.
func toFloat(v Value) (float64, error) {
	switch x := v.(type) {
	case float64:
		return x, nil
	case *big.Int:
		f, _ := new(big.Float).SetInt(x).Float64()
		if math.IsInf(f, 0) {
			return 0, raise(excOverflowError, "int too large to convert to float")
		}
		return f, nil
	}
	i, ok := integer(v)
	if !ok {
		return 0, raise(excTypeError, "must be real number, not %s", TypeName(v))
	}
	return float64(i), nil
}

// toBig converts an integer.
func toBig(v Value) *big.Int {
	if b, ok := v.(*big.Int); ok {
		return b
	}
	i, _ := integer(v)
	return big.NewInt(i)
}

func errZeroDivision(op binaryOp, isFloat bool) error {
	switch {
	case op == opDiv && isFloat:
		return raise(excZeroDivisionError, "float division by zero")
	case op == opDiv:
		return raise(excZeroDivisionError, "division by zero")
	case op == opMod && isFloat:
		return raise(excZeroDivisionError, "float modulo")
	case isFloat:
		return raise(excZeroDivisionError, "float floor division by zero")
	}
	return raise(excZeroDivisionError, "integer division or modulo by zero")
}

func floatBinary(op binaryOp, x, y float64) (Value, error) {
	switch op {
	case opAdd:
		return x + y, nil
	case opSub:
		return x - y, nil
	case opMul:
		return x * y, nil
	case opPow:
		return floatPow(x, y)
	case opDiv, opFloorDiv, opMod:
		if y == 0 {
			return nil, errZeroDivision(op, true)
		}
		if op == opDiv {
			return x / y, nil
		}
		q, m := floatDivMod(x, y)
		if op == opMod {
			return m, nil
		}
		return q, nil
	}
	return nil, errOperands(op, x, y)
}

// floatDivMod is Python's divmod of floats: the remainder has the sign of
// the divisor, and the quotient is exact where it can be.
func floatDivMod(x, y float64) (q, m float64) {
	m = math.Mod(x, y)
	q = (x - m) / y
	if m != 0 {
		if (y < 0) != (m < 0) {
			m += y
			q--
		}
	} else {
		m = math.Copysign(0, y)
	}
	if q == 0 {
		return math.Copysign(0, x/y), m
	}
	f := math.Floor(q)
	if q-f > 0.5 {
		f++
	}
	return f, m
}

func floatPow(x, y float64) (Value, error) {
	if x == 0 && y < 0 {
		return nil, raise(excZeroDivisionError, "0.0 cannot be raised to a negative power")
	}
	if x < 0 && !math.IsInf(x, 0) && !math.IsInf(y, 0) && y != math.Floor(y) {
		return nil, raise(excValueError, "the power is a complex number, which is not supported")
	}
	r := math.Pow(x, y)
	if math.IsInf(r, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
		return nil, raise(excOverflowError, "(34, 'Numerical result out of range')")
	}
	return r, nil
}

// unary applies -, + or ~.
func (ev *eval) unary(op unaryOp, v Value) (Value, error) {
	switch x := v.(type) {
	case float64:
		switch op {
		case opNeg:
			return -x, nil
		case opPos:
			return x, nil
		}
	case int64, bool:
		i, _ := integer(x)
		switch {
		case op == opPos:
			return i, nil
		case op == opInvert:
			return ^i, nil
		case op == opNeg && i != math.MinInt64:
			return -i, nil
		case op == opNeg:
			return new(big.Int).Neg(big.NewInt(i)), nil
		}
	case *big.Int:
		if err := ev.grow(x.BitLen() / 8); err != nil {
			return nil, err
		}
		switch op {
		case opNeg:
			return normInt(new(big.Int).Neg(x)), nil
		case opPos:
			return x, nil
		case opInvert:
			return normInt(new(big.Int).Not(x)), nil
		}
	case interface {
		negate(op unaryOp) (Value, error)
	}:
		return x.negate(op)
	}
	if op == opNot {
		return !Truth(v), nil
	}
	return nil, raise(excTypeError, "bad operand type for unary %s: '%s'", [...]string{"-", "+", "~"}[op], TypeName(v))
}
