package engine

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/pullrun/pullrun/engine/expr"
)

// The lists of tasks that guard another, as they stand in [Error.At].
const (
	rescueSet  = "<rescue>"
	finallySet = "<finally>"
)

// A retry says how often a task that fails is tried again.
type retry struct {
	max     int           // tries after the first
	backoff time.Duration // the first wait; each further one is twice as long
	on      []string      // classes of errors; empty means any
}

// maxBackoff bounds the wait before another try.
const maxBackoff = time.Minute

// timedOut is the cause of a context that a task's timeout has ended.
type timedOut struct {
	limit time.Duration
}

func (e *timedOut) Error() string { return "timeout of " + e.limit.String() }

// guarded runs the body of a task with all that guards it: tries under one
// timeout, then, if they failed, the rescue, and in any case what is to be
// done finally.
func (s *strand) guarded(ctx context.Context, t *task, sc *scope, run bodyFunc) (outcome, error) {
	g := t.guard
	out, err := s.tries(ctx, g, sc, run)
	if e, ok := err.(*Error); ok && g.rescue != nil && ctx.Err() == nil && e.Class != LimitException {
		out, err = s.rescue(ctx, g, sc, e)
	}
	if g.finally == nil {
		return out, err
	}
	if ctx.Err() != nil { // there is still something to put away
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), s.run.limits.Grace/2)
		defer cancel()
	}
	if _, last := s.list(ctx, finallySet, g.finally, sc); last != nil && failure(err) == nil {
		return outcome{}, last
	}
	return out, err
}

// tries runs the body until it succeeds or may not be tried again. Each try
// starts with the variables as they were before the first.
func (s *strand) tries(ctx context.Context, g *guard, sc *scope, run bodyFunc) (outcome, error) {
	if g.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, g.timeout, &timedOut{g.timeout})
		defer cancel()
	}
	if g.retry == nil {
		return run(s, ctx, sc)
	}
	wait := g.retry.backoff
	for try := 0; ; try++ {
		attempt := sc.child()
		out, err := run(s, ctx, attempt)
		if b, ok := err.(*branched); ok { // it goes on with this scope
			return outcome{}, b
		}
		e, failed := err.(*Error)
		if !failed {
			sc.adopt(attempt)
			return out, err
		}
		attempt.release()
		if try == g.retry.max || !g.retry.covers(e) || ctx.Err() != nil {
			return out, err
		}
		if !sleep(ctx, wait/2+rand.N(wait/2+1)) {
			return outcome{}, s.interrupted(ctx)
		}
		wait = min(2*wait, maxBackoff)
	}
}

// covers reports whether a task that failed like this is tried again.
func (r *retry) covers(e *Error) bool {
	if e.Class == LimitException || e.Class == CancelledException {
		return false
	}
	return len(r.on) == 0 || slices.ContainsFunc(r.on, func(class string) bool { return e.is(class) })
}

// is reports whether the error or one of its causes has a class.
func (e *Error) is(class string) bool {
	for err := error(e); err != nil; err = errors.Unwrap(err) {
		if classOf(err) == class {
			return true
		}
	}
	return false
}

// rescue runs the tasks that are there for a failure, with what happened in
// the variable `error`.
func (s *strand) rescue(ctx context.Context, g *guard, sc *scope, e *Error) (outcome, error) {
	sc.show("error", expr.NewObject("error", []expr.Field{
		{Name: "type", Value: e.Class},
		{Name: "message", Value: e.Message},
		{Name: "cause", Value: e.CauseClass()},
		{Name: "at", Value: e.At},
	}), true)
	return s.list(ctx, rescueSet, g.rescue, sc)
}

// sleep waits and reports whether ctx is still there.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (p *parser) guarded(t *task) *guard {
	if t.guard == nil {
		t.guard = &guard{}
	}
	return t.guard
}

func (p *parser) timeout(t *task, n *node) {
	if !n.isNull() {
		p.guarded(t).timeout = p.duration("timeout", n)
	}
}

func (p *parser) rescue(t *task, n *node) {
	if !n.isNull() {
		p.guarded(t).rescue = p.nested("rescue", rescueSet, n)
	}
}

func (p *parser) finally(t *task, n *node) {
	if !n.isNull() {
		p.guarded(t).finally = p.nested("finally", finallySet, n)
	}
}

// duration reads a positive length of time with its unit.
func (p *parser) duration(name string, n *node) time.Duration {
	s, ok := n.text()
	d, err := time.ParseDuration(s)
	if !ok || err != nil || d <= 0 {
		p.wrong(n, `for example "30s"`, "%q wants a length of time with its unit, not %s", name, brief(n.scalar))
		return 0
	}
	return d
}

// retry reads how often, or a map of max, backoff and on.
func (p *parser) retry(t *task, n *node) {
	if n.isNull() {
		return
	}
	r := &retry{backoff: time.Second}
	if n.kind != mapNode {
		r.max = p.count("retry", n)
		p.guarded(t).retry = r
		return
	}
	for _, pair := range n.pairs {
		switch key, _ := pair.key.text(); key {
		case "max":
			r.max = p.count("max", pair.value)
		case "backoff":
			r.backoff = p.duration("backoff", pair.value)
		case "on":
			classes := []*node{pair.value}
			if pair.value.kind == listNode {
				classes = pair.value.items
			}
			for _, c := range classes {
				class, _ := p.text("on", c)
				r.on = append(r.on, class)
			}
		default:
			p.wrong(pair.key, "it takes max, backoff and on", `unknown field %s in "retry"`, expr.Repr(pair.key.scalar))
		}
	}
	if n.get("max") == nil {
		p.wrong(n, "", `"retry" wants max`)
	}
	p.guarded(t).retry = r
}

// count reads a whole number from 1 to 1,000.
func (p *parser) count(name string, n *node) int {
	v, ok := n.scalar.(int64)
	if n.kind != scalarNode || !ok || v < 1 || v > 1000 {
		p.wrong(n, "", "%q wants a whole number from 1 to 1000, not %s", name, n.what())
		return 1
	}
	return int(v)
}
