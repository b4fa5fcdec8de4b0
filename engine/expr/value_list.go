package expr

import "slices"

// A List is Python's list. It may be read by several goroutines at once as
// long as none changes it.
type List struct {
	items []Value
}

// NewList makes a list of the items, whose slice it takes over.
func NewList(items ...Value) *List { return &List{items: items} }

// Len gives the number of items.
func (l *List) Len() int { return len(l.items) }

// At gives item i, which must exist.
func (l *List) At(i int) Value { return l.items[i] }

// Items gives the items themselves; they must not be changed.
func (l *List) Items() []Value { return l.items }

// Set replaces item i, which must exist.
func (l *List) Set(i int, v Value) { l.items[i] = v }

// Append adds items at the end.
func (l *List) Append(v ...Value) { l.items = append(l.items, v...) }

func (l *List) iterate() iterator { return &listIter{list: l} }

// A listIter looks at the list itself each time, so that it sees what is
// appended while it runs, as Python's does.
type listIter struct {
	list *List
	i    int
}

func (it *listIter) next(*eval) (Value, bool, error) {
	if it.i >= len(it.list.items) {
		return nil, false, nil
	}
	v := it.list.items[it.i]
	it.i++
	return v, true, nil
}

// A sliceIter runs over items that do not change.
type sliceIter struct {
	items []Value
}

func (it *sliceIter) next(*eval) (Value, bool, error) {
	if len(it.items) == 0 {
		return nil, false, nil
	}
	v := it.items[0]
	it.items = it.items[1:]
	return v, true, nil
}

func (t Tuple) iterate() iterator { return &sliceIter{items: t} }

// sequence gives the items of a list or tuple.
func sequence(v Value) ([]Value, bool) {
	switch v := v.(type) {
	case *List:
		return v.items, true
	case Tuple:
		return v, true
	}
	return nil, false
}

// sameSlice reports whether two tuples are one object.
func sameSlice(a, b []Value) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

func cloneItems(items []Value) []Value { return slices.Clone(items) }
