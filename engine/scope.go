package engine

import (
	"fmt"

	"github.com/pullrun/pullrun/engine/expr"
)

// A scope holds the variables that a task sees. A task that works on a copy
// of its caller's variables gets a child: it reads through to its parent,
// which stands still meanwhile, and keeps what it sets for itself. So
// copying costs nothing, however large the variables are.
//
// Values are shared between scopes and never changed in place, with one
// exception: what a binding holds for itself alone. A program that changes
// values is given its own copies first.
type scope struct {
	parent *scope
	names  map[string]*binding // made when the first name is set
	depth  int                 // parents above
	meter  *meter

	// Of the program that runs now:
	data     bool       // what it assigns may come from outside
	assigned []*binding // what it has assigned containers to
}

// A binding is what a name stands for.
type binding struct {
	value expr.Value
	hold  hold
	data  bool // it came from outside, so var() does not render it
	gone  bool // the name was deleted here

	size  int64 // counted on the meter
	exact int64 // size when it was last measured
	edits int64 // changes since then
	items int   // of a list, those that are counted

	// Of `loop`, until somebody looks: making its map for every iteration
	// would cost more than the rest of a small one.
	index, length int
}

// hold says how much of a value belongs to its binding alone.
type hold uint8

const (
	holdNothing   hold = iota // others may hold it or parts of it
	holdContainer             // others may hold what is in it
	holdAll
)

// maxChain is how many scopes a name is looked up through before a new scope
// copies them into one.
const maxChain = 8

func newScope(m *meter) *scope { return &scope{meter: m} }

// child gives a scope that starts with what s holds. Until the child is
// done with, s must not be used.
func (s *scope) child() *scope {
	parent := s
	if s.depth >= maxChain {
		parent = s.snapshot()
	}
	return &scope{parent: parent, depth: parent.depth + 1, meter: s.meter}
}

// snapshot gives a scope of its own with what s holds now, for what runs
// beside or after s.
func (s *scope) snapshot() *scope {
	c := &scope{names: map[string]*binding{}, meter: s.meter}
	s.copyInto(c)
	return c
}

func (s *scope) copyInto(c *scope) {
	if s.parent != nil {
		s.parent.copyInto(c)
	}
	for name, b := range s.names {
		b.look()
		b.share()
		if b.gone {
			delete(c.names, name)
			continue
		}
		c.names[name] = &binding{value: b.value, data: b.data}
	}
}

// release takes what the scope held off the meter.
func (s *scope) release() {
	var total int64
	for _, b := range s.names {
		total += b.size
	}
	s.meter.add(-total)
}

// lookup finds a name and the scope that binds it.
func (s *scope) lookup(name string) (*binding, *scope) {
	for at := s; at != nil; at = at.parent {
		if b := at.names[name]; b != nil {
			if b.gone {
				return nil, nil
			}
			b.look()
			return b, at
		}
	}
	return nil, nil
}

// Get implements [expr.Scope].
func (s *scope) Get(name string) (expr.Value, bool) {
	b, _ := s.lookup(name)
	if b == nil {
		return nil, false
	}
	return b.value, true
}

// Set implements [expr.Scope] for what a program assigns.
func (s *scope) Set(name string, v expr.Value) {
	if !isContainer(v) {
		s.put(name, v, s.data)
		return
	}
	b := s.own(name)
	b.value, b.hold, b.data, b.gone, b.length = v, holdNothing, s.data, false, 0
	s.assigned = append(s.assigned, b) // to be measured once, in after
}

// Delete implements [expr.Scope].
func (s *scope) Delete(name string) {
	b := s.own(name)
	s.meter.add(-b.size)
	*b = binding{gone: true}
}

// own gives the binding of a name in s itself, a new one if need be.
func (s *scope) own(name string) *binding {
	b := s.names[name]
	if b == nil {
		if s.names == nil {
			s.names = map[string]*binding{}
		}
		b = &binding{}
		s.names[name] = b
	}
	return b
}

// put binds a name. Use fits to see whether that was too much.
func (s *scope) put(name string, v expr.Value, data bool) *binding {
	b := s.own(name)
	b.value, b.hold, b.data, b.gone, b.length = v, holdNothing, data, false, 0
	s.meter.count(b)
	return b
}

// show binds a name to a value that is counted elsewhere or is small.
func (s *scope) show(name string, v expr.Value, data bool) *binding {
	b := s.own(name)
	s.meter.add(-b.size)
	*b = binding{value: v, data: data}
	return b
}

// assign puts a value where a path leads.
func (s *scope) assign(p varPath, v expr.Value, data, merge bool) error {
	b, _ := s.lookup(p.root)
	if b == nil {
		b = &binding{}
	}
	now, err := p.assign(b.value, p.steps, v, merge)
	if err != nil {
		return err
	}
	if len(p.steps) == 0 && !isContainer(now) {
		s.put(p.root, now, data)
		return s.meter.fits()
	}
	added := s.meter.measure(v) + int64(p.longer(b.value))*(valueCost+containerCost)
	s.grow(p.root, b, now, holdNothing, data, added)
	return s.meter.fits()
}

