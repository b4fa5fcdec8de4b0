package manager

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/otel/meter"
	"github.com/pullrun/pullrun/otel/span"
)

func spanRun(p api.Packet) span.Run {
	return span.Run{Cookie: p.Cookie, Pipeline: p.Pipeline, Queue: p.Queue}
}

func (m *Manager) spanAttempt(p api.Packet) span.Attempt {
	return span.Attempt{Number: p.Attempt, Worker: m.cfg.Worker}
}

func sendOf(p api.Packet) span.Carrier {
	return span.Carrier{TraceParent: p.TraceParent, TraceState: p.TraceState}
}

// linksOf are the spans that an attempt follows from.
func linksOf(p api.Packet) []span.Carrier {
	var out []span.Carrier
	for _, parent := range p.TraceLinks {
		out = append(out, span.Carrier{TraceParent: parent})
	}
	return out
}

// beginProcess opens the span of the run's lease. It does so at once, so that
// the very next poll can name it. The caller has locked mu.
func (m *Manager) beginProcess(ctx context.Context, r *run) context.Context {
	p := r.packet
	ctx, r.process = m.spans.Process(ctx, sendOf(p), spanRun(p), m.spanAttempt(p), linksOf(p)...)
	r.at, r.trace, r.began = r.process.SpanContext(), span.Inject(ctx).TraceParent, time.Now()
	return ctx
}

// endProcess ends the span of an attempt whose result the server has just taken,
// or writes it, where the attempt was an earlier process's. Had the server not
// taken the result, it would write the span in our place.
func (m *Manager) endProcess(a answer) {
	r := a.run
	switch {
	case r == nil || r.began.IsZero():
	case r.process != nil:
		span.EndRun(r.process, outcomeOfResult(a.result))
	default:
		span.WriteProcess(span.Stored{
			Parent: sendOf(r.packet), Self: span.Carrier{TraceParent: r.trace}, Links: linksOf(r.packet), Start: r.began, End: time.Now(),
		}, spanRun(r.packet), m.spanAttempt(r.packet), outcomeOfResult(a.result))
	}
}

// outcomeOfResult is what a result says of its attempt. One that was handed back
// did not fail.
func outcomeOfResult(r api.Result) span.Outcome {
	o := span.Outcome{Type: string(r.RC), Message: r.Error}
	switch r.RC {
	case api.RCOK:
		return span.Outcome{Result: span.Success}
	case api.RCCancelled, api.RCWorkerWentAway:
		return span.Outcome{Result: span.Cancelled}
	case api.RCTimeout:
		o.Result = span.Timeout
	case api.RCProcessorException:
		o.Result = span.Failure
	default:
		o.Result = span.Error
	}
	return o
}

// measure tells how an attempt ended.
func (m *Manager) measure(a answer, took time.Duration) {
	o := outcomeOfResult(a.result)
	m.cfg.Meter.Attempt(meter.End{Pipeline: a.packet.Pipeline, Result: string(o.Result), Error: o.Type}, took)
}

// runBudget is how many spans the loops of one run may have together, and how
// many all else in it may: so no loop takes those of what comes after it. The
// engine bounds each loop on its own, but not loops in loops.
const runBudget = 1000

// observer makes the spans of a run's tasks and chips.
type observer struct {
	redactor Redactor        // may be nil
	meter    *meter.RunMeter // may be nil
	process  trace.Span      // that they are below

	mu sync.Mutex
	// Guarded by mu.
	recorded []error // whose exception has been recorded where it arose
	looped   int     // spans inside loops
	straight int     // the others
	dropped  int     // tasks and chips that have none
}

// Secret is told each secret that the pipeline names, before a task has it.
func (o *observer) Secret(value string) {
	if o.redactor != nil {
		o.redactor.Learn(value)
	}
}

type loopKey struct{}

// affords reports whether there is room for one span more.
func (o *observer) affords(ctx context.Context) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := &o.straight
	if ctx.Value(loopKey{}) != nil {
		n = &o.looped
	}
	if *n >= runBudget {
		o.dropped++
		return false
	}
	*n++
	return true
}

