package span

import (
	"context"
	"time"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// The names of the messaging operations, which are also the verbs of the
// spans' names.
const (
	opSend    = "send"
	opProcess = "process"
	opSettle  = "settle"
)

// Submit starts the client's span around the submission of a run and, where
// the client waits for it, around the wait.
func Submit(ctx context.Context, r Run) (context.Context, trace.Span) {
	if idle(ctx) {
		return ctx, none(ctx)
	}
	return start(ctx, "submit "+r.Pipeline, trace.SpanKindInternal, r.attributes())
}

// Send starts the server's span for putting a run of size bytes on its queue.
// The caller stores [Inject] of the returned context with the run, and calls the
// function when the run is committed: where it is not, there is no span. The span
// ends as it has begun, for all that comes later hangs under it, whatever becomes
// of this process, and no part of a trace may look as if it were too late.
func Send(ctx context.Context, r Run, size int) (_ context.Context, sent func()) {
	if idle(ctx) {
		return ctx, func() {}
	}
	ctx, s := start(ctx, opSend+" "+r.Queue, trace.SpanKindProducer, r.attributes(
		semconv.MessagingOperationName(opSend),
		semconv.MessagingOperationTypeSend,
		semconv.MessagingMessageBodySize(size),
	))
	at := time.Now()
	return ctx, func() { s.End(trace.WithTimestamp(at)) }
}

// Process starts the worker's span for one attempt at a run, under the send
// span that came with the packet. Links are the lease that granted the
// attempt and the attempt before it, where there are any.
//
// The span is ended by [EndRun] when the server has taken the attempt's result,
// and not before: where the server takes none, it writes a span of this id
// itself. So there is always one of them, and never both.
//
// What is below the span is kept until it hangs under nothing that goes on but
// this span: see [Keep].
func (k *Keep) Process(ctx context.Context, send Carrier, r Run, a Attempt, linked ...Carrier) (context.Context, trace.Span) {
	ctx = send.Context(ctx)
	if idle(ctx) {
		return ctx, none(ctx)
	}
	ctx, s := start(ctx, opProcess+" "+r.Queue, trace.SpanKindConsumer, r.processAttributes(a), links(send, linked)...)
	if !s.IsRecording() {
		return ctx, s
	}
	p := &processSpan{Span: s, keep: k}
	return trace.ContextWithSpan(ctx, p), p
}

// TaskInfo is what a task's span says about it.
type TaskInfo struct {
	Name string // as in the pipeline's file; without one, the span is named for the kind
	Kind string
	ID   string // where the task stands, such as "main/3"; left out when empty
}

// Task starts the span of one task, under the process span or the task that
// runs it.
func Task(ctx context.Context, t TaskInfo) (context.Context, trace.Span) {
	if idle(ctx) {
		return ctx, none(ctx)
	}
	name := t.Name
	if name == "" {
		name = t.Kind
	}
	attrs := appendText(nil, semconv.CICDPipelineTaskNameKey, name)
	attrs = appendText(attrs, semconv.CICDPipelineTaskRunIDKey, t.ID)
	attrs = appendText(attrs, TaskKindKey, t.Kind)
	return start(ctx, "task "+name, trace.SpanKindInternal, attrs)
}

// Chip starts the span of one call of the chip that is registered as kind.
func Chip(ctx context.Context, kind string) (context.Context, trace.Span) {
	if idle(ctx) {
		return ctx, none(ctx)
	}
	return start(ctx, "chip "+kind, trace.SpanKindInternal, appendText(nil, ChipKindKey, kind))
}

// Settle starts the worker's span around posting a result until it is
// accepted. The requests that are sent under the returned context are
// counted: see [WithSends]. The first of them and the last become spans: see
// [maxPosts].
func Settle(ctx context.Context, r Run, a Attempt) (context.Context, trace.Span) {
	if idle(ctx) {
		return WithSends(ctx), none(ctx)
	}
	ctx, s := start(ctx, opSettle+" "+r.Queue, trace.SpanKindClient, r.attemptAttributes(a,
		semconv.MessagingOperationName(opSettle),
		semconv.MessagingOperationTypeSettle,
	))
	if !s.IsRecording() {
		return WithSends(ctx), s
	}
	settle := &settleSpan{Span: s}
	return WithSends(trace.ContextWithSpan(ctx, settle)), settle
}

// CancelRequested notes on a run's span that somebody asked for its end.
func CancelRequested(s trace.Span) {
	s.AddEvent("cancel requested")
}

// Quiet returns a context under which no spans are recorded, those of HTTP
// requests neither, while the trace goes on. It is for the iterations of a
// loop beyond its budget.
func Quiet(ctx context.Context) context.Context {
	sc := trace.SpanContextFromContext(ctx)
	quiet := sc.WithTraceFlags(sc.TraceFlags().WithSampled(false)).WithRemote(false)
	return trace.ContextWithSpanContext(ctx, quiet)
}
