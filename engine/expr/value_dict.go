package expr

import (
	"iter"
)

// A Dict is Python's dict: it keeps the order of insertion. Its text keys
// answer as attributes too. It may be read by several goroutines at once as
// long as none changes it: reading never writes.
//
// Up to smallDict entries are searched one by one, which is faster than
// hashing; beyond that an index from hash key to position is kept. While
// there is an index, a deleted entry leaves a gap, so that positions stay.
type Dict struct {
	entries []entry
	live    int
	index   map[any]int
	kind    *Type // of collections: Counter, defaultdict, OrderedDict; else nil
	factory Value // what makes the missing values of a defaultdict
}

type entry struct {
	key, val Value
}

// A gap is the key of a deleted entry.
type gap struct{}

const smallDict = 8

// NewDict makes an empty dictionary.
func NewDict() *Dict { return &Dict{} }

func newDictSize(n int) *Dict {
	return &Dict{entries: make([]entry, 0, n)}
}

// Len gives the number of entries.
func (d *Dict) Len() int { return d.live }

// Get gives the value of a key. A key that cannot be hashed is not there.
func (d *Dict) Get(key Value) (Value, bool) {
	if s, ok := key.(string); ok {
		return d.GetString(s)
	}
	k, err := keyOf(key)
	if err != nil {
		return nil, false
	}
	if i := d.find(k); i >= 0 {
		return d.entries[i].val, true
	}
	return nil, false
}

// GetString gives the value of a text key.
func (d *Dict) GetString(key string) (Value, bool) {
	if i := d.findString(key); i >= 0 {
		return d.entries[i].val, true
	}
	return nil, false
}

// Set adds or replaces an entry. Its error is a TypeError for a key that
// cannot be hashed, such as a list.
func (d *Dict) Set(key, v Value) error {
	if s, ok := key.(string); ok {
		d.SetString(s, v)
		return nil
	}
	k, err := keyOf(key)
	if err != nil {
		return err
	}
	if i := d.find(k); i >= 0 {
		d.entries[i].val = v
		return nil
	}
	d.insert(k, key, v)
	return nil
}

// SetString adds or replaces the entry of a text key.
func (d *Dict) SetString(key string, v Value) {
	if i := d.findString(key); i >= 0 {
		d.entries[i].val = v
		return
	}
	d.insert(key, key, v)
}

// Delete removes an entry and reports whether it was there.
func (d *Dict) Delete(key Value) bool {
	k, err := keyOf(key)
	if err != nil {
		return false
	}
	i := d.find(k)
	if i < 0 {
		return false
	}
	d.remove(i, k)
	return true
}

// All runs over the entries in order. The dictionary must not be changed
// meanwhile.
func (d *Dict) All() iter.Seq2[Value, Value] {
	return func(yield func(Value, Value) bool) {
		for i := range d.entries {
			e := &d.entries[i]
			if !isGap(e.key) && !yield(e.key, e.val) {
				return
			}
		}
	}
}

func (d *Dict) find(k any) int {
	if s, ok := k.(string); ok {
		return d.findString(s)
	}
	if d.index != nil {
		if i, ok := d.index[k]; ok {
			return i
		}
		return -1
	}
	for i := range d.entries {
		if have, err := keyOf(d.entries[i].key); err == nil && have == k {
			return i
		}
	}
	return -1
}

func (d *Dict) findString(key string) int {
	if d.index != nil {
		if i, ok := d.index[key]; ok {
			return i
		}
		return -1
	}
	for i := range d.entries {
		if s, ok := d.entries[i].key.(string); ok && s == key {
			return i
		}
	}
	return -1
}

func (d *Dict) insert(k any, key, v Value) {
	d.entries = append(d.entries, entry{key, v})
	d.live++
	switch {
	case d.index != nil:
		d.index[k] = len(d.entries) - 1
	case len(d.entries) > smallDict:
		d.reindex()
	}
}

func (d *Dict) remove(i int, k any) {
	d.live--
	if d.index == nil {
		d.entries = append(d.entries[:i], d.entries[i+1:]...)
		return
	}
	delete(d.index, k)
	d.entries[i] = entry{key: gap{}}
	if len(d.entries) > 2*d.live+smallDict {
		d.reindex()
	}
}

// reindex closes the gaps and builds the index anew.
func (d *Dict) reindex() {
	kept := make([]entry, 0, 2*d.live)
	d.index = make(map[any]int, 2*d.live)
	for _, e := range d.entries {
		if isGap(e.key) {
			continue
		}
		k, _ := keyOf(e.key) // it was hashed when it was inserted
		d.index[k] = len(kept)
		kept = append(kept, e)
	}
	d.entries = kept
}

func (d *Dict) clear() {
	d.entries, d.live, d.index = nil, 0, nil
}

// last gives the position of the newest entry, or -1.
func (d *Dict) last() int {
	for i := len(d.entries) - 1; i >= 0; i-- {
		if !isGap(d.entries[i].key) {
			return i
		}
	}
	return -1
}

// clone is a shallow copy.
func (d *Dict) clone() *Dict {
	c := &Dict{entries: make([]entry, 0, d.live), kind: d.kind, factory: d.factory}
	for k, v := range d.All() {
		c.entries = append(c.entries, entry{k, v})
	}
	c.live = d.live
	if c.live > smallDict {
		c.reindex()
	}
	return c
}

func (d *Dict) iterate() iterator { return newDictIter(d, keysOf) }

// isGap does not compare with ==, since a key may be a tuple.
func isGap(key Value) bool {
	_, ok := key.(gap)
	return ok
}
