package engine

import (
	"context"
	"errors"
	"sync"

	"github.com/pullrun/pullrun/engine/expr"
)

var errSibling = errors.New("another iteration of the loop failed")

// parallel runs the iterations of a loop side by side, so many at once as
// the task says. Each has the variables as they were before the loop. The
// results are saved in the order of the items once all are there; the first
// failure stops the others.
func (s *strand) parallel(ctx context.Context, t *task, sc, inner *scope, args []arg, items []expr.Value, data bool, counts *LoopCounts) (outcome, error) {
	p := &parallelLoop{
		task: t, args: args, items: items, data: data,
		base: inner.snapshot(), results: make([]result, len(items)),
	}
	p.ctx, p.stop = context.WithCancelCause(ctx)
	defer p.stop(nil)
	defer p.release(&s.run.meter)
	var workers sync.WaitGroup
	for range min(t.loop.parallel, len(items)) {
		strand := &strand{run: s.run, observer: s.observer, prefix: s.stack()}
		workers.Go(func() { p.work(strand, counts) })
	}
	workers.Wait()
	out := outcome{returned: t.returnResult}
	if p.err != nil {
		return outcome{}, p.err
	}
	for i := range p.results {
		r := &p.results[i]
		r.release(&s.run.meter) // where it is saved it counts again
		inner.showItem(items[i], data, i, len(items))
		if err := s.save(ctx, t, sc, inner, r.outcome); err != nil {
			return outcome{}, err
		}
		out.value, out.data = r.value, r.data
	}
	return out, nil
}

// A parallelLoop is what the workers of a loop share.
type parallelLoop struct {
	task  *task
	args  []arg
	items []expr.Value
	data  bool
	base  *scope // read by all, changed by none
	ctx   context.Context
	stop  context.CancelCauseFunc

	results []result // each written by the worker that has the item

	mu   sync.Mutex // guards what follows
	next int
	err  error // the first
}

// A result is what an iteration came to. Until it is saved, it counts among
// the variables.
type result struct {
	outcome
	size int64 // on the meter
}

func (r *result) release(m *meter) {
	m.add(-r.size)
	r.size = 0
}

func (p *parallelLoop) release(m *meter) {
	for i := range p.results {
		p.results[i].release(m)
	}
}

// work takes items until there are none.
func (p *parallelLoop) work(s *strand, counts *LoopCounts) {
	observer := s.observer
	for {
		i, told := p.take(counts)
		if i < 0 {
			return
		}
		s.observer = observer
		if !told {
			s.observer = nil
		}
		sc := p.base.child()
		sc.showItem(p.items[i], p.data, i, len(p.items))
		out, err := s.safely(func() (outcome, error) { return p.iteration(s, sc) })
		sc.release()
		if err == nil {
			m := &s.run.meter
			p.results[i] = result{out, m.measure(out.value)}
			m.add(p.results[i].size)
			err = s.checkRun()
		}
		if err != nil {
			s.observer = observer
			p.fail(s, err, told)
			return
		}
	}
}

func (p *parallelLoop) iteration(s *strand, sc *scope) (outcome, error) {
	if err := s.tick(p.ctx); err != nil {
		return outcome{}, err
	}
	fixed := len(p.args)
	args, err := s.args(p.ctx, p.task.params, sc, p.args[:fixed:fixed], true)
	if err != nil {
		return outcome{}, err
	}
	if err := s.merge(sc, args[fixed:]); err != nil {
		return outcome{}, err
	}
	return s.body(p.ctx, p.task, sc, args)
}

// take gives the next item, or -1, and whether its iteration is told.
func (p *parallelLoop) take(counts *LoopCounts) (i int, told bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil || p.next == len(p.items) {
		return -1, false
	}
	i = p.next
	p.next++
	counts.turn(len(p.items))
	if told = counts.Told < loopBudget; told {
		counts.Told++
	}
	return i, told
}

func (p *parallelLoop) fail(s *strand, err error, told bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return
	}
	p.err = err
	p.stop(errSibling)
	if e, ok := err.(*Error); ok && !told && s.observer != nil {
		s.retell(p.ctx, p.task, e)
	}
}

func (p *parser) parallel(t *task, n *node) {
	if n.isNull() {
		return
	}
	if t.loop == nil {
		t.loop = &loop{}
	}
	t.loop.parallel = p.count("loop_parallel", n)
}
