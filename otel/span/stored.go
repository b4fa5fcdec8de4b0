package span

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"time"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Stored is the frame of a span that is written once, after the fact, from
// what a database holds: a server that restarts in between loses nothing.
type Stored struct {
	// Parent is the span it hangs under. Without a valid parent nothing is
	// written: a span alone would be a torn trace.
	Parent Carrier

	// Start and End are the span's times.
	Start, End time.Time

	// Self is the context under which others know the span already: one from
	// [Reserve], or a dead worker's. Where it does not fit the parent's
	// trace, the span gets an id of its own.
	Self Carrier

	// Links are further spans that it follows from.
	Links []Carrier
}

// LeaseEnd is how a lease ended.
type LeaseEnd string

// The ends of a lease. An expired one is an error.
const (
	LeaseSettled  LeaseEnd = "settled"
	LeaseReleased LeaseEnd = "released"
	LeaseExpired  LeaseEnd = "expired"
)

const errLeaseExpired = "lease_expired"

// WriteRun writes the span of a whole run, from its acceptance to its end.
func WriteRun(w Stored, r Run, attempts int, o Outcome) {
	s, ok := w.start("RUN "+r.Pipeline, trace.SpanKindServer)
	if !ok {
		return
	}
	s.SetAttributes(r.attributes(semconv.CICDPipelineActionNameRun, AttemptsKey.Int(attempts))...)
	o.set(s, semconv.CICDPipelineResultKey)
	s.End(trace.WithTimestamp(w.End))
}

// WriteQueue writes the span of one attempt's wait, from queued to delivered.
func WriteQueue(w Stored, r Run, a Attempt) {
	s, ok := w.start("queue "+r.Queue, trace.SpanKindInternal)
	if !ok {
		return
	}
	s.SetAttributes(r.attemptAttributes(a)...)
	s.End(trace.WithTimestamp(w.End))
}

// WriteLease writes the span of one attempt's lease, from delivered to its
// end.
func WriteLease(w Stored, r Run, a Attempt, end LeaseEnd) {
	s, ok := w.start("lease "+r.Queue, trace.SpanKindInternal)
	if !ok {
		return
	}
	s.SetAttributes(r.attemptAttributes(a, LeaseEndKey.String(string(end)))...)
	if end == LeaseExpired {
		fail(s, "the worker was not heard of in time", errLeaseExpired)
	}
	s.End(trace.WithTimestamp(w.End))
}

// WriteTombstone writes the process span of a worker that died, under the
// context that its heartbeats carried (w.Self), so that what it had exported
// hangs where it belongs. Nothing is written where that context is no span of
// the worker's own: an untraced worker sends back the one it was given.
func WriteTombstone(w Stored, r Run, a Attempt) {
	if !w.selfFits() {
		return
	}
	s, ok := w.start(opProcess+" "+r.Queue, trace.SpanKindConsumer)
	if !ok {
		return
	}
	s.SetAttributes(r.attemptAttributes(a,
		semconv.MessagingOperationName(opProcess),
		semconv.MessagingOperationTypeProcess,
		SyntheticKey.Bool(true),
	)...)
	Outcome{Result: Error, Type: errLeaseExpired, Message: "the worker died"}.set(s, semconv.CICDPipelineResultKey)
	s.End(trace.WithTimestamp(w.End))
}

// Reserve returns the context of a span that will be written later under
// parent, so that others can link to it before. It is zero where parent is
// not valid.
func Reserve(parent Carrier) Carrier {
	sc := parent.spanContext()
	if !sc.IsValid() {
		return Carrier{}
	}
	return Inject(trace.ContextWithSpanContext(context.Background(), sc.WithSpanID(NewID())))
}

// start opens the span if it has a parent, and one that is sampled.
func (w Stored) start(name string, kind trace.SpanKind) (trace.Span, bool) {
	if !w.Parent.spanContext().IsValid() {
		return nil, false
	}
	ctx := w.Parent.Context(context.Background())
	if w.selfFits() {
		ctx = context.WithValue(ctx, idKey{}, w.Self.spanContext().SpanID())
	}
	_, s := tracer(ctx).Start(ctx, name,
		trace.WithSpanKind(kind),
		trace.WithTimestamp(w.Start),
		trace.WithLinks(links(w.Parent, w.Links)...),
	)
	return s, s.IsRecording()
}

// selfFits reports whether Self is another span of the parent's trace.
func (w Stored) selfFits() bool {
	self, parent := w.Self.spanContext(), w.Parent.spanContext()
	return self.IsValid() && self.TraceID() == parent.TraceID() && self.SpanID() != parent.SpanID()
}

// idKey is the context key of the id that the next span must take. Only
// start sets it, in a context that it does not hand out, so that no child
// inherits the id.
type idKey struct{}

// IDFrom returns the id that the span about to be started in ctx must take,
// for the SDK's id generator. It reports false where any id will do.
func IDFrom(ctx context.Context) (trace.SpanID, bool) {
	id, ok := ctx.Value(idKey{}).(trace.SpanID)
	return id, ok
}

// NewID returns a random span id.
func NewID() trace.SpanID {
	var id trace.SpanID
	for !id.IsValid() {
		binary.NativeEndian.PutUint64(id[:], rand.Uint64())
	}
	return id
}
