package expr

// comprehension compiles [..], {..} and (..) with for. The first iterable is
// evaluated outside, everything else inside. The variables lie in the frame
// around, unless a function may hold on to them: then each run has a frame
// of its own. That of a generator is its own always, since it lives on.
func (c *compiler) comprehension(x *compExpr) code {
	source := c.expr(x.clauses[0].iter)
	own := x.kind == compGenerator || contains(x, holdsFrame)
	leave := c.enter(own)
	defer leave()
	c.scope.comp = true
	m := &comp{loops: c.loops(x.clauses), item: c.expr(x.item)}
	if x.val != nil {
		m.val = c.expr(x.val)
	}
	if own {
		m.info = c.scope.frame
	}
	run := [...]func(*comp, *cursor) (Value, error){
		compList: (*comp).list, compSet: (*comp).set, compDict: (*comp).dict, compGenerator: (*comp).generator,
	}[x.kind]
	return func(fr *frame) (Value, error) {
		v, err := source(fr)
		if err != nil {
			return nil, err
		}
		it, err := fr.ev.iterate(v)
		if err != nil {
			return nil, err
		}
		if m.info != nil {
			fr = &frame{ev: fr.ev, parent: fr, slots: newSlots(m.info.size), handling: fr.handling}
		}
		cur := &cursor{fr: fr, loops: m.loops}
		cur.its = append(cur.room[:0], it)
		return run(m, cur)
	}
}

// holdsFrame reports whether an expression makes a function, which keeps
// the frame that it is made in.
func holdsFrame(x expression) bool {
	switch x := x.(type) {
	case *lambdaExpr:
		return true
	case *compExpr:
		return x.kind == compGenerator
	}
	return false
}

// loops compiles the clauses: each for with the tests that follow it.
func (c *compiler) loops(clauses []clause) []compLoop {
	for _, cl := range clauses {
		c.declareTargets(cl.target)
	}
	var loops []compLoop
	for i, cl := range clauses {
		if cl.target == nil {
			last := &loops[len(loops)-1]
			last.tests = append(last.tests, c.expr(cl.test))
			continue
		}
		l := compLoop{store: c.store(cl.target)}
		if i > 0 {
			l.source = c.expr(cl.iter)
		}
		loops = append(loops, l)
	}
	return loops
}

// declareTargets gives the names of a comprehension's target slots in it.
func (c *compiler) declareTargets(x expression) {
	if x == nil {
		return
	}
	b := newBinder()
	b.target(x)
	for _, name := range b.names {
		c.declare(name)
	}
}

// A comp is a compiled comprehension.
type comp struct {
	info  *frameInfo // of its own frame, or nil
	loops []compLoop
	item  code
	val   code // of a dictionary
}

type compLoop struct {
	source code // nil for the first
	store  store
	tests  []code
}

// A cursor goes through the combinations of a comprehension's loops.
type cursor struct {
	fr    *frame
	loops []compLoop
	its   []iterator // of the loops that are running
	room  [2]iterator
}

// advance moves to the next combination that passes the tests.
func (cur *cursor) advance() (bool, error) {
	fr := cur.fr
	for len(cur.its) > 0 {
		i := len(cur.its) - 1
		if err := fr.ev.step(); err != nil {
			return false, err
		}
		v, ok, err := cur.its[i].next(fr.ev)
		if err != nil {
			return false, err
		}
		if !ok {
			cur.its = cur.its[:i]
			continue
		}
		l := &cur.loops[i]
		if err := l.store(fr, v); err != nil {
			return false, err
		}
		pass, err := l.pass(fr)
		if err != nil {
			return false, err
		}
		if !pass {
			continue
		}
		if i == len(cur.loops)-1 {
			return true, nil
		}
		if v, err = cur.loops[i+1].source(fr); err != nil {
			return false, err
		}
		it, err := fr.ev.iterate(v)
		if err != nil {
			return false, err
		}
		cur.its = append(cur.its, it)
	}
	return false, nil
}

func (l *compLoop) pass(fr *frame) (bool, error) {
	for _, test := range l.tests {
		v, err := test(fr)
		if err != nil || !Truth(v) {
			return false, err
		}
	}
	return true, nil
}

func (m *comp) list(cur *cursor) (Value, error) {
	l := &List{}
	err := m.each(cur, itemCost, func(fr *frame) error {
		v, err := m.item(fr)
		l.items = append(l.items, v)
		return err
	})
	return l, err
}

func (m *comp) set(cur *cursor) (Value, error) {
	s := newSet()
	err := m.each(cur, entryCost, func(fr *frame) error {
		v, err := m.item(fr)
		if err != nil {
			return err
		}
		return s.add(v)
	})
	return s, err
}

func (m *comp) dict(cur *cursor) (Value, error) {
	d := NewDict()
	err := m.each(cur, entryCost, func(fr *frame) error {
		k, err := m.item(fr)
		if err != nil {
			return err
		}
		v, err := m.val(fr)
		if err != nil {
			return err
		}
		return d.Set(k, v)
	})
	return d, err
}

func (m *comp) each(cur *cursor, cost int, f func(fr *frame) error) error {
	for {
		ok, err := cur.advance()
		if err != nil || !ok {
			return err
		}
		if err := cur.fr.ev.grow(cost); err != nil {
			return err
		}
		if err := f(cur.fr); err != nil {
			return err
		}
	}
}

func (m *comp) generator(cur *cursor) (Value, error) {
	home := cur.fr.ev.mark()
	return newIter(typeGenerator, nextFunc(func(ev *eval) (Value, bool, error) {
		if err := ev.mayRun(m.info, home); err != nil {
			return nil, false, err
		}
		if err := ev.enter(); err != nil {
			return nil, false, err
		}
		defer ev.leave()
		cur.fr.ev = ev
		ok, err := cur.advance()
		if err != nil || !ok {
			return nil, false, err
		}
		v, err := m.item(cur.fr)
		return v, err == nil, err
	})), nil
}