// grow binds a name to what its value became when something of the given
// size went into it. The sum is too high where that replaced something, so
// it is measured again when it has doubled.
func (s *scope) grow(name string, was *binding, now expr.Value, h hold, data bool, added int64) {
	next := binding{value: now, hold: h, data: data || was.data, size: was.size + added, exact: was.exact}
	b := s.own(name)
	s.meter.add(next.size - b.size)
	*b = next
	if b.size > 2*b.exact+4096 {
		s.meter.count(b)
	}
}

// A wrongTarget says that a result cannot be added to what a variable holds.
type wrongTarget struct {
	path varPath
	want string
	have expr.Value
}

func (e *wrongTarget) Error() string {
	return fmt.Sprintf("%q holds %s, not a %s", e.path.text, expr.TypeName(e.have), e.want)
}

// extend appends a value to the list at a path, which is made if nothing is
// there.
func (s *scope) extend(p varPath, v expr.Value, data bool) error {
	b, owner, have, found := s.at(p)
	list, ok := have.(*expr.List)
	switch {
	case !found:
		list = expr.NewList()
	case !ok:
		return &wrongTarget{p, "list", have}
	case owner != s || b.hold == holdNothing || len(p.steps) > 0:
		list = cloneList(list)
	}
	list.Append(v)
	return s.replace(p, b, list, v, data)
}

// insert sets a key of the map at a path, which is made if nothing is there.
func (s *scope) insert(p varPath, key, v expr.Value, data bool) error {
	b, owner, have, found := s.at(p)
	dict, ok := have.(*expr.Dict)
	switch {
	case !found:
		dict = expr.NewDict()
	case !ok:
		return &wrongTarget{p, "map", have}
	case owner != s || b.hold == holdNothing || len(p.steps) > 0:
		dict = cloneDict(dict)
	}
	if err := dict.Set(key, v); err != nil {
		return err
	}
	return s.replace(p, b, dict, v, data)
}

// at gives what is at a path.
func (s *scope) at(p varPath) (b *binding, owner *scope, have expr.Value, found bool) {
	b, owner = s.lookup(p.root)
	if b == nil {
		return &binding{}, nil, nil, false
	}
	have = b.value
	for _, st := range p.steps {
		found = false
		switch c := have.(type) {
		case *expr.Dict:
			have, found = c.GetString(st.key)
		case *expr.Object:
			have, found = c.Get(st.key)
		case *expr.List:
			if found = st.list && st.index < c.Len(); found {
				have = c.At(st.index)
			}
		}
		if !found {
			return b, owner, nil, false
		}
	}
	return b, owner, have, true
}

// replace puts a container back that a value went into. A variable's own
// container stays its own, so that the next value costs no copy.
func (s *scope) replace(p varPath, was *binding, now, added expr.Value, data bool) error {
	h := holdContainer
	if len(p.steps) > 0 {
		var err error
		if now, err = p.assign(was.value, p.steps, now, false); err != nil {
			return err
		}
		h = holdNothing
	}
	s.grow(p.root, was, now, h, data, s.meter.measure(added))
	return s.meter.fits()
}

// before readies the scope for a program: what the program may change in
// place becomes the scope's own.
func (s *scope) before(p *program) {
	if !p.mutates && !p.block {
		return
	}
	s.assigned, s.data = s.assigned[:0], s.outside(p)
	if !p.mutates {
		return
	}
	for _, name := range p.names {
		b, owner := s.lookup(name)
		if b == nil || !isContainer(b.value) || owner == s && b.hold == holdAll {
			continue
		}
		c := expr.Copy(b.value)
		if owner != s {
			b = s.put(name, c, b.data)
		}
		b.value, b.hold = c, holdAll
	}
}

// after notes that the result of a program, or what it changed, may hold
// values of the variables it uses, and counts what it assigned and changed.
func (s *scope) after(p *program, result expr.Value) {
	returns := isContainer(result)
	if !returns && !p.mutates && len(s.assigned) == 0 {
		return
	}
	containers := 0
	for _, name := range p.names {
		b, owner := s.lookup(name)
		if b == nil || !isContainer(b.value) {
			continue
		}
		containers++
		if p.mutates && owner == s && b.hold == holdAll {
			s.meter.edited(b)
		}
	}
	if returns || containers > 1 || len(s.assigned) > 0 {
		for _, name := range p.names {
			if b, _ := s.lookup(name); b != nil {
				b.share()
			}
		}
	}
	for _, b := range s.assigned {
		s.meter.count(b)
	}
	s.assigned = s.assigned[:0]
}

// share notes that others may hold the value. What is shared already is only
// read, since several goroutines may do this at once.
func (b *binding) share() {
	if b.hold != holdNothing {
		b.hold = holdNothing
	}
}

// adopt takes over what a child has set.
func (s *scope) adopt(c *scope) {
	for name, b := range c.names {
		was := s.own(name)
		s.meter.add(-was.size)
		*was = *b
	}
	c.names = nil
}

// outside reports whether a program uses a variable that came from outside.
func (s *scope) outside(p *program) bool {
	for _, name := range p.names {
		if b, _ := s.lookup(name); b != nil && b.data {
			return true
		}
	}
	return false
}

// isContainer reports whether a value has parts that can change.
func isContainer(v expr.Value) bool {
	switch v.(type) {
	case nil, bool, int64, float64, string, expr.Bytes, expr.Date, expr.Datetime:
		return false
	}
	return true
}
