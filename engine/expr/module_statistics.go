package expr

import (
	"math"
	"math/big"
)

// statisticsModule works with exact fractions, as Python's does, and rounds
// once at the end.
func statisticsModule() *Module {
	names := values(
		newBuiltin("mean", "data", statMean),
		newBuiltin("fmean", "data weights?", statFmean),
		newBuiltin("geometric_mean", "data", statGeometricMean),
		newBuiltin("harmonic_mean", "data weights?", statHarmonicMean),
		newBuiltin("median", "data", statMedian(0)),
		newBuiltin("median_low", "data", statMedian(-1)),
		newBuiltin("median_high", "data", statMedian(1)),
		newBuiltin("mode", "data", statMode),
		newBuiltin("multimode", "data", statMultimode),
		newBuiltin("variance", "data xbar?", statVariance(1, false)),
		newBuiltin("pvariance", "data mu?", statVariance(0, false)),
		newBuiltin("stdev", "data xbar?", statVariance(1, true)),
		newBuiltin("pstdev", "data mu?", statVariance(0, true)),
		newBuiltin("quantiles", "data * n? method?", statQuantiles),
	)
	names["StatisticsError"] = excStatisticsError
	return &Module{name: "statistics", names: names}
}

// A sample is data as fractions.
type sample struct {
	xs    []*big.Rat
	whole bool // all were integers
}

func (ev *eval) sample(v Value, least int, name string) (sample, error) {
	s := sample{whole: true}
	err := ev.each(v, func(item Value) error {
		r, err := rational(item)
		if err != nil {
			return raise(excTypeError, "can't convert type '%s' to numerator/denominator", TypeName(item))
		}
		_, isFloat := item.(float64)
		s.whole = s.whole && !isFloat
		s.xs = append(s.xs, r)
		return ev.grow(64)
	})
	if err == nil && len(s.xs) < least {
		err = raise(excStatisticsError, "%s requires at least %d data points", name, least)
	}
	return s, err
}

func (s sample) sum() *big.Rat {
	total := new(big.Rat)
	for _, x := range s.xs {
		total.Add(total, x)
	}
	return total
}

func (s sample) mean() *big.Rat {
	return new(big.Rat).Quo(s.sum(), new(big.Rat).SetInt64(int64(len(s.xs))))
}

// value gives a fraction as an integer if it is one and the data were, else
// as a float.
func (s sample) value(r *big.Rat) Value {
	if s.whole && r.IsInt() {
		return normInt(new(big.Int).Set(r.Num()))
	}
	f, _ := r.Float64()
	return f
}

func statMean(ev *eval, a []Value) (Value, error) {
	s, err := ev.sample(a[0], 1, "mean")
	if err != nil {
		return nil, err
	}
	return s.value(s.mean()), nil
}

func statFmean(ev *eval, a []Value) (Value, error) {
	s, err := ev.sample(a[0], 1, "fmean")
	if err != nil {
		return nil, err
	}
	mean := s.mean()
	if !isNone(a[1]) {
		w, err := ev.sample(a[1], len(s.xs), "fmean")
		if err != nil {
			return nil, err
		}
		total := w.sum()
		if len(w.xs) != len(s.xs) || total.Sign() == 0 {
			return nil, raise(excStatisticsError, "data and weights must be the same length, with a sum that is not zero")
		}
		mean = new(big.Rat)
		for i, x := range s.xs {
			mean.Add(mean, new(big.Rat).Mul(x, w.xs[i]))
		}
		mean.Quo(mean, total)
	}
	f, _ := mean.Float64()
	return f, nil
}

func statGeometricMean(ev *eval, a []Value) (Value, error) {
	xs, err := ev.floats(a[0])
	if err != nil {
		return nil, err
	}
	sum := 0.0
	for _, x := range xs {
		if x <= 0 {
			return nil, raise(excStatisticsError, "geometric mean requires a non-empty dataset containing positive numbers")
		}
		sum += math.Log(x)
	}
	if len(xs) == 0 {
		return nil, raise(excStatisticsError, "geometric mean requires a non-empty dataset containing positive numbers")
	}
	return math.Exp(sum / float64(len(xs))), nil
}

func statHarmonicMean(ev *eval, a []Value) (Value, error) {
	s, err := ev.sample(a[0], 1, "harmonic_mean")
	if err != nil {
		return nil, err
	}
	if !isNone(a[1]) {
		return nil, raise(excTypeError, "harmonic_mean: weights is not supported")
	}
	total := new(big.Rat)
	for _, x := range s.xs {
		switch x.Sign() {
		case -1:
			return nil, raise(excStatisticsError, "harmonic mean does not support negative values")
		case 0:
			return int64(0), nil
		}
		inverse, _ := new(big.Rat).Inv(x).Float64() // the inverses are floats, their sum is exact
		total.Add(total, new(big.Rat).SetFloat64(inverse))
	}
	f, _ := new(big.Rat).Quo(new(big.Rat).SetInt64(int64(len(s.xs))), total).Float64()
	return f, nil
}

