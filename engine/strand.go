package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/pullrun/pullrun/engine/expr"
)

// A strand is a line of execution: the run's own, or a background task. It
// belongs to one goroutine.
type strand struct {
	run      *run
	observer Observer // nil while silenced
	prefix   []level  // of a background task, where it was started
	frames   []level
	printing context.Context     // of the program that runs now
	texts    map[string]template // that var() led to
}

// A level is a list of tasks under way.
type level struct {
	list string // the pipeline, or "<taskset>"
	task *task
}

// An outcome is how a task or a list of tasks ends.
type outcome struct {
	value    expr.Value
	data     bool // it came from outside
	returned bool // the list is over
}

// terminated ends the run, branched replaces what the strand runs. They
// travel as errors through all levels.
type (
	terminated struct {
		value expr.Value
	}
	branched struct {
		to    *pipeline
		scope *scope
	}
)

func (*terminated) Error() string { return "terminated" }
func (*branched) Error() string   { return "branched" }

// safely runs f so that a panic of the engine's own fails the strand and
// nothing else.
func (s *strand) safely(f func() (outcome, error)) (out outcome, err error) {
	defer func() {
		if v := recover(); v != nil {
			s.run.log.Error("engine panicked", "pipeline", s.run.pipeline, "err", v, "stack", string(debug.Stack()))
			err = s.fail(InternalException, nil, "the engine panicked: %v", v)
		}
	}()
	return f()
}

// pipeline runs a pipeline, and those it branches to.
func (s *strand) pipeline(ctx context.Context, p *pipeline, sc *scope) (outcome, error) {
	for {
		out, err := s.list(ctx, p.name, p.tasks, sc)
		b, ok := err.(*branched)
		if !ok {
			return out, err
		}
		p, sc = b.to, b.scope
	}
}

// list runs tasks until one returns.
func (s *strand) list(ctx context.Context, name string, tasks []*task, sc *scope) (outcome, error) {
	if len(s.prefix)+len(s.frames) >= s.run.limits.Depth {
		return outcome{}, s.limit("depth", "of %d levels", s.run.limits.Depth)
	}
	s.frames = append(s.frames, level{list: name})
	defer func() { s.frames = s.frames[:len(s.frames)-1] }()
	at := len(s.frames) - 1
	for _, t := range tasks {
		s.frames[at].task = t
		if t.kind == KindComment {
			continue
		}
		out, err := s.task(ctx, t, sc)
		if err != nil || out.returned {
			return out, err
		}
	}
	return outcome{}, nil
}

// task runs one task if its condition holds.
func (s *strand) task(ctx context.Context, t *task, sc *scope) (out outcome, err error) {
	if err := s.tick(ctx); err != nil {
		return outcome{}, err
	}
	if t.when != nil {
		v, _, err := s.evaluate(ctx, sc, t.when, EvaluationException)
		if err != nil || !expr.Truth(v) {
			return outcome{}, err
		}
	}
	ctx, counts, end := s.toldTask(ctx, t)
	if t.log == logNone {
		out, err = s.perform(ctx, t, sc, counts)
	} else {
		began := time.Now()
		out, err = s.perform(ctx, t, sc, counts)
		s.logTask(ctx, t, time.Since(began), failure(err))
	}
	end(failure(err))
	return out, err
}

// perform does what a task is for.
func (s *strand) perform(ctx context.Context, t *task, sc *scope, counts *LoopCounts) (outcome, error) {
	switch t.kind {
	case KindDeclare:
		return s.inPlace(ctx, t, sc, counts, s.declare)
	case KindAssert:
		return s.inPlace(ctx, t, sc, counts, s.assert)
	case KindReturn:
		v, data, err := s.render(ctx, sc, t.value)
		return outcome{value: v, data: data, returned: true}, err
	case KindTerminate:
		v, _, err := s.render(ctx, sc, t.value)
		if err != nil {
			return outcome{}, err
		}
		return outcome{}, &terminated{v}
	case KindBranch:
		return outcome{}, s.branch(ctx, t, sc)
	}
	return s.call(ctx, t, sc, counts)
}

// failure gives an error if it is a failure and not a way to go on.
func failure(err error) error {
	switch err.(type) {
	case *terminated, *branched:
		return nil
	}
	return err
}

// tick counts a task and sees whether the strand should stop.
func (s *strand) tick(ctx context.Context) error {
	if s.run.tasks.Add(1) > s.run.limits.Tasks {
		return s.limit("tasks", "of %d tasks", s.run.limits.Tasks)
	}
	if ctx.Err() != nil {
		return s.interrupted(ctx)
	}
	return nil
}

var logLevelOf = [...]slog.Level{logTrace: slog.LevelDebug - 4, logDebug: slog.LevelDebug, logInfo: slog.LevelInfo}

// logTask logs a task that asked for it.
func (s *strand) logTask(ctx context.Context, t *task, took time.Duration, err error) {
	attrs := []slog.Attr{slog.String("pipeline", s.run.pipeline), slog.String("task", position(s.stack())), slog.Duration("took", took)}
	if err != nil {
		attrs = append(attrs, slog.String("err", err.Error()))
	}
	s.run.log.LogAttrs(ctx, logLevelOf[t.log], "task done", attrs...)
}

// stack gives where the strand is, outermost first.
func (s *strand) stack() []level {
	levels := make([]level, 0, len(s.prefix)+len(s.frames))
	return append(append(levels, s.prefix...), s.frames...)
}

// fail makes the error of the task that the strand is at.
func (s *strand) fail(class string, cause error, format string, args ...any) *Error {
	e := &Error{Class: class, Message: fmt.Sprintf(format, args...), Cause: cause}
	e.locate(s.stack())
	s.run.hide.error(e)
	return e
}

func (s *strand) limit(what, format string, args ...any) *Error {
	return s.fail(LimitException, nil, "the run reached its limit on "+what+" "+format, args...)
}

// interrupted makes the error of a strand whose context has ended.
func (s *strand) interrupted(ctx context.Context) *Error {
	cause := context.Cause(ctx)
	var t *timedOut
	switch {
	case errors.Is(cause, ErrTimeLimit):
		e := s.limit("time", "of %v", s.run.limits.Time)
		e.Cause = cause
		return e
	case errors.As(cause, &t):
		return s.fail(TimeoutException, cause, "the task took longer than %v", t.limit)
	}
	return s.fail(CancelledException, cause, "stopped: %v", cause)
}
