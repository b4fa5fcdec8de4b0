package expr

import "slices"

// Copy gives a deep copy of a value's lists, dictionaries and sets, and of the
// tuples and records that hold some. Parts that are shared, or lie inside
// themselves, are so in the copy too. Everything else is shared with the
// original: functions, hosts.
func Copy(v Value) Value {
	c := copier{account: func(int) error { return nil }}
	to, _ := c.all(v) // nothing is refused
	return to
}

// A copier copies containers one by one, not by recursion, so that no depth
// of nesting can exhaust the stack. What it has copied it remembers in a
// list while that is short, in a map beyond.
type copier struct {
	account func(n int) error // for n bytes that have been copied
	size    int
	todo    []func()
	few     []copied
	many    map[any]Value
}

type copied struct{ from, to any }

const fewCopies = 16

func (c *copier) all(v Value) (Value, error) {
	to := c.shell(v)
	for len(c.todo) > 0 {
		if err := c.account(c.size); err != nil {
			return nil, err
		}
		c.size = 0
		next := c.todo[len(c.todo)-1]
		c.todo = c.todo[:len(c.todo)-1]
		next()
	}
	return to, nil
}

// shell gives the copy of v, whose items are copied later.
func (c *copier) shell(v Value) Value {
	switch v := v.(type) {
	case *List:
		if to, ok := c.done(v); ok {
			return to
		}
		to := &List{items: slices.Clone(v.items)}
		c.remember(v, to)
		c.size += len(v.items) * itemCost
		c.fill(to.items)
		return to
	case *Dict:
		if to, ok := c.done(v); ok {
			return to
		}
		to := v.clone()
		c.remember(v, to)
		c.size += v.live * entryCost
		c.todo = append(c.todo, func() {
			for i := range to.entries {
				to.entries[i].val = c.shell(to.entries[i].val)
			}
		})
		return to
	case *Set:
		if to, ok := c.done(v); ok {
			return to
		}
		to := v.clone()
		c.remember(v, to)
		c.size += v.Len() * entryCost
		return to
	case Tuple:
		if !slices.ContainsFunc(v, isContainer) {
			return v
		}
		if to, ok := c.done(&v[0]); ok {
			return to
		}
		to := slices.Clone(v)
		c.remember(&v[0], to)
		c.fill(to)
		return to
	case *Object:
		return c.object(v)
	}
	return v
}

func (c *copier) object(v *Object) Value {
	if !slices.ContainsFunc(v.fields, func(f Field) bool { return isContainer(f.Value) }) {
		return v
	}
	if to, ok := c.done(v); ok {
		return to
	}
	to := NewObject(v.typeName, slices.Clone(v.fields))
	c.remember(v, to)
	c.size += len(v.fields) * entryCost
	c.todo = append(c.todo, func() {
		for i := range to.fields {
			to.fields[i].Value = c.shell(to.fields[i].Value)
		}
	})
	return to
}

func (c *copier) fill(items []Value) {
	if !slices.ContainsFunc(items, isContainer) {
		return
	}
	c.todo = append(c.todo, func() {
		for i, item := range items {
			items[i] = c.shell(item)
		}
	})
}

func isContainer(v Value) bool {
	switch v.(type) {
	case *List, *Dict, *Set, Tuple, *Object:
		return true
	}
	return false
}

func (c *copier) done(v any) (Value, bool) {
	if c.many != nil {
		to, ok := c.many[v]
		return to, ok
	}
	for i := range c.few {
		if c.few[i].from == v {
			return c.few[i].to, true
		}
	}
	return nil, false
}

func (c *copier) remember(from, to any) {
	if c.many == nil && len(c.few) < fewCopies {
		c.few = append(c.few, copied{from, to})
		return
	}
	if c.many == nil {
		c.many = make(map[any]Value, 4*fewCopies)
		for _, p := range c.few {
			c.many[p.from] = p.to
		}
		c.few = nil
	}
	c.many[from] = to
}
