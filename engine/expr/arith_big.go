package expr

import (
	"math"
	"math/big"
)

// bigBinary works on integers of any size. What the result will take is
// known before it is computed.
func (ev *eval) bigBinary(op binaryOp, a, b *big.Int) (Value, error) {
	switch op {
	case opPow:
		return ev.intPow(a, b)
	case opShl, opShr:
		return ev.shift(op, a, b)
	case opMul:
		if err := ev.growBits(a.BitLen() + b.BitLen()); err != nil {
			return nil, err
		}
		// Multiplication takes more than linear time.
		if err := ev.spend(a.BitLen() / 64 * (b.BitLen() / 64) / 64); err != nil {
			return nil, err
		}
		return normInt(new(big.Int).Mul(a, b)), nil
	}
	if err := ev.growBits(max(a.BitLen(), b.BitLen()) + 1); err != nil {
		return nil, err
	}
	switch op {
	case opAdd:
		return normInt(new(big.Int).Add(a, b)), nil
	case opSub:
		return normInt(new(big.Int).Sub(a, b)), nil
	case opAnd:
		return normInt(new(big.Int).And(a, b)), nil
	case opOr:
		return normInt(new(big.Int).Or(a, b)), nil
	case opXor:
		return normInt(new(big.Int).Xor(a, b)), nil
	case opDiv, opFloorDiv, opMod:
		if b.Sign() == 0 {
			return nil, errZeroDivision(op, false)
		}
		if op == opDiv {
			return divide(a, b)
		}
		if err := ev.spend(a.BitLen() / 64 * (b.BitLen() / 64) / 64); err != nil {
			return nil, err
		}
		q, m := floorDivMod(a, b)
		if op == opMod {
			return normInt(m), nil
		}
		return normInt(q), nil
	}
	return nil, errOperands(op, normInt(a), normInt(b))
}

func (ev *eval) growBits(n int) error { return ev.grow(n / 8) }

// floorDivMod rounds the quotient down, so that the remainder has the sign
// of the divisor.
func floorDivMod(a, b *big.Int) (q, m *big.Int) {
	q, m = new(big.Int).QuoRem(a, b, new(big.Int))
	if m.Sign() != 0 && m.Sign() != b.Sign() {
		m.Add(m, b)
		q.Sub(q, big.NewInt(1))
	}
	return q, m
}

// divide is true division of integers, rounded once.
func divide(a, b *big.Int) (Value, error) {
	const exact = 53
	if a.BitLen() <= exact && b.BitLen() <= exact {
		return float64(a.Int64()) / float64(b.Int64()), nil
	}
	f, _ := new(big.Rat).SetFrac(a, b).Float64()
	if math.IsInf(f, 0) {
		return nil, raise(excOverflowError, "integer division result too large for a float")
	}
	return f, nil
}

func (ev *eval) intPow(a, b *big.Int) (Value, error) {
	if b.Sign() < 0 {
		x, err := toFloat(normInt(a))
		if err != nil {
			return nil, err
		}
		y, err := toFloat(normInt(b))
		if err != nil {
			return nil, err
		}
		if x == 0 {
			return nil, raise(excZeroDivisionError, "0.0 cannot be raised to a negative power")
		}
		return floatPow(x, y)
	}
	if a.BitLen() <= 1 { // 0, 1 and -1 stay small
		return powSmall(a.Int64(), b), nil
	}
	if !b.IsInt64() || b.Int64() > math.MaxInt64/int64(a.BitLen()) {
		return nil, &LimitError{What: "memory", Limit: ev.limits.Memory}
	}
	bits := b.Int64() * int64(a.BitLen())
	if err := ev.growTimes(bits/8+1, 1); err != nil {
		return nil, err
	}
	words := bits / 64
	if err := ev.spend(int(min(words*words/256, math.MaxInt32))); err != nil {
		return nil, err
	}
	return normInt(new(big.Int).Exp(a, b, nil)), nil
}

// powSmall is a power of 0, 1 or -1.
func powSmall(a int64, b *big.Int) Value {
	if b.Sign() == 0 || a < 0 && b.Bit(0) == 0 {
		return int64(1)
	}
	return a
}

func (ev *eval) shift(op binaryOp, a, b *big.Int) (Value, error) {
	if b.Sign() < 0 {
		return nil, raise(excValueError, "negative shift count")
	}
	if op == opShr {
		if !b.IsInt64() || b.Int64() > int64(a.BitLen()) {
			return int64(min(a.Sign(), 0)), nil
		}
		return normInt(new(big.Int).Rsh(a, uint(b.Int64()))), nil
	}
	if a.Sign() == 0 {
		return int64(0), nil
	}
	if !b.IsInt64() {
		return nil, &LimitError{What: "memory", Limit: ev.limits.Memory}
	}
	if err := ev.growTimes(b.Int64()/8+1, 1); err != nil {
		return nil, err
	}
	if err := ev.growBits(a.BitLen()); err != nil {
		return nil, err
	}
	return normInt(new(big.Int).Lsh(a, uint(b.Int64()))), nil
}
