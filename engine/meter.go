package engine

import (
	"errors"
	"sync/atomic"

	"github.com/pullrun/pullrun/engine/expr"
)

// A meter counts the bytes that the variables of a run hold.
type meter struct {
	used  atomic.Int64
	limit int64
}

var errVariables = errors.New("variables hold too much")

// count measures what a binding holds.
func (m *meter) count(b *binding) {
	b.exact = m.measure(b.value)
	m.add(b.exact - b.size)
	b.size, b.edits, b.items = b.exact, 0, 0
	if l, ok := b.value.(*expr.List); ok {
		b.items = l.Len()
	}
}

// bytesPerEdit is how many bytes of a value are measured again for each
// change in place.
const bytesPerEdit = 4096

// edited counts what a program has done to a value in place: what a list
// gained at its end at once, any other change when there have been many
// enough to be worth measuring the whole.
func (m *meter) edited(b *binding) {
	if l, ok := b.value.(*expr.List); ok && b.items < l.Len() {
		var added int64
		measureAll(l.Items()[b.items:], &added, m.limit, 0)
		m.add(added)
		b.size += added
		b.items = l.Len()
		return
	}
	if b.edits++; b.edits > b.exact/bytesPerEdit {
		m.count(b)
	}
}

func (m *meter) add(n int64) {
	if n != 0 {
		m.used.Add(n)
	}
}

// A charge is what something outside the variables holds of them.
type charge struct {
	meter *meter
	size  atomic.Int64
}

func (c *charge) set(v expr.Value) {
	size := c.meter.measure(v)
	c.meter.add(size - c.size.Swap(size))
}

// release takes it off the meter, once.
func (c *charge) release() { c.meter.add(-c.size.Swap(0)) }

func (m *meter) fits() error {
	if m.used.Load() > m.limit {
		return errVariables
	}
	return nil
}

// measure estimates how many bytes a value holds. It stops beyond the limit.
func (m *meter) measure(v expr.Value) int64 {
	var total int64
	measure(v, &total, m.limit, 0)
	return total
}

// maxValueDepth bounds how deep the engine looks into a value.
const maxValueDepth = 1000

// What values take at least, in bytes.
const (
	valueCost     = 16
	containerCost = 48 // besides what is in it
)

func measure(v expr.Value, total *int64, limit int64, depth int) {
	*total += valueCost
	if isContainer(v) {
		*total += containerCost
	}
	if *total > limit || depth > maxValueDepth {
		return
	}
	switch v := v.(type) {
	case string:
		*total += int64(len(v))
	case expr.Bytes:
		*total += int64(len(v))
	case expr.Tuple:
		measureAll(v, total, limit, depth)
	case *expr.List:
		measureAll(v.Items(), total, limit, depth)
	case *expr.Set:
		measureAll(v.Items(), total, limit, depth)
	case *expr.Dict:
		for key, value := range v.All() {
			measure(key, total, limit, depth+1)
			measure(value, total, limit, depth+1)
			if *total > limit {
				return
			}
		}
	case *expr.Object:
		for _, f := range v.Fields() {
			measure(f.Value, total, limit, depth+1)
		}
	}
}

func measureAll(items []expr.Value, total *int64, limit int64, depth int) {
	for _, item := range items {
		if measure(item, total, limit, depth+1); *total > limit {
			return
		}
	}
}
