package engine

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/pullrun/pullrun/engine/expr"
)

// A run is one run of a pipeline: what its strands share.
type run struct {
	limits   Limits
	pipeline string
	log      *slog.Logger
	observer Observer
	streams  streams
	hide     hider

	ctx   context.Context // ends when the run is stopped or over
	stop  context.CancelCauseFunc
	timer context.CancelFunc

	meter   meter
	tasks   atomic.Int64
	steps   *expr.Budget
	printed atomic.Int64 // bytes
	killed  atomic.Bool  // see Killed

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

// Killed tells, for a chip, that what it was doing for the run that calls it
// did not end when it was told to and was ended by force, as the operating
// system kills a process. It counts when it was the run that was stopped, and
// not one of its tasks.
func Killed(ctx context.Context) {
	if r, ok := ctx.Value(runKey{}).(*run); ok && r.ctx.Err() != nil {
		r.killed.Store(true)
	}
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

// Evaluation gives how a chip evaluates for the run that calls it: within the
// run's limits.
func Evaluation(ctx context.Context) expr.Options {
	r, ok := ctx.Value(runKey{}).(*run)
	if !ok {
		return expr.Options{}
	}
	return r.evaluation()
}

func (r *run) evaluation() expr.Options {
	return expr.Options{
		Limits: expr.Limits{Steps: r.limits.EvalSteps, Memory: r.limits.EvalMemory},
		Budget: r.steps,
	}
}

// An ending is how the main strand of a run ends.
type ending struct {
	value expr.Value
	err   error
}

// ErrTimeLimit is the cause of a [LimitException] of a run that took longer
// than [Limits] allow.
var ErrTimeLimit = errors.New("the time limit is reached")

// ErrLeftBehind is a cause of the error of a run that was stopped while a chip
// did not heed its context: what the chip does goes on.
var ErrLeftBehind = errors.New("left behind")

// The other reasons for which a run stops by itself.
var (
	errTerminated = errors.New("a background task terminated the run")
	errRunFailed  = errors.New("the run failed")
)

func newRun(ctx context.Context, c *Collection, in Input) *run {
	r := &run{
		limits: c.limits, pipeline: in.Pipeline,
		log: in.Log, observer: in.Observer, streams: streams{Streams: in.Streams},
		meter: meter{limit: c.limits.Variables}, steps: expr.NewBudget(c.limits.Steps),
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	ctx, r.timer = context.WithTimeoutCause(context.WithValue(ctx, runKey{}, r), c.limits.Time, ErrTimeLimit)
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
	return s, r.bindSecrets(p, s, in.Secrets)
}

// main runs the first strand and waits for the others.
func (r *run) main(p *pipeline, sc *scope) (end ending) {
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
