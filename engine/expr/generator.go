package expr

import "iter"

// A generator runs a function that yields: as a coroutine, which waits in
// yield until the next value is wanted. The evaluation that started it stops
// it at its end, so that no coroutine is left behind; see [Iter.end].
type generator struct {
	fr   *frame
	fn   *Func
	it   *Iter
	pull func() (Value, bool)
	stop func()
	push func(Value) bool
	err  error
	done bool
}

func newGenerator(fr *frame, f *Func) *Iter {
	g := &generator{fr: fr, fn: f}
	fr.gen = g
	g.it = newIter(typeGenerator, g)
	g.it.gen = g
	return g.it
}

func (g *generator) next(ev *eval) (Value, bool, error) {
	if g.done {
		return nil, false, nil
	}
	if err := ev.mayRun(g.fn.code.info, g.fn.home); err != nil {
		return nil, false, err
	}
	if err := ev.enter(); err != nil {
		return nil, false, err
	}
	defer ev.leave()
	g.fr.ev = ev
	if g.pull == nil {
		g.pull, g.stop = iter.Pull(g.body)
		ev.atEnd = append(ev.atEnd, g.it)
	}
	v, ok := g.pull()
	if !ok {
		g.done = true
		if g.err == errStop { // it was stopped
			return nil, false, nil
		}
		return nil, false, g.err
	}
	return v, true, nil
}

func (g *generator) body(push func(Value) bool) {
	g.push = push
	_, g.err = g.fn.code.body(g.fr)
}

// give hands out a value and waits. It fails when no more is wanted.
func (g *generator) give(v Value) error {
	if !g.push(v) {
		return errStop
	}
	return nil
}
