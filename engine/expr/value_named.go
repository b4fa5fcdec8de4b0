package expr

// A named is a tuple whose items have names too, as modules give it: the
// parts of a URL, of a moment, of a calendar date. It can be used as a tuple.
type named struct {
	kind  *Type
	names []string
	items Tuple
}

var typeNamed = &Type{name: "tuple", base: typeTuple}

func linkNamed() {
	typeNamed.methods = table(
		def("index", "item start? stop? /", onItems(seqIndex)),
		def("count", "item /", onItems(seqCount)),
		def("_asdict", "/", func(_ *eval, a []Value) (Value, error) {
			n := a[0].(*named)
			d := NewDict()
			for i, name := range n.names {
				d.SetString(name, n.items[i])
			}
			return d, nil
		}),
	)
}

func onItems(f func(*eval, []Value) (Value, error)) func(*eval, []Value) (Value, error) {
	return func(ev *eval, a []Value) (Value, error) {
		args := cloneItems(a)
		args[0] = a[0].(*named).items
		return f(ev, args)
	}
}

func (n *named) class() *Type                             { return n.kind }
func (n *named) Len() int                                 { return len(n.items) }
func (n *named) iterate() iterator                        { return n.items.iterate() }
func (n *named) hashKey() (any, error)                    { return keyOf(n.items) }
func (n *named) item(ev *eval, key Value) (Value, error)  { return ev.item(n.items, key) }
func (n *named) equal(w *walk, other Value) (bool, error) { return w.equal(n.items, plain(other)) }

// plain gives the tuple that a value can be used as.
func plain(v Value) Value {
	if n, ok := v.(*named); ok {
		return n.items
	}
	return v
}

func (n *named) attr(name string) (Value, bool) {
	if i := indexOf(n.names, name); i >= 0 {
		return n.items[i], true
	}
	return nil, false
}

func (n *named) repr(p *printer) error {
	fields := make([]Field, len(n.names))
	for i, name := range n.names {
		fields[i] = Field{name, n.items[i]}
	}
	return NewObject(n.kind.name, fields).repr(p)
}
