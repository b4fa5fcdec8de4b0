package expr

import "slices"

// setItem is v[key] = val.
func (ev *eval) setItem(v, key, val Value) error {
	switch x := v.(type) {
	case *Dict:
		if err := ev.grow(entryCost); err != nil {
			return err
		}
		return x.Set(key, val)
	case *List:
		if s, ok := key.(*Slice); ok {
			return ev.setSlice(x, *s, val)
		}
		i, err := position(key, len(x.items), "list assignment")
		if err != nil {
			return err
		}
		x.items[i] = val
		return nil
	}
	return raise(excTypeError, "'%s' object does not support item assignment", TypeName(v))
}

// setSlice replaces a part of a list: by any number of items if the step is
// 1, else by as many as there were.
func (ev *eval) setSlice(l *List, s Slice, val Value) error {
	items, err := ev.collect(val)
	if err != nil {
		return err
	}
	sp, err := s.span(len(l.items))
	if err != nil {
		return err
	}
	if sp.step == 1 {
		l.items = slices.Replace(l.items, sp.start, sp.start+sp.n, items...)
		return nil
	}
	if len(items) != sp.n {
		return raise(excValueError, "attempt to assign sequence of size %d to extended slice of size %d", len(items), sp.n)
	}
	for i, item := range items {
		l.items[sp.start+i*sp.step] = item
	}
	return nil
}

// delItem is del v[key].
func (ev *eval) delItem(v, key Value) error {
	switch x := v.(type) {
	case *Dict:
		if _, err := keyOf(key); err != nil {
			return err
		}
		if !x.Delete(key) {
			return raiseKeyError(key)
		}
		return nil
	case *List:
		if s, ok := key.(*Slice); ok {
			return delSlice(x, *s)
		}
		i, err := position(key, len(x.items), "list assignment")
		if err != nil {
			return err
		}
		x.items = slices.Delete(x.items, i, i+1)
		return nil
	}
	return raise(excTypeError, "'%s' object doesn't support item deletion", TypeName(v))
}

func delSlice(l *List, s Slice) error {
	sp, err := s.span(len(l.items))
	if err != nil {
		return err
	}
	if sp.step < 0 { // the same items from the other side
		sp.start, sp.step = sp.start+(sp.n-1)*sp.step, -sp.step
	}
	next, left := sp.start, sp.n
	kept := l.items[:0]
	for i, item := range l.items {
		if left > 0 && i == next {
			next, left = next+sp.step, left-1
			continue
		}
		kept = append(kept, item)
	}
	clear(l.items[len(kept):])
	l.items = kept
	return nil
}

// merge adds the entries of another dictionary.
func (ev *eval) merge(d, from *Dict) error {
	if err := ev.grow(from.live * entryCost); err != nil {
		return err
	}
	if err := ev.spend(from.live); err != nil {
		return err
	}
	for k, v := range from.All() {
		if err := d.Set(k, v); err != nil {
			return err
		}
	}
	return nil
}
