package expr

import "strconv"

// A Range is Python's range. Its bounds are within int64.
type Range struct {
	start, stop, step int64
	n                 int64
}

// NewRange makes the range from start up to stop; step must not be zero.
func NewRange(start, stop, step int64) *Range {
	r := &Range{start: start, stop: stop, step: step}
	// Unsigned arithmetic: the distance may be beyond int64.
	switch {
	case step > 0 && start < stop:
		r.n = clampCount((uint64(stop) - uint64(start) - 1) / uint64(step))
	case step < 0 && start > stop:
		r.n = clampCount((uint64(start) - uint64(stop) - 1) / (uint64(-(step + 1)) + 1))
	}
	return r
}

func clampCount(last uint64) int64 {
	const most = 1<<63 - 1
	if last >= most {
		return most
	}
	return int64(last) + 1
}

// Len gives the number of elements.
func (r *Range) Len() int { return int(r.n) }

func (r *Range) class() *Type      { return typeRange }
func (r *Range) at(i int64) int64  { return r.start + i*r.step }
func (r *Range) iterate() iterator { return &rangeIter{at: r.start, step: r.step, left: r.n} }
func (r *Range) hashKey() (any, error) {
	k := Range{n: r.n}
	if r.n > 0 {
		k.start = r.start
	}
	if r.n > 1 {
		k.step = r.step
	}
	return k, nil
}

func (r *Range) equal(_ *walk, other Value) (bool, error) {
	o, ok := other.(*Range)
	if !ok || r.n != o.n {
		return false, nil
	}
	return r.n == 0 || r.start == o.start && (r.n == 1 || r.step == o.step), nil
}

func (r *Range) contains(ev *eval, item Value) (bool, error) {
	if f, ok := item.(float64); ok {
		if f != float64(int64(f)) {
			return false, nil
		}
		item = int64(f)
	}
	i, ok := integer(item)
	if !ok {
		return false, nil
	}
	return r.index(i) >= 0, nil
}

// index gives the position of a number in the range, or -1.
func (r *Range) index(v int64) int64 {
	if r.n == 0 {
		return -1
	}
	low, high := r.start, r.at(r.n-1)
	if low > high {
		low, high = high, low
	}
	if v < low || v > high || (v-r.start)%r.step != 0 {
		return -1
	}
	return (v - r.start) / r.step
}

func (r *Range) repr(p *printer) error {
	s := "range(" + strconv.FormatInt(r.start, 10) + ", " + strconv.FormatInt(r.stop, 10)
	if r.step != 1 {
		s += ", " + strconv.FormatInt(r.step, 10)
	}
	return p.text(s + ")")
}

type rangeIter struct {
	at, step, left int64
}

func (it *rangeIter) next(*eval) (Value, bool, error) {
	if it.left == 0 {
		return nil, false, nil
	}
	v := it.at
	it.left--
	it.at += it.step
	return v, true, nil
}
