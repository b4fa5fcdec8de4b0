package expr

import (
	"math"
	"math/big"
	"slices"
)

func randomModule() *Module {
	return &Module{name: "random", names: values(
		newBuiltin("seed", "a? version?", randomSeed),
		newBuiltin("random", "/", func(ev *eval, _ []Value) (Value, error) { return ev.rng().float(), nil }),
		newBuiltin("uniform", "a b", func(ev *eval, a []Value) (Value, error) {
			x, err := toFloat(a[0])
			if err != nil {
				return nil, err
			}
			y, err := toFloat(a[1])
			return x + (y-x)*ev.rng().float(), err
		}),
		newBuiltin("randint", "a b", func(ev *eval, a []Value) (Value, error) {
			high, err := ev.binary(opAdd, a[1], int64(1))
			if err != nil {
				return nil, err
			}
			return randomRange(ev, []Value{a[0], high, absent})
		}),
		newBuiltin("randrange", "start stop? step?", randomRange),
		newBuiltin("getrandbits", "k /", func(ev *eval, a []Value) (Value, error) {
			k, err := argInt(a[0], 0)
			if err != nil {
				return nil, err
			}
			if k < 0 {
				return nil, raise(excValueError, "number of bits must be non-negative")
			}
			if err := ev.growTimes(k, 1); err != nil {
				return nil, err
			}
			if err := ev.spend(int(k / 32)); err != nil {
				return nil, err
			}
			return normInt(ev.rng().bits(int(k))), nil
		}),
		newBuiltin("choice", "seq", randomChoice),
		newBuiltin("choices", "population weights? * cum_weights? k?", randomChoices),
		mutating(newBuiltin("shuffle", "x", randomShuffle)),
		newBuiltin("sample", "population k * counts?", randomSample),
		newBuiltin("gauss", "mu? sigma?", randomGauss),
	)}
}

func mutating(b *Builtin) *Builtin {
	b.mutates = true
	return b
}

func randomSeed(ev *eval, a []Value) (Value, error) {
	if isNone(a[0]) {
		ev.random = nil
		return nil, nil
	}
	n, err := ev.seedNumber(a[0])
	if err != nil {
		return nil, err
	}
	var key []uint32
	for n = new(big.Int).Abs(n); n.Sign() > 0; n.Rsh(n, 32) {
		if err := ev.spend(1 + n.BitLen()/1024); err != nil {
			return nil, err
		}
		key = append(key, uint32(new(big.Int).And(n, big.NewInt(math.MaxUint32)).Uint64()))
	}
	if key == nil {
		key = []uint32{0}
	}
	ev.random = &mersenne{}
	ev.random.seed(key)
	return nil, nil
}

// seedNumber gives the number that a seed stands for: text is followed by
// its own digest, as in Python.
func (ev *eval) seedNumber(v Value) (*big.Int, error) {
	switch v := v.(type) {
	case string:
		b := append([]byte(v), hasherSum("sha512", v)...)
		return new(big.Int).SetBytes(b), ev.grow(len(b))
	case Bytes:
		return ev.seedNumber(string(v))
	case float64:
		return nil, raise(excTypeError, "a float is no seed here; use an int or text")
	}
	if !isNumber(v) {
		return nil, raise(excTypeError, "The only supported seed types are: None, int, str and bytes.")
	}
	return new(big.Int).Set(toBig(v)), nil
}

func hasherSum(name, data string) []byte {
	return (&hasher{name: name, data: []byte(data)}).sum()
}

func randomRange(ev *eval, a []Value) (Value, error) {
	ns := [3]*big.Int{new(big.Int), nil, big.NewInt(1)}
	for i, v := range a {
		if !given(v) {
			continue
		}
		if !isNumber(v) || TypeName(v) == "float" {
			return nil, raise(excTypeError, "'%s' object cannot be interpreted as an integer", TypeName(v))
		}
		ns[i] = toBig(v)
	}
	start, stop, step := ns[0], ns[1], ns[2]
	if stop == nil {
		start, stop = new(big.Int), start
	}
	if step.Sign() == 0 {
		return nil, raise(excValueError, "zero step for randrange()")
	}
	width := new(big.Int).Sub(stop, start)
	// Round up to whole steps.
	n, rest := floorDivMod(width, step)
	if rest.Sign() != 0 {
		n.Add(n, big.NewInt(1))
	}
	if n.Sign() <= 0 {
		return nil, raise(excValueError, "empty range for randrange()")
	}
	r := ev.rng().below(n)
	return normInt(r.Add(r.Mul(r, step), start)), nil
}