// statMedian gives the middle item; of two the lower (side -1), the higher
// (side 1), or their mean.
func statMedian(side int) func(*eval, []Value) (Value, error) {
	return func(ev *eval, a []Value) (Value, error) {
		items, err := ev.collect(a[0])
		if err != nil {
			return nil, err
		}
		n := len(items)
		if n == 0 {
			return nil, raise(excStatisticsError, "no median for empty data")
		}
		if err := ev.sort(items, nil, absent); err != nil {
			return nil, err
		}
		switch {
		case n%2 == 1 || side > 0:
			return items[n/2], nil
		case side < 0:
			return items[n/2-1], nil
		}
		sum, err := ev.binary(opAdd, items[n/2-1], items[n/2])
		if err != nil {
			return nil, err
		}
		return ev.binary(opDiv, sum, int64(2))
	}
}

// modes gives the values that come most often, in the order they come in.
func (ev *eval) modes(v Value) ([]Value, error) {
	counts := &Dict{kind: typeCounter}
	items, err := ev.collect(v)
	if err != nil {
		return nil, err
	}
	if err := ev.count(counts, NewList(items...), NewDict(), opAdd); err != nil {
		return nil, err
	}
	var out []Value
	best := int64(0)
	for k, v := range counts.All() {
		n := v.(int64)
		if n > best {
			best, out = n, nil
		}
		if n == best {
			out = append(out, k)
		}
	}
	return out, nil
}

func statMode(ev *eval, a []Value) (Value, error) {
	modes, err := ev.modes(a[0])
	if err == nil && len(modes) == 0 {
		err = raise(excStatisticsError, "no mode for empty data")
	}
	if err != nil {
		return nil, err
	}
	return modes[0], nil
}

func statMultimode(ev *eval, a []Value) (Value, error) {
	modes, err := ev.modes(a[0])
	return NewList(modes...), err
}

// statVariance gives the variance with n - less in the denominator, or its
// square root.
func statVariance(less int64, root bool) func(*eval, []Value) (Value, error) {
	return func(ev *eval, a []Value) (Value, error) {
		s, err := ev.sample(a[0], int(less)+1, "variance")
		if err != nil {
			return nil, err
		}
		center := s.mean()
		if !isNone(a[1]) {
			if center, err = rational(a[1]); err != nil {
				return nil, err
			}
		}
		total := new(big.Rat)
		for _, x := range s.xs {
			if err := ev.step(); err != nil {
				return nil, err
			}
			diff := new(big.Rat).Sub(x, center)
			total.Add(total, diff.Mul(diff, diff))
		}
		total.Quo(total, new(big.Rat).SetInt64(int64(len(s.xs))-less))
		if !root {
			return s.value(total), nil
		}
		f, _ := new(big.Float).Sqrt(new(big.Float).SetPrec(200).SetRat(total)).Float64()
		return f, nil
	}
}

func statQuantiles(ev *eval, a []Value) (Value, error) {
	items, err := ev.collect(a[0])
	if err != nil {
		return nil, err
	}
	n, err := argInt(a[1], 4)
	if err != nil {
		return nil, err
	}
	method, err := argStr(a[2], "exclusive")
	if err != nil {
		return nil, err
	}
	size := int64(len(items))
	if n < 1 || size < 2 {
		return nil, raise(excStatisticsError, "n must be at least 1 and there must be at least two data points")
	}
	if err := ev.sort(items, nil, absent); err != nil {
		return nil, err
	}
	if err := ev.growTimes(n, 2*itemCost); err != nil {
		return nil, err
	}
	m := size + 1
	if method == "inclusive" {
		m = size - 1
	}
	list := NewList()
	for i := int64(1); i < n; i++ {
		j, delta := i*m/n, i*m%n
		if method != "inclusive" {
			j = max(min(j, size-1), 1)
			delta = i*m - j*n
			j--
		}
		next := min(j+1, size-1)
		v, err := ev.interpolate(items[j], items[next], delta, n)
		if err != nil {
			return nil, err
		}
		list.Append(v)
	}
	return list, nil
}

// interpolate gives (low*(n-delta) + high*delta) / n.
func (ev *eval) interpolate(low, high Value, delta, n int64) (Value, error) {
	x, err := ev.binary(opMul, low, n-delta)
	if err != nil {
		return nil, err
	}
	y, err := ev.binary(opMul, high, delta)
	if err != nil {
		return nil, err
	}
	sum, err := ev.binary(opAdd, x, y)
	if err != nil {
		return nil, err
	}
	return ev.binary(opDiv, sum, n)
}