// begun counts a span that has not been made, for want of room in the process.
func (o *observer) begun(s trace.Span) {
	if s.IsRecording() || !o.process.IsRecording() {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dropped++
}

// over notes on the run's span what it cannot show.
func (o *observer) over(r *run, mu *sync.Mutex) {
	o.mu.Lock()
	dropped := o.dropped
	o.mu.Unlock()
	dropped += span.Refused(o.process)
	if dropped == 0 {
		return
	}
	mu.Lock()
	defer mu.Unlock()
	r.process.SetAttributes(span.SpansDroppedKey.Int(dropped))
}

func (o *observer) Task(ctx context.Context, t engine.TaskInfo) (context.Context, func(error)) {
	began := time.Now()
	ctx, end := o.taskSpan(ctx, t)
	return ctx, func(err error) {
		outcome := taskOutcome(ctx, err)
		o.meter.Task(string(t.Kind), string(outcome.Result), time.Since(began))
		end(err, outcome)
	}
}

func (o *observer) taskSpan(ctx context.Context, t engine.TaskInfo) (context.Context, func(error, span.Outcome)) {
	if !o.affords(ctx) {
		return span.Quiet(ctx), func(error, span.Outcome) {}
	}
	ctx, s := span.Task(ctx, span.TaskInfo{Name: t.Name, Kind: string(t.Kind), ID: t.Pipeline + "/" + strconv.Itoa(t.Number)})
	o.begun(s)
	if t.Loop {
		ctx = context.WithValue(ctx, loopKey{}, true)
	}
	return ctx, func(err error, outcome span.Outcome) {
		if t.Counts != nil {
			s.SetAttributes(span.LoopIterationsKey.Int(t.Counts.Iterations), span.SpansDroppedKey.Int(t.Counts.Iterations-t.Counts.Told))
		}
		o.record(ctx, s, err)
		span.EndTask(s, outcome)
	}
}

func (o *observer) Chip(ctx context.Context, c engine.ChipInfo) (context.Context, func(error)) {
	began := time.Now()
	ctx, end := o.chipSpan(ctx, c)
	return ctx, func(err error) {
		o.meter.Chip(c.Chip, string(taskOutcome(ctx, err).Result), time.Since(began))
		end(err)
	}
}

func (o *observer) chipSpan(ctx context.Context, c engine.ChipInfo) (context.Context, func(error)) {
	if !o.affords(ctx) {
		return span.Quiet(ctx), func(error) {}
	}
	ctx, s := span.Chip(ctx, c.Chip)
	o.begun(s)
	return ctx, func(err error) {
		o.record(ctx, s, err)
		s.End()
	}
}

// Model notes what a language model has read and written.
func (o *observer) Model(ctx context.Context, c engine.ModelCall) {
	span.Model(ctx, span.ModelCall(c))
	o.meter.Tokens(meter.Model{Operation: c.Operation, Provider: c.Provider, Name: c.Model}, c.Input, c.Output)
}

// Program notes which program has run, and how it ended.
func (o *observer) Program(ctx context.Context, p engine.ProgramRun) {
	span.Program(ctx, p.Name, p.ExitCode)
}

// Quiet is the context for what runs beyond a loop's budget of spans.
func (o *observer) Quiet(ctx context.Context) context.Context { return span.Quiet(ctx) }

// inTrace is a context whose log lines name the trace of a packet's run.
func inTrace(p api.Packet) context.Context {
	return span.Carrier{TraceParent: p.TraceParent, TraceState: p.TraceState}.Context(context.Background())
}

// context is inTrace with the span of the attempt, where there is one.
func (a answer) context() context.Context {
	if !a.trace.IsValid() {
		return inTrace(a.packet)
	}
	return trace.ContextWithRemoteSpanContext(context.Background(), a.trace)
}

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

func taskOutcome(ctx context.Context, err error) span.Outcome {
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
