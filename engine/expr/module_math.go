package expr

import (
	"math"
	"math/big"
)

func mathModule() *Module {
	names := values(
		float1("sin", math.Sin), float1("cos", math.Cos), float1("tan", math.Tan),
		float1("asin", math.Asin), float1("acos", math.Acos), float1("atan", math.Atan),
		float1("sinh", math.Sinh), float1("cosh", math.Cosh), float1("tanh", math.Tanh),
		float1("asinh", math.Asinh), float1("acosh", math.Acosh), float1("atanh", math.Atanh),
		float1("exp", math.Exp), float1("exp2", math.Exp2), float1("expm1", math.Expm1), float1("log1p", math.Log1p),
		float1("sqrt", math.Sqrt), float1("cbrt", math.Cbrt), float1("fabs", math.Abs),
		float1("erf", math.Erf), float1("erfc", math.Erfc), float1("gamma", math.Gamma),
		float1("lgamma", func(x float64) float64 { y, _ := math.Lgamma(x); return y }),
		float1("degrees", func(x float64) float64 { return x * 180 / math.Pi }),
		float1("radians", func(x float64) float64 { return x * math.Pi / 180 }),
		float2("atan2", math.Atan2), float2("copysign", math.Copysign), float2("fmod", math.Mod),
		float2("remainder", math.Remainder), float2("nextafter", math.Nextafter), float2("pow", math.Pow),
		floatTest("isnan", math.IsNaN),
		floatTest("isinf", func(x float64) bool { return math.IsInf(x, 0) }),
		floatTest("isfinite", func(x float64) bool { return !isInfOrNaN(x) }),
		newBuiltin("floor", "x /", rounded(math.Floor)),
		newBuiltin("ceil", "x /", rounded(math.Ceil)),
		newBuiltin("trunc", "x /", rounded(math.Trunc)),
		newBuiltin("log", "x base? /", mathLog),
		newBuiltin("log2", "x /", mathLogBase(math.Log2)),
		newBuiltin("log10", "x /", mathLogBase(math.Log10)),
		newBuiltin("fsum", "seq /", mathFsum),
		newBuiltin("hypot", "*coordinates", mathHypot),
		newBuiltin("dist", "p q /", mathDist),
		newBuiltin("isclose", "a b * rel_tol? abs_tol?", mathIsClose),
		newBuiltin("modf", "x /", mathModf),
		newBuiltin("frexp", "x /", mathFrexp),
		newBuiltin("ldexp", "x i /", mathLdexp),
		newBuiltin("factorial", "n /", mathFactorial),
		newBuiltin("comb", "n k /", mathComb),
		newBuiltin("perm", "n k? /", mathPerm),
		newBuiltin("gcd", "*integers", mathGCD),
		newBuiltin("lcm", "*integers", mathLCM),
		newBuiltin("isqrt", "n /", mathIsqrt),
		newBuiltin("prod", "iterable / * start?", mathProd),
		newBuiltin("sumprod", "p q /", mathSumProd),
	)
	names["pi"], names["e"], names["tau"] = math.Pi, math.E, 2*math.Pi
	names["inf"], names["nan"] = math.Inf(1), math.NaN()
	return &Module{name: "math", names: names}
}

// float1 makes a function of a float. A result that is no number, or beyond
// all numbers, is an error where the argument was neither.
func float1(name string, f func(float64) float64) *Builtin {
	return newBuiltin(name, "x /", func(_ *eval, a []Value) (Value, error) {
		x, err := toFloat(a[0])
		if err != nil {
			return nil, err
		}
		return checked(f(x), x)
	})
}

func float2(name string, f func(x, y float64) float64) *Builtin {
	return newBuiltin(name, "x y /", func(_ *eval, a []Value) (Value, error) {
		x, err := toFloat(a[0])
		if err != nil {
			return nil, err
		}
		y, err := toFloat(a[1])
		if err != nil {
			return nil, err
		}
		return checked(f(x, y), x, y)
	})
}

func checked(r float64, args ...float64) (Value, error) {
	if !isInfOrNaN(r) {
		return r, nil
	}
	for _, x := range args {
		if isInfOrNaN(x) && (math.IsInf(r, 0) || math.IsNaN(x)) {
			return r, nil
		}
	}
	if math.IsNaN(r) {
		return nil, raise(excValueError, "math domain error")
	}
	for _, x := range args {
		if x <= 0 && x == math.Trunc(x) { // a pole, not a large number
			return nil, raise(excValueError, "math domain error")
		}
	}
	return nil, raise(excOverflowError, "math range error")
}

func floatTest(name string, f func(float64) bool) *Builtin {
	return newBuiltin(name, "x /", func(_ *eval, a []Value) (Value, error) {
		x, err := toFloat(a[0])
		return f(x), err
	})
}

