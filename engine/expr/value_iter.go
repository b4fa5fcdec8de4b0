package expr

import "sync/atomic"

// An iterator gives one value at a time; ok is false at the end.
type iterator interface {
	next(ev *eval) (v Value, ok bool, err error)
}

// An Iter is an iterator as a value: what iter(), enumerate(), a generator
// expression and the like give. It has state and may reach several
// goroutines, so each step claims it first.
type Iter struct {
	kind *Type
	it   iterator
	busy atomic.Bool

	gen  *generator  // if it is one
	left atomic.Bool // the evaluation that started the generator is over
}

func newIter(kind *Type, it iterator) *Iter { return &Iter{kind: kind, it: it} }

func (it *Iter) class() *Type          { return it.kind }
func (it *Iter) iterate() iterator     { return it }
func (it *Iter) hashKey() (any, error) { return it, nil }

func (it *Iter) next(ev *eval) (Value, bool, error) {
	if !it.busy.CompareAndSwap(false, true) {
		return nil, false, raise(excValueError, "generator already executing")
	}
	defer func() {
		it.busy.Store(false)
		if it.left.Load() { // while this step was under way
			ev.atEnd = append(ev.atEnd, it)
		}
	}()
	return it.it.next(ev)
}

// end stops a generator. If another evaluation is at a step of it, that one
// ends it: it looks at left after it has let go, and here it is set before
// the claim.
func (it *Iter) end(ev *eval) {
	it.left.Store(true)
	if !it.busy.CompareAndSwap(false, true) {
		return
	}
	defer it.busy.Store(false)
	it.gen.fr.ev = ev
	it.gen.stop()
}

// close ends an iterator early.
func (it *Iter) close() error {
	if !it.busy.CompareAndSwap(false, true) {
		return raise(excValueError, "generator already executing")
	}
	defer it.busy.Store(false)
	it.it = nextFunc(func(*eval) (Value, bool, error) { return nil, false, nil })
	return nil
}

// nextFunc lets a function be an iterator.
type nextFunc func(ev *eval) (Value, bool, error)

func (f nextFunc) next(ev *eval) (Value, bool, error) { return f(ev) }

// iterate gives an iterator over a value.
func (ev *eval) iterate(v Value) (iterator, error) {
	switch v := v.(type) {
	case *List:
		return &listIter{list: v}, nil
	case string:
		return &textIter{rest: v}, nil
	case Bytes:
		return &bytesIter{rest: v}, nil
	case iterable:
		return v.iterate(), nil
	}
	return nil, raise(excTypeError, "'%s' object is not iterable", TypeName(v))
}

// each calls f with every item of v, counting a step for each.
func (ev *eval) each(v Value, f func(Value) error) error {
	it, err := ev.iterate(v)
	if err != nil {
		return err
	}
	for {
		if err := ev.step(); err != nil {
			return err
		}
		item, ok, err := it.next(ev)
		if err != nil {
			return err
		}
		if !ok {
			return nil
		}
		if err := f(item); err != nil {
			return err
		}
	}
}

// collect gives the items of v in a new slice.
func (ev *eval) collect(v Value) ([]Value, error) {
	if items, ok := sequence(v); ok {
		if err := ev.grow(len(items) * itemCost); err != nil {
			return nil, err
		}
		return cloneItems(items), nil
	}
	var items []Value
	if n, ok := Len(v); ok {
		if err := ev.grow(n * itemCost); err != nil {
			return nil, err
		}
		if err := ev.spend(n); err != nil {
			return nil, err
		}
		items = make([]Value, 0, n)
	}
	reserved := cap(items)
	err := ev.each(v, func(item Value) error {
		if len(items) >= reserved {
			if err := ev.grow(itemCost); err != nil {
				return err
			}
		}
		items = append(items, item)
		return nil
	})
	return items, err
}

func containsByIteration(ev *eval, v, item Value) (bool, error) {
	found := false
	err := ev.each(v, func(have Value) error {
		eq, err := ev.identicalOrEqual(have, item)
		if err != nil {
			return err
		}
		if eq {
			found = true
			return errStop
		}
		return nil
	})
	if err == errStop {
		err = nil
	}
	return found, err
}

// A bytesIter runs over the octets of bytes, as integers.
type bytesIter struct {
	rest Bytes
}

func (it *bytesIter) next(*eval) (Value, bool, error) {
	if it.rest == "" {
		return nil, false, nil
	}
	b := it.rest[0]
	it.rest = it.rest[1:]
	return int64(b), true, nil
}
