package expr

import "slices"

var (
	typeCounter     = &Type{name: "Counter", base: typeDict}
	typeDefaultDict = &Type{name: "defaultdict", base: typeDict}
	typeOrderedDict = &Type{name: "OrderedDict", base: typeDict}
)

func collectionsModule() *Module {
	return &Module{name: "collections", names: map[string]Value{
		"Counter": typeCounter, "defaultdict": typeDefaultDict, "OrderedDict": typeOrderedDict,
	}}
}

func linkCollections() {
	typeCounter.make = newBuiltin("Counter", "iterable? / **kwargs", func(ev *eval, a []Value) (Value, error) {
		d := &Dict{kind: typeCounter}
		return d, ev.count(d, a[0], a[1].(*Dict), opAdd)
	})
	typeCounter.methods = table(
		def("most_common", "n?", counterMostCommon),
		def("elements", "/", counterElements),
		def("total", "/", func(ev *eval, a []Value) (Value, error) {
			return builtinSum(ev, []Value{&dictView{dict: a[0].(*Dict), kind: valuesOf}, absent})
		}),
		mut("update", "iterable? / **kwargs", func(ev *eval, a []Value) (Value, error) {
			return nil, ev.count(a[0].(*Dict), a[1], a[2].(*Dict), opAdd)
		}),
		mut("subtract", "iterable? / **kwargs", func(ev *eval, a []Value) (Value, error) {
			return nil, ev.count(a[0].(*Dict), a[1], a[2].(*Dict), opSub)
		}),
	)
	typeDefaultDict.make = newBuiltin("defaultdict", "factory? mapping? / **kwargs", func(ev *eval, a []Value) (Value, error) {
		d := &Dict{kind: typeDefaultDict, factory: orNone(a[0])}
		return d, ev.update(d, a[1], a[2].(*Dict))
	})
	typeDefaultDict.getters = map[string]func(Value) Value{
		"default_factory": func(v Value) Value { return v.(*Dict).factory },
	}
	typeOrderedDict.make = newBuiltin("OrderedDict", "mapping? / **kwargs", func(ev *eval, a []Value) (Value, error) {
		d := &Dict{kind: typeOrderedDict}
		return d, ev.update(d, a[0], a[1].(*Dict))
	})
	typeOrderedDict.methods = table(
		mut("move_to_end", "key last?", orderedMoveToEnd),
		mut("popitem", "last?", orderedPopItem),
	)
}

// count adds to the counts of a Counter, or subtracts from them: for a
// mapping its values, else one for each item.
func (ev *eval) count(d *Dict, from Value, named *Dict, op binaryOp) error {
	add := func(key, by Value) error {
		if err := ev.grow(entryCost); err != nil {
			return err
		}
		have, ok := d.Get(key)
		if !ok {
			have = int64(0)
		}
		sum, err := ev.binary(op, have, by)
		if err != nil {
			return err
		}
		return d.Set(key, sum)
	}
	addAll := func(m *Dict) error {
		for k, v := range m.clone().All() {
			if err := ev.step(); err != nil {
				return err
			}
			if err := add(k, v); err != nil {
				return err
			}
		}
		return nil
	}
	if m, ok := from.(*Dict); ok {
		if err := addAll(m); err != nil {
			return err
		}
	} else if !isNone(from) {
		if err := ev.each(from, func(item Value) error { return add(item, int64(1)) }); err != nil {
			return err
		}
	}
	return addAll(named)
}

// counted gives the entries of a Counter, the highest counts first.
func (ev *eval) counted(d *Dict) ([]Value, error) {
	pairs, err := ev.collect(&dictView{dict: d, kind: itemsOf})
	if err != nil {
		return nil, err
	}
	byCount := newBuiltin("count", "pair", func(_ *eval, a []Value) (Value, error) { return a[0].(Tuple)[1], nil })
	return pairs, ev.sort(pairs, byCount, true)
}

func counterMostCommon(ev *eval, a []Value) (Value, error) {
	pairs, err := ev.counted(a[0].(*Dict))
	if err != nil || isNone(a[1]) {
		return NewList(pairs...), err
	}
	n, err := argInt(a[1], 0)
	return NewList(pairs[:max(min(n, int64(len(pairs))), 0)]...), err
}

