package engine

import (
	"context"
	"errors"

	"github.com/pullrun/pullrun/engine/expr"
)

// call runs a chip, code, a task set or another pipeline, once or in a loop,
// in a scope of its own: first `variables` are set, then `params`.
func (s *strand) call(ctx context.Context, t *task, sc *scope, counts *LoopCounts) (outcome, error) {
	inner := sc
	if t.ownScope {
		inner = sc.child()
		defer inner.release()
	}
	if err := s.setVariables(t, inner); err != nil {
		return outcome{}, err
	}
	args, err := s.args(ctx, t.params, inner, nil, false)
	if err != nil {
		return outcome{}, err
	}
	if t.ownScope {
		if err := s.merge(inner, args); err != nil {
			return outcome{}, err
		}
	}
	if t.loop != nil {
		return s.loop(ctx, t, sc, inner, args, counts)
	}
	return s.once(ctx, t, sc, inner, args)
}

// loop runs a task for each item. All iterations share one scope.
func (s *strand) loop(ctx context.Context, t *task, sc, inner *scope, args []arg, counts *LoopCounts) (out outcome, err error) {
	out.returned = t.returnResult
	items, data, err := s.items(ctx, t, inner)
	if err != nil {
		return outcome{}, err
	}
	if t.loop.parallel > 1 {
		return s.parallel(ctx, t, sc, inner, args, items, data, counts)
	}
	b := s.newBudget(ctx, counts, len(items))
	defer func() { b.end(t, err) }()
	for i, item := range items {
		if err := s.tick(ctx); err != nil {
			return outcome{}, err
		}
		inner.showItem(item, data, i, len(items))
		if out, err = s.iteration(b.next(), t, sc, inner, args); err != nil {
			return outcome{}, err
		}
	}
	return out, nil
}

// iteration renders the params that mention the item and runs the task.
func (s *strand) iteration(ctx context.Context, t *task, sc, inner *scope, args []arg) (outcome, error) {
	fixed := len(args)
	args, err := s.args(ctx, t.params, inner, args[:fixed:fixed], true)
	if err != nil {
		return outcome{}, err
	}
	if err := s.merge(inner, args[fixed:]); err != nil {
		return outcome{}, err
	}
	return s.once(ctx, t, sc, inner, args)
}

// once runs the body of a task and saves its result.
func (s *strand) once(ctx context.Context, t *task, sc, inner *scope, args []arg) (outcome, error) {
	out, err := s.body(ctx, t, inner, args)
	if err != nil {
		return outcome{}, err
	}
	if err := s.save(ctx, t, sc, inner, out); err != nil {
		return outcome{}, err
	}
	out.returned = t.returnResult
	return out, nil
}

// body runs what the task is for, in the background if it says so.
func (s *strand) body(ctx context.Context, t *task, inner *scope, args []arg) (outcome, error) {
	if t.guard != nil && !t.runAsync {
		return s.guarded(ctx, t, inner, func(s *strand, ctx context.Context, sc *scope) (outcome, error) {
			run, err := s.prepare(t, args)
			if err != nil {
				return outcome{}, err
			}
			return run(s, ctx, sc)
		})
	}
	run, err := s.prepare(t, args)
	if err != nil {
		return outcome{}, err
	}
	if t.runAsync {
		return s.spawn(ctx, t, inner, run)
	}
	return run(s, ctx, inner)
}

// A bodyFunc is the body of a task with its params read, to be run by any
// strand in a scope like the one it was prepared for.
type bodyFunc func(s *strand, ctx context.Context, sc *scope) (outcome, error)

// prepare reads the params, so that wrong ones are told at once even if the
// task runs in the background.
func (s *strand) prepare(t *task, args []arg) (bodyFunc, error) {
	switch t.kind {
	case KindTasks:
		return func(s *strand, ctx context.Context, sc *scope) (outcome, error) {
			return s.list(ctx, taskSet, t.tasks, sc)
		}, nil
	case KindDispatch:
		return func(s *strand, ctx context.Context, sc *scope) (outcome, error) {
			return s.list(ctx, t.next.name, t.next.tasks, sc)
		}, nil
	case KindCode:
		return func(s *strand, ctx context.Context, sc *scope) (outcome, error) {
			v, data, err := s.evaluate(ctx, sc, t.code, CodeExecutionException)
			return outcome{value: v, data: data}, err
		}, nil
	}
	request, err := t.chip.ready(chipParams(args))
	if err != nil {
		return nil, s.fail(InvalidChipParametersException, err, "%s: %v", t.target, err)
	}
	return func(s *strand, ctx context.Context, _ *scope) (outcome, error) {
		return s.chip(ctx, t, request)
	}, nil
}

// chip calls a chip. What it answers comes from outside.
func (s *strand) chip(ctx context.Context, t *task, request call) (outcome, error) {
	ctx, end := s.toldChip(ctx, t)
	v, err := request.safely(ctx)
	if err == nil {
		end(nil)
		return outcome{value: v, data: true}, nil
	}
	var failed *Error
	var p *panicked
	var limit *expr.LimitError
	switch {
	case ctx.Err() != nil:
		failed = s.interrupted(ctx)
	case errors.Is(err, errOutput):
		failed = s.limit("output", "of %d bytes", s.run.limits.Output)
	case errors.As(err, &limit) && limit.Budget:
		failed = s.limit("steps", "of %d", s.run.limits.Steps)
	case errors.As(err, &p):
		s.run.log.ErrorContext(ctx, "chip panicked", "pipeline", s.run.pipeline, "chip", t.target, "task", position(s.stack()),
			"err", p.value, "stack", string(p.stack))
		failed = s.fail(ChipException, err, "%s: %v", t.target, err)
	default:
		failed = s.fail(ChipException, err, "%s: %v", t.target, err)
	}
	end(failed)
	return outcome{}, failed
}

// chipParams are rendered params as a chip reads them.
type chipParams []arg

// Get implements [params].
func (args chipParams) Get(name string) (expr.Value, bool) {
	for i := range args {
		if args[i].param.name == name {
			return args[i].value, true
		}
	}
	return nil, false
}

// Names implements [params].
func (args chipParams) Names() []string {
	names := make([]string, len(args))
	for i := range args {
		names[i] = args[i].param.name
	}
	return names
}

// save puts a result where the task says, and into `_`.
func (s *strand) save(ctx context.Context, t *task, sc, inner *scope, out outcome) error {
	sc.show("_", out.value, out.data)
	if inner != sc {
		inner.show("_", out.value, out.data)
	}
	if t.store != nil {
		if err := sc.assign(*t.store, out.value, out.data, false); err != nil {
			return s.unset(err)
		}
	}
	if t.appendInto != nil {
		if err := sc.extend(*t.appendInto, out.value, out.data); err != nil {
			return s.unset(err)
		}
	}
	if t.keyInto != nil {
		key, _, err := s.render(ctx, inner, t.keyInto.key)
		if err != nil {
			return err
		}
		if err := sc.insert(t.keyInto.name, key, out.value, out.data); err != nil {
			return s.unset(err)
		}
	}
	return nil
}
