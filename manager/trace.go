package manager

import (
	"context"
	"errors"

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

// observer makes the spans of tasks and chips.
type observer struct{}

func (observer) Task(ctx context.Context, t engine.TaskInfo) (context.Context, func(error)) {
	ctx, s := span.Task{Name: t.Name, Kind: string(t.Kind)}.Start(ctx)
	return ctx, func(err error) { span.EndTask(s, outcomeOf(ctx, err)) }
}

func (observer) Chip(ctx context.Context, c engine.ChipInfo) (context.Context, func(error)) {
	ctx, s := span.Chip(ctx, c.Name, "")
	return ctx, func(err error) {
		if err != nil && ctx.Err() == nil {
			span.Fail(s, err, classOf(err))
		}
		s.End()
	}
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
		return string(failed.Class)
	}
	return "error"
}