func counterElements(ev *eval, a []Value) (Value, error) {
	list := NewList()
	for k, v := range a[0].(*Dict).All() {
		n, err := argInt(v, 0)
		if err != nil {
			return nil, err
		}
		items, err := ev.repeatItems([]Value{k}, max(n, 0))
		if err != nil {
			return nil, err
		}
		list.Append(items...)
	}
	return newIter(typeIterator, list.iterate()), nil
}

// operate applies the operators of Counters, which keep only what is above
// zero.
func (d *Dict) operate(ev *eval, op binaryOp, other Value, reversed bool) (Value, bool, error) {
	o, ok := other.(*Dict)
	if !ok || d.kind != typeCounter || o.kind != typeCounter || reversed {
		return nil, false, nil
	}
	merge, ok := map[binaryOp]func(x, y Value) (Value, error){
		opAdd: func(x, y Value) (Value, error) { return ev.binary(opAdd, x, y) },
		opSub: func(x, y Value) (Value, error) { return ev.binary(opSub, x, y) },
		opAnd: func(x, y Value) (Value, error) { return builtinMin(ev, []Value{absent, absent, Tuple{x, y}}) },
		opOr:  func(x, y Value) (Value, error) { return builtinMax(ev, []Value{absent, absent, Tuple{x, y}}) },
	}[op]
	if !ok {
		return nil, false, nil
	}
	if err := ev.grow((d.live + o.live) * entryCost); err != nil {
		return nil, true, err
	}
	r := &Dict{kind: typeCounter}
	for _, side := range []*Dict{d, o} {
		for k := range side.All() {
			if err := ev.step(); err != nil {
				return nil, true, err
			}
			x, y := countOf(d, k), countOf(o, k)
			n, err := merge(x, y)
			if err != nil {
				return nil, true, err
			}
			c, err := ev.order(n, int64(0), ">")
			if err != nil {
				return nil, true, err
			}
			if c > 0 {
				_ = r.Set(k, n) // it was hashed before
			}
		}
	}
	return r, true, nil
}

func countOf(d *Dict, key Value) Value {
	if v, ok := d.Get(key); ok {
		return v
	}
	return int64(0)
}

func orderedMoveToEnd(_ *eval, a []Value) (Value, error) {
	d := a[0].(*Dict)
	v, ok := d.Get(a[1])
	if !ok {
		return nil, raiseKeyError(a[1])
	}
	d.Delete(a[1])
	if err := d.Set(a[1], v); err != nil {
		return nil, err
	}
	if given(a[2]) && !Truth(a[2]) { // to the beginning
		moved := d.clone()
		last := moved.entries[len(moved.entries)-1]
		d.entries = slices.Concat([]entry{last}, moved.entries[:len(moved.entries)-1])
		if d.index != nil {
			d.reindex()
		}
	}
	return nil, nil
}

func orderedPopItem(ev *eval, a []Value) (Value, error) {
	d := a[0].(*Dict)
	if !given(a[1]) || Truth(a[1]) {
		return dictPopItem(ev, a)
	}
	for k, v := range d.All() {
		d.Delete(k)
		return Tuple{k, v}, nil
	}
	return nil, raise(excKeyError, "dictionary is empty")
}

// dictOfKind writes a dictionary of collections.
func (p *printer) dictOfKind(d *Dict) error {
	if err := p.text(d.kind.name + "("); err != nil {
		return err
	}
	switch {
	case d.kind == typeDefaultDict:
		if err := p.repr(d.factory); err != nil {
			return err
		}
		if err := p.text(", "); err != nil {
			return err
		}
	case d.live == 0:
		return p.text(")")
	case d.kind == typeCounter:
		if pairs, err := p.ev.counted(d); err == nil {
			sorted := NewDict()
			if err := p.ev.update(sorted, NewList(pairs...), nil); err != nil {
				return err
			}
			d = sorted
		}
	}
	if err := p.dictEntries(d); err != nil {
		return err
	}
	return p.text(")")
}
