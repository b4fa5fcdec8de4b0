package engine

import (
	"context"

	"github.com/pullrun/pullrun/engine/expr"
)

// items gives what a loop goes through. It is a snapshot: what the loop does
// to the collection does not change it.
func (s *strand) items(ctx context.Context, t *task, sc *scope) (items []expr.Value, data bool, err error) {
	var v expr.Value
	if t.loop.bare != nil {
		v, data, err = s.evaluate(ctx, sc, t.loop.bare, LoopVariableNotIterableException)
	} else {
		v, data, err = s.render(ctx, sc, t.loop.items)
	}
	if err != nil {
		return nil, false, err
	}
	switch v := v.(type) {
	case *expr.List:
		return v.Items(), data, nil
	case expr.Tuple:
		return v, data, nil
	case string, *expr.Object, expr.Host:
		return nil, false, s.fail(LoopVariableNotIterableException, nil, "the loop wants a collection, not %s", brief(v))
	}
	items, err = expr.Collect(ctx, v, s.run.evaluation())
	if err != nil {
		if e, ok := err.(*expr.Exc); ok && e.Class() == "TypeError" {
			return nil, false, s.fail(LoopVariableNotIterableException, err, "the loop wants a collection, not %s", brief(v))
		}
		return nil, false, s.evaluationError(ctx, t.loop.program(), EvaluationException, err)
	}
	return items, data, nil
}

// program gives the program that a loop's collection comes from, or an empty
// one.
func (l *loop) program() *program {
	p := l.bare
	if p == nil {
		l.items.each(func(first *program) {
			if p == nil {
				p = first
			}
		})
	}
	if p == nil {
		p = &program{}
	}
	return p
}

// showItem binds `item` and `loop` for iteration i of n.
func (sc *scope) showItem(item expr.Value, data bool, i, n int) {
	sc.show("item", item, data)
	loop := sc.show("loop", nil, false)
	loop.index, loop.length = i, n
}

// look makes the value of `loop` when it is needed.
func (b *binding) look() {
	if b.length == 0 {
		return
	}
	i, n := b.index, b.length
	b.index, b.length = 0, 0
	loop := expr.NewDict()
	loop.SetString("length", int64(n))
	loop.SetString("index", int64(i+1))
	loop.SetString("index0", int64(i))
	loop.SetString("first", i == 0)
	loop.SetString("last", i == n-1)
	loop.SetString("even", i%2 == 1)
	loop.SetString("odd", i%2 == 0)
	loop.SetString("revindex", int64(n-i))
	loop.SetString("revindex0", int64(n-i-1))
	b.value = loop
}

// inPlace runs a task that works on the scope it stands in, once or for each
// item. The last item stays behind.
func (s *strand) inPlace(ctx context.Context, t *task, sc *scope, counts *LoopCounts, do func(context.Context, *task, *scope) error) (outcome, error) {
	if t.loop == nil {
		return outcome{}, do(ctx, t, sc)
	}
	items, data, err := s.items(ctx, t, sc)
	if err != nil {
		return outcome{}, err
	}
	for i, item := range items {
		if err := s.tick(ctx); err != nil {
			return outcome{}, err
		}
		counts.turn(len(items))
		sc.showItem(item, data, i, len(items))
		if err := do(ctx, t, sc); err != nil {
			return outcome{}, err
		}
	}
	return outcome{}, nil
}