func rounded(f func(float64) float64) func(*eval, []Value) (Value, error) {
	return func(_ *eval, a []Value) (Value, error) {
		if x, ok := a[0].(float64); ok {
			return truncate(f(x))
		}
		if !isNumber(a[0]) {
			return nil, raise(excTypeError, "must be real number, not %s", TypeName(a[0]))
		}
		return normInt(toBig(a[0])), nil
	}
}

// logOf gives a logarithm; integers may be beyond the floats.
func logOf(v Value, log func(float64) float64) (float64, error) {
	if b, ok := v.(*big.Int); ok && b.Sign() > 0 {
		shift := max(b.BitLen()-1000, 0)
		x, _ := new(big.Float).SetInt(new(big.Int).Rsh(b, uint(shift))).Float64()
		return log(x) + float64(shift)*log(2), nil
	}
	x, err := toFloat(v)
	if err != nil {
		return 0, err
	}
	if x <= 0 {
		return 0, raise(excValueError, "math domain error")
	}
	return log(x), nil
}

func mathLogBase(log func(float64) float64) func(*eval, []Value) (Value, error) {
	return func(_ *eval, a []Value) (Value, error) {
		x, err := logOf(a[0], log)
		return x, err
	}
}

func mathLog(_ *eval, a []Value) (Value, error) {
	x, err := logOf(a[0], math.Log)
	if err != nil || !given(a[1]) {
		return x, err
	}
	base, err := logOf(a[1], math.Log)
	if err != nil {
		return nil, err
	}
	if base == 0 {
		return nil, errZeroDivision(opDiv, true)
	}
	return x / base, nil
}

// floats gives the numbers of an iterable.
func (ev *eval) floats(v Value) ([]float64, error) {
	var xs []float64
	err := ev.each(v, func(item Value) error {
		x, err := toFloat(item)
		xs = append(xs, x)
		if err != nil {
			return err
		}
		return ev.grow(8)
	})
	return xs, err
}

// mathFsum adds exactly and rounds once.
func mathFsum(ev *eval, a []Value) (Value, error) {
	xs, err := ev.floats(a[0])
	if err != nil {
		return nil, err
	}
	total, special := new(big.Float).SetPrec(2200), 0.0
	for _, x := range xs {
		if isInfOrNaN(x) {
			special += x
			continue
		}
		total.Add(total, new(big.Float).SetFloat64(x))
	}
	if special != 0 {
		return special, nil
	}
	f, _ := total.Float64()
	return f, nil
}

func mathHypot(ev *eval, a []Value) (Value, error) {
	xs, err := ev.floats(a[0])
	if err != nil {
		return nil, err
	}
	r := 0.0
	for _, x := range xs {
		r = math.Hypot(r, x)
	}
	return r, nil
}

func mathDist(ev *eval, a []Value) (Value, error) {
	p, err := ev.floats(a[0])
	if err != nil {
		return nil, err
	}
	q, err := ev.floats(a[1])
	if err != nil {
		return nil, err
	}
	if len(p) != len(q) {
		return nil, raise(excValueError, "both points must have the same number of dimensions")
	}
	r := 0.0
	for i := range p {
		r = math.Hypot(r, p[i]-q[i])
	}
	return r, nil
}

func mathIsClose(_ *eval, a []Value) (Value, error) {
	nums := [4]float64{2: 1e-9}
	for i, v := range a {
		if !given(v) {
			continue
		}
		x, err := toFloat(v)
		if err != nil {
			return nil, err
		}
		nums[i] = x
	}
	x, y, rel, least := nums[0], nums[1], nums[2], nums[3]
	switch {
	case rel < 0 || least < 0:
		return nil, raise(excValueError, "tolerances must be non-negative")
	case x == y:
		return true, nil
	case math.IsInf(x, 0) || math.IsInf(y, 0):
		return false, nil
	}
	diff := math.Abs(x - y)
	return diff <= math.Abs(rel*y) || diff <= math.Abs(rel*x) || diff <= least, nil
}

func mathModf(_ *eval, a []Value) (Value, error) {
	x, err := toFloat(a[0])
	if math.IsInf(x, 0) {
		return Tuple{math.Copysign(0, x), x}, nil
	}
	whole, frac := math.Modf(x)
	return Tuple{math.Copysign(frac, x), whole}, err
}

func mathFrexp(_ *eval, a []Value) (Value, error) {
	x, err := toFloat(a[0])
	frac, exp := math.Frexp(x)
	return Tuple{frac, int64(exp)}, err
}

func mathLdexp(_ *eval, a []Value) (Value, error) {
	x, err := toFloat(a[0])
	if err != nil {
		return nil, err
	}
	n, err := argInt(a[1], 0)
	if err != nil {
		return nil, err
	}
	return checked(math.Ldexp(x, int(max(min(n, 1<<20), -1<<20))), x, 1)
}
