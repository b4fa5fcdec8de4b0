package manager

import (
	"context"
	"errors"
	"sync"

	"go.opentelemetry.io/otel/trace"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/otel/span"
)

func spanRun(p api.Packet) span.Run {
	return span.Run{Cookie: p.Cookie, Pipeline: p.Pipeline, Queue: p.Queue}
}

func (m *Manager) spanAttempt(p api.Packet) span.Attempt {
	return span.Attempt{Number: p.Attempt, Worker: m.cfg.Worker}
}

// endProcess gives the process span the result's outcome.
func endProcess(s trace.Span, r api.Result) {
	o := span.Outcome{Type: string(r.RC), Message: r.Error}
	switch r.RC {
	case api.RCOK:
		o = span.Outcome{Result: span.Success}
	case api.RCCancelled:
		span.CancelRequested(s)
		o.Result = span.Cancelled
	case api.RCTimeout:
		o.Result = span.Timeout
	case api.RCProcessorException:
		o.Result = span.Failure
	default:
		o.Result = span.Error
	}
	span.EndRun(s, o)
}

// observer makes the spans of a run's tasks and chips.
type observer struct {
	mu sync.Mutex
	// Guarded by mu.
	recorded []error // whose exception has been recorded where it arose
}

func (o *observer) Task(ctx context.Context, t engine.TaskInfo) (context.Context, func(error)) {
	ctx, s := span.Task(ctx, span.TaskInfo{Name: t.Name, Kind: string(t.Kind)})
	return ctx, func(err error) {
		if t.Counts != nil {
			s.SetAttributes(span.LoopIterationsKey.Int(t.Counts.Iterations), span.SpansDroppedKey.Int(t.Counts.Iterations-t.Counts.Told))
		}
		o.record(ctx, s, err)
		span.EndTask(s, outcomeOf(ctx, err))
	}
}

func (o *observer) Chip(ctx context.Context, c engine.ChipInfo) (context.Context, func(error)) {
	ctx, s := span.Chip(ctx, c.Chip, "")
	return ctx, func(err error) {
		o.record(ctx, s, err)
		s.End()
	}
}

// Quiet is the context for what runs beyond a loop's budget of spans.
func (o *observer) Quiet(ctx context.Context) context.Context { return span.Quiet(ctx) }

// record notes an error on the first span that it is seen on, which is the
// innermost: where it arose. A stop that was asked for is no error.
func (o *observer) record(ctx context.Context, s trace.Span, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, known := range o.recorded {
		if errors.Is(err, known) {
			return
		}
	}
	o.recorded = append(o.recorded, err)
	span.Fail(s, err, classOf(err))
}

func outcomeOf(ctx context.Context, err error) span.Outcome {
	switch {
	case err == nil:
		return span.Outcome{Result: span.Success}
	case errors.Is(context.Cause(ctx), errTimeout):
		return span.Outcome{Result: span.Timeout}
	case ctx.Err() != nil:
		return span.Outcome{Result: span.Cancelled}
	}
	return span.Outcome{Result: span.Failure, Type: classOf(err), Message: err.Error()}
}

// classOf is an error's class in the engine's words: one of few.
func classOf(err error) string {
	var failed *engine.Error
	if errors.As(err, &failed) {
		return failed.Class
	}
	return engine.ChipException
}