// population gives the items that something is chosen from.
func (ev *eval) population(v Value) ([]Value, error) {
	if _, ok := v.(*Set); ok {
		return nil, raise(excTypeError, "Population must be a sequence.  For dicts or sets, use sorted(d).")
	}
	return ev.collect(v)
}

func randomChoice(ev *eval, a []Value) (Value, error) {
	n, ok := Len(a[0])
	if !ok {
		return nil, raise(excTypeError, "object of type '%s' has no len()", TypeName(a[0]))
	}
	if n == 0 {
		return nil, raise(excIndexError, "Cannot choose from an empty sequence")
	}
	return ev.item(a[0], int64(ev.rng().index(n)))
}

func randomChoices(ev *eval, a []Value) (Value, error) {
	items, err := ev.population(a[0])
	if err != nil {
		return nil, err
	}
	k, err := argInt(a[3], 1)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return nil, raise(excIndexError, "list index out of range")
	}
	if err := ev.growTimes(k, itemCost); err != nil {
		return nil, err
	}
	weights := a[2]
	if isNone(weights) {
		weights = a[1]
	}
	var sums []float64
	if !isNone(weights) {
		if sums, err = ev.floats(weights); err != nil {
			return nil, err
		}
		if len(sums) != len(items) {
			return nil, raise(excValueError, "The number of weights does not match the population")
		}
		for i := 1; i < len(sums) && isNone(a[2]); i++ {
			sums[i] += sums[i-1]
		}
		if total := sums[len(sums)-1]; total <= 0 || isInfOrNaN(total) {
			return nil, raise(excValueError, "Total of weights must be greater than zero")
		}
	}
	list := NewList()
	for range k {
		if err := ev.step(); err != nil {
			return nil, err
		}
		x := ev.rng().float()
		i := int(x * float64(len(items)))
		if sums != nil { // the first sum beyond x
			x *= sums[len(sums)-1]
			i, _ = slices.BinarySearchFunc(sums, x, func(sum, x float64) int {
				if sum <= x {
					return -1
				}
				return 1
			})
			i = min(i, len(items)-1)
		}
		list.Append(items[i])
	}
	return list, nil
}

func randomShuffle(ev *eval, a []Value) (Value, error) {
	l, ok := a[0].(*List)
	if !ok {
		return nil, raise(excTypeError, "'%s' object does not support item assignment", TypeName(a[0]))
	}
	if err := ev.spend(len(l.items)); err != nil {
		return nil, err
	}
	for i := len(l.items) - 1; i > 0; i-- {
		j := ev.rng().index(i + 1)
		l.items[i], l.items[j] = l.items[j], l.items[i]
	}
	return nil, nil
}

// randomSample draws without putting back: from a list of what is left if
// that is small, else by remembering what was drawn, as Python does.
func randomSample(ev *eval, a []Value) (Value, error) {
	items, err := ev.population(a[0])
	if err != nil {
		return nil, err
	}
	if !isNone(a[2]) {
		return nil, raise(excTypeError, "random.sample: counts is not supported")
	}
	k, err := argInt(a[1], 0)
	if err != nil {
		return nil, err
	}
	n := len(items)
	if k < 0 || k > int64(n) {
		return nil, raise(excValueError, "Sample larger than population or is negative")
	}
	if err := ev.spend(int(k)); err != nil {
		return nil, err
	}
	setSize := 21.0
	if k > 5 {
		setSize += math.Pow(4, math.Ceil(math.Log(float64(k*3))/math.Log(4)))
	}
	out := make([]Value, k)
	if float64(n) <= setSize {
		pool := slices.Clone(items)
		for i := range out {
			j := ev.rng().index(n - i)
			out[i] = pool[j]
			pool[j] = pool[n-i-1]
		}
		return NewList(out...), nil
	}
	drawn := map[int]bool{}
	for i := range out {
		j := ev.rng().index(n)
		for drawn[j] {
			j = ev.rng().index(n)
		}
		drawn[j] = true
		out[i] = items[j]
	}
	return NewList(out...), nil
}

func randomGauss(ev *eval, a []Value) (Value, error) {
	mu, sigma := 0.0, 1.0
	var err error
	if given(a[0]) {
		if mu, err = toFloat(a[0]); err != nil {
			return nil, err
		}
	}
	if given(a[1]) {
		if sigma, err = toFloat(a[1]); err != nil {
			return nil, err
		}
	}
	m := ev.rng()
	if m.gauss != nil {
		z := *m.gauss
		m.gauss = nil
		return mu + z*sigma, nil
	}
	x := m.float() * 2 * math.Pi
	r := math.Sqrt(-2 * math.Log(1-m.float()))
	other := math.Sin(x) * r
	m.gauss = &other
	return mu + math.Cos(x)*r*sigma, nil
}
