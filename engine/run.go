package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pullrun/pullrun/engine/expr"
)

// A run is one run of a pipeline: what its strands share.
type run struct {
	collection *Collection
	limits     Limits
	pipeline   string
	log        *slog.Logger
	observer   Observer
	hide       hider

	ctx   context.Context // ends when the run is stopped or over
	stop  context.CancelCauseFunc
	timer context.CancelFunc

	meter   meter
	tasks   atomic.Int64
	polls   atomic.Int64 // of the evaluator, each worth pollSteps
	printed atomic.Int64 // bytes

	strands sync.WaitGroup // the background ones
	live    atomic.Int64   // background strands that have not ended

	mu         sync.Mutex // guards what follows
	failed     []*Handle  // background tasks that failed, at most maxFailed
	failures   int        // how many there were
	terminated bool       // a background task ended the run
	final      expr.Value // with this
}

// runKey is where a context holds its run.
type runKey struct{}

// Log writes a text to the log of the run that calls a chip, for the chip.
// Its error says that the run has logged too much.
func Log(ctx context.Context, level slog.Level, text string) error {
	r, ok := ctx.Value(runKey{}).(*run)
	if !ok {
		return nil
	}
	return r.write(ctx, level, "log", text)
}

var errOutput = errors.New("the run has printed and logged too much")

// write logs what a task has to say, until that is too much.
func (r *run) write(ctx context.Context, level slog.Level, msg, text string) error {
	if r.printed.Add(int64(len(text))+1) > r.limits.Output {
		return errOutput
	}
	r.log.Log(ctx, level, msg, "pipeline", r.pipeline, "text", r.hide.text(text))
	return nil
}

// An ending is how the main strand of a run ends.
type ending struct {
	value expr.Value
	err   error
}

// The reasons for which a run stops by itself.
var (
	errTimeLimit  = errors.New("the time limit is reached")
	errTerminated = errors.New("a background task terminated the run")
	errRunFailed  = errors.New("the run failed")
)

func newRun(ctx context.Context, c *Collection, in Input) *run {
	r := &run{
		collection: c, limits: c.limits, pipeline: in.Pipeline,
		log: in.Log, observer: in.Observer, meter: meter{limit: c.limits.Variables},
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	ctx, r.timer = context.WithTimeoutCause(context.WithValue(ctx, runKey{}, r), c.limits.Time, errTimeLimit)
	r.ctx, r.stop = context.WithCancelCause(ctx)
	return r
}

// start gives the scope that the run begins with.
func (r *run) start(p *pipeline, in Input) (*scope, error) {
	s := newScope(&r.meter)
	if len(in.Variables) > 0 {
		v, err := expr.FromJSON(in.Variables)
		if err != nil {
			return nil, &Error{Class: ValidationException, Message: "variables: " + err.Error(), Cause: err}
		}
		d, ok := v.(*expr.Dict)
		if !ok && v != nil {
			return nil, &Error{Class: ValidationException, Message: "variables: want a JSON object, not " + expr.TypeName(v)}
		}
		if ok {
			for key, value := range d.All() {
				s.put(key.(string), value, !in.Trusted)
			}
		}
	}
	if err := r.meter.fits(); err != nil {
		return nil, (&strand{run: r}).limit("variables", "of %d bytes", r.limits.Variables)
	}
	if err := p.bindInputs(s); err != nil {
		return nil, err
	}
	return s, r.bindSecrets(p, s)
}

// main runs the first strand and waits for the others.
func (r *run) main(p *pipeline, sc *scope) (end ending) {
	defer r.timer()
	s := &strand{run: r, observer: r.observer}
	out, err := s.safely(func() (outcome, error) { return s.pipeline(r.ctx, p, sc) })
	var t *terminated
	if errors.As(err, &t) {
		out, err = outcome{value: t.value}, nil
	}
	if err != nil {
		r.stop(errRunFailed)
	}
	if r.live.Load() > 0 {
		r.strands.Wait()
		if err == nil && r.ctx.Err() != nil {
			// The pipeline was done, but not what it had started.
			err = s.interrupted(r.ctx)
		}
	}
	return ending{value: out.value, err: err}
}

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

// A strand is a line of execution: the run's own, or a background task. It
// belongs to one goroutine.
type strand struct {
	run      *run
	observer Observer // nil while silenced
	prefix   []level  // of a background task, where it was started
	frames   []level
	eval     evalContext
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
	attrs := []slog.Attr{slog.String("pipeline", s.run.pipeline), slog.String("task", t.at.String()), slog.Duration("took", took)}
	if t.name != "" {
		attrs = append(attrs, slog.String("name", t.name))
	}
	if err != nil {
		attrs = append(attrs, slog.String("err", s.run.hide.text(err.Error())))
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
	case errors.Is(cause, errTimeLimit):
		return s.limit("time", "of %v", s.run.limits.Time)
	case errors.As(cause, &t):
		return s.fail(TimeoutException, cause, "the task took longer than %v", t.limit)
	}
	return s.fail(CancelledException, cause, "stopped: %v", cause)
}
