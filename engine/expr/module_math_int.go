package expr

import "math/big"

// argNatural takes an integer that is not negative.
func argNatural(v Value, name string) (int64, error) {
	n, err := argInt(v, 0)
	switch {
	case err != nil:
		return 0, err
	case n < 0:
		return 0, raise(excValueError, "%s() not defined for negative values", name)
	}
	return n, nil
}

// product multiplies the integers from low to high.
func (ev *eval) product(low, high int64) (Value, error) {
	total := big.NewInt(1)
	for n := low; n <= high; n++ {
		words := total.BitLen() / 64
		if err := ev.spend(1 + words/16); err != nil {
			return nil, err
		}
		if err := ev.grow(8 + words/16); err != nil {
			return nil, err
		}
		total.Mul(total, big.NewInt(n))
	}
	return normInt(total), nil
}

func mathFactorial(ev *eval, a []Value) (Value, error) {
	n, err := argNatural(a[0], "factorial")
	if err != nil {
		return nil, err
	}
	return ev.product(2, n)
}

func mathPerm(ev *eval, a []Value) (Value, error) {
	n, err := argNatural(a[0], "perm")
	if err != nil {
		return nil, err
	}
	k := n
	if !isNone(a[1]) {
		if k, err = argNatural(a[1], "perm"); err != nil {
			return nil, err
		}
	}
	if k > n {
		return int64(0), nil
	}
	return ev.product(n-k+1, n)
}

func mathComb(ev *eval, a []Value) (Value, error) {
	n, err := argNatural(a[0], "comb")
	if err != nil {
		return nil, err
	}
	k, err := argNatural(a[1], "comb")
	if err != nil {
		return nil, err
	}
	if k > n {
		return int64(0), nil
	}
	k = min(k, n-k)
	over, err := ev.product(n-k+1, n)
	if err != nil {
		return nil, err
	}
	under, err := ev.product(2, k)
	if err != nil {
		return nil, err
	}
	return normInt(new(big.Int).Quo(toBig(over), toBig(under))), nil
}

// integers gives the arguments of gcd and lcm.
func integers(t Tuple) ([]*big.Int, error) {
	ns := make([]*big.Int, len(t))
	for i, v := range t {
		if !isNumber(v) || TypeName(v) == "float" {
			return nil, raise(excTypeError, "'%s' object cannot be interpreted as an integer", TypeName(v))
		}
		ns[i] = new(big.Int).Abs(toBig(v))
	}
	return ns, nil
}

func mathGCD(_ *eval, a []Value) (Value, error) {
	ns, err := integers(a[0].(Tuple))
	total := new(big.Int)
	for _, n := range ns {
		total.GCD(nil, nil, total, n)
	}
	return normInt(total), err
}

func mathLCM(ev *eval, a []Value) (Value, error) {
	ns, err := integers(a[0].(Tuple))
	if err != nil {
		return nil, err
	}
	total := big.NewInt(1)
	for _, n := range ns {
		if n.Sign() == 0 {
			return int64(0), nil
		}
		if err := ev.growBits(total.BitLen() + n.BitLen()); err != nil {
			return nil, err
		}
		gcd := new(big.Int).GCD(nil, nil, total, n)
		total = new(big.Int).Mul(total, gcd.Quo(n, gcd))
	}
	return normInt(total), nil
}

func mathIsqrt(ev *eval, a []Value) (Value, error) {
	if !isNumber(a[0]) || TypeName(a[0]) == "float" {
		return nil, raise(excTypeError, "'%s' object cannot be interpreted as an integer", TypeName(a[0]))
	}
	n := toBig(a[0])
	if n.Sign() < 0 {
		return nil, raise(excValueError, "isqrt() argument must be nonnegative")
	}
	words := n.BitLen() / 64
	if err := ev.spend(words * words / 64); err != nil {
		return nil, err
	}
	return normInt(new(big.Int).Sqrt(n)), nil
}

func mathProd(ev *eval, a []Value) (Value, error) {
	var total Value = int64(1)
	if given(a[1]) {
		total = a[1]
	}
	err := ev.each(a[0], func(item Value) error {
		var err error
		total, err = ev.binary(opMul, total, item)
		return err
	})
	return total, err
}

func mathSumProd(ev *eval, a []Value) (Value, error) {
	p, err := ev.collect(a[0])
	if err != nil {
		return nil, err
	}
	q, err := ev.collect(a[1])
	if err != nil {
		return nil, err
	}
	if len(p) != len(q) {
		return nil, raise(excValueError, "Inputs are not the same length")
	}
	var total Value = int64(0)
	for i := range p {
		v, err := ev.binary(opMul, p[i], q[i])
		if err != nil {
			return nil, err
		}
		if total, err = ev.binary(opAdd, total, v); err != nil {
			return nil, err
		}
	}
	return total, nil
}
