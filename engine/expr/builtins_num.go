package expr

import (
	"math"
	"math/big"
	"strconv"
)

func builtinPow(ev *eval, a []Value) (Value, error) {
	if isNone(a[2]) {
		return ev.binary(opPow, a[0], a[1])
	}
	for _, v := range a {
		if !isNumber(v) || TypeName(v) == "float" {
			return nil, raise(excTypeError, "pow() 3rd argument not allowed unless all arguments are integers")
		}
	}
	base, exp, mod := toBig(a[0]), toBig(a[1]), toBig(a[2])
	if mod.Sign() == 0 {
		return nil, raise(excValueError, "pow() 3rd argument cannot be 0")
	}
	if exp.Sign() < 0 {
		inverse := new(big.Int).ModInverse(base, new(big.Int).Abs(mod))
		if inverse == nil {
			return nil, raise(excValueError, "base is not invertible for the given modulus")
		}
		base, exp = inverse, new(big.Int).Neg(exp)
	}
	// The work is a multiplication for each bit of the exponent.
	words := mod.BitLen()/64 + 1
	if exp.BitLen() > math.MaxInt32 || words > math.MaxInt16 {
		return nil, &LimitError{What: "steps", Limit: ev.limits.Steps}
	}
	if err := ev.spend(exp.BitLen() * words * words / 64); err != nil {
		return nil, err
	}
	r := new(big.Int).Exp(base, exp, new(big.Int).Abs(mod))
	if mod.Sign() < 0 && r.Sign() != 0 {
		r.Add(r, mod)
	}
	return normInt(r), nil
}

func builtinRound(ev *eval, a []Value) (Value, error) {
	if f, ok := a[0].(float64); ok {
		if isNone(a[1]) {
			return truncate(math.RoundToEven(f))
		}
		n, err := argInt(a[1], 0)
		if err != nil {
			return nil, err
		}
		return roundFloat(f, n)
	}
	if !isNumber(a[0]) {
		return nil, raise(excTypeError, "type %s doesn't define __round__ method", TypeName(a[0]))
	}
	if isNone(a[1]) {
		return normInt(toBig(a[0])), nil
	}
	n, err := argInt(a[1], 0)
	if err != nil {
		return nil, err
	}
	return ev.roundInt(toBig(a[0]), n)
}

// roundFloat rounds to n digits after the point, half to even, by way of the
// exact decimal form.
func roundFloat(f float64, n int64) (Value, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) || f == 0 || n > 350 {
		return f, nil
	}
	if n >= 0 {
		r, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'f', int(n), 64), 64)
		return finite(r)
	}
	if n < -350 {
		return math.Copysign(0, f), nil
	}
	// Round the exact value at a digit ahead of the point.
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(-n), nil)
	exact := new(big.Rat).SetFloat64(f)
	q := roundRat(exact.Quo(exact, new(big.Rat).SetInt(unit)))
	r, _ := new(big.Float).SetInt(q.Mul(q, unit)).Float64()
	if r == 0 {
		r = math.Copysign(0, f)
	}
	return finite(r)
}

func finite(f float64) (Value, error) {
	if math.IsInf(f, 0) {
		return nil, raise(excOverflowError, "rounded value too large to represent")
	}
	return f, nil
}

// roundRat rounds to the nearest integer, half to even.
func roundRat(q *big.Rat) *big.Int {
	twice := new(big.Int).Lsh(q.Denom(), 1)
	sum := new(big.Int).Add(new(big.Int).Lsh(q.Num(), 1), q.Denom())
	n, rest := floorDivMod(sum, twice)
	if rest.Sign() == 0 && n.Bit(0) == 1 {
		n.Sub(n, big.NewInt(1))
	}
	return n
}

// roundInt rounds an integer to a power of ten.
func (ev *eval) roundInt(b *big.Int, n int64) (Value, error) {
	if n >= 0 {
		return normInt(b), nil
	}
	if -n > int64(b.BitLen()) { // 10^-n is far beyond b
		return int64(0), nil
	}
	if err := ev.growBits(int(-n) * 4); err != nil {
		return nil, err
	}
	if err := ev.spend(int(n*n) / 4096); err != nil {
		return nil, err
	}
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(-n), nil)
	q := roundRat(new(big.Rat).SetFrac(b, unit))
	return normInt(q.Mul(q, unit)), nil
}
