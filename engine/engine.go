// Package engine runs ReasonChip pipelines.
//
// A pipeline is a YAML list of tasks: they call chips, evaluate code, declare
// variables, loop, dispatch other pipelines and return a value. [Load] reads
// a folder of them, compiles every expression and template and reports all
// that is wrong at once. [Collection.Run] runs one pipeline with variables
// from a client and returns its result as JSON.
//
// The one idea: what a pipeline file says is code, and everything else is
// data. Texts are compiled when the collection is loaded; a value that comes
// from a client or a chip is never rendered or evaluated, whatever it looks
// like.
//
// A run is bounded in every way that [Limits] names, ends soon after its
// context does, and leaves no goroutine behind unless a chip ignores its
// context, which is said in the log. A chip that panics fails its task.
//
// The package knows neither packets nor HTTP. What it does is shown to an
// [Observer]; what pipelines can call is listed in [Chips].
package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/pullrun/pullrun/engine/expr"
)

// Input says what to run.
type Input struct {
	// Pipeline is the name of the pipeline.
	Pipeline string

	// Variables are what the run starts with: a JSON object or nothing.
	Variables json.RawMessage

	// Trusted says that the variables are as good as the pipeline's own
	// text, so that `var()` renders templates in them. It is for the person
	// who wrote the pipeline, never for a client.
	Trusted bool

	// Secrets gives each secret of the pipeline by its name. Nil reads those
	// that the pipeline names, from the environment and from files.
	Secrets func(name string) string

	// Log gets what tasks log and print. Nil drops it.
	Log *slog.Logger

	// Streams are what the reasonchip.streams chips read and write.
	Streams Streams

	// Observer is told what the run does. It may be nil.
	Observer Observer
}

// Output is what a run gives.
type Output struct {
	// Result is the value the run ended with; "null" if it had none.
	Result json.RawMessage

	// Warnings are what went wrong without failing the run, such as the
	// error of a background task that nobody waited for.
	Warnings []string

	// Killed reports that the run was stopped and a chip told [Killed] of
	// what it was doing. It counts if the run failed as well.
	Killed bool
}

// Run runs a pipeline to its end, background tasks included. It returns an
// *[Error] if the run fails. When ctx ends, it returns soon with an Error of
// class CancelledException that wraps the context's cause.
//
// Run may be called any number of times at once.
func (c *Collection) Run(ctx context.Context, in Input) (Output, error) {
	p := c.pipelines[in.Pipeline]
	if p == nil {
		msg := fmt.Sprintf("unknown pipeline %q", in.Pipeline)
		if hint := c.missing(in.Pipeline); hint != "" {
			msg += "; " + hint
		}
		return Output{}, &Error{Class: NoSuchPipelineException, Message: msg}
	}
	r := newRun(ctx, c, in)
	defer r.timer()
	defer r.stop(nil)
	scope, err := r.start(p, in)
	if err != nil {
		return Output{}, err
	}
	done := make(chan ending, 1) // sent to once, by the goroutine below
	go func() { done <- r.main(p, scope) }()
	var end ending
	select {
	case end = <-done:
	case <-r.ctx.Done():
		end = r.await(done)
	}
	return r.output(end)
}

// await gives a run that was stopped a little time to end by itself.
func (r *run) await(done <-chan ending) ending {
	grace := time.NewTimer(r.limits.Grace)
	defer grace.Stop()
	select {
	case end := <-done:
		return end
	case <-grace.C:
		r.log.Error("run left behind: a chip does not heed its context", "pipeline", r.pipeline, "took", r.limits.Grace)
		err := (&strand{run: r}).interrupted(r.ctx)
		err.Cause = fmt.Errorf("%w: %w", ErrLeftBehind, err.Cause)
		return ending{err: err}
	}
}

// output turns the end of a run into what its caller gets.
func (r *run) output(end ending) (Output, error) {
	out := Output{Warnings: r.warnings(), Killed: r.killed.Load()}
	if value, ok := r.terminatedWith(); ok && end.err != nil {
		end = ending{value: value}
	}
	if end.err != nil {
		return out, end.err
	}
	data, err := resultJSON(end.value, r.limits.Result, r.hide)
	if err != nil {
		e := &Error{Class: EvaluationException, Message: "the result cannot be sent: " + err.Error(), Cause: err}
		if errors.As(err, new(*expr.LimitError)) {
			e.Class, e.Message = LimitException, fmt.Sprintf("the result is larger than %d bytes", r.limits.Result)
		}
		r.hide.error(e)
		return out, e
	}
	out.Result = data
	return out, nil
}
