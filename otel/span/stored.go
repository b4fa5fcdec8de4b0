package span

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
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
	// [Lease], or a worker's that has ended. Where it does not fit the parent's
	// trace, the span gets an id of its own.
	Self Carrier

	// Links are further spans that it follows from.
	Links []Carrier
}

// LeaseEnd is how a lease ended.
type LeaseEnd string

// The ends of a lease. One that expired is an error, and so is one that was
// abandoned: its worker is there, but did not answer in time.
const (
	LeaseSettled   LeaseEnd = "settled"
	LeaseReleased  LeaseEnd = "released"
	LeaseExpired   LeaseEnd = "expired"
	LeaseAbandoned LeaseEnd = "abandoned"
)

// lost is the error of a lease without a result: its type, and what its span
// and the attempt's say.
func (e LeaseEnd) lost() (errType, lease, attempt string) {
	switch e {
	case LeaseExpired:
		return "lease_expired", "the worker was not heard of in time", "the worker died"
	case LeaseAbandoned:
		return "lease_abandoned", "the worker did not answer in time", "the worker did not answer in time"
	}
	return "", "", ""
}

// Whole is what the span of a whole run says besides.
type Whole struct {
	Submitter    string // the name of the token that the run was submitted with
	CancelBy     string // that of the one that asked for its end, if one did
	CancelReason string // and why
	Attempts     int
	Outcome      Outcome
}

// WriteRun writes the span of a whole run, from its acceptance to its end.
func WriteRun(w Stored, r Run, all Whole) {
	s, ok := w.start("RUN "+r.Pipeline, trace.SpanKindServer)
	if !ok {
		return
	}
	attrs := appendText(r.attributes(semconv.CICDPipelineActionNameRun, AttemptsKey.Int(all.Attempts)), SubmitterKey, all.Submitter)
	attrs = appendText(attrs, CancelByKey, all.CancelBy)
	s.SetAttributes(appendText(attrs, CancelReasonKey, all.CancelReason)...)
	all.Outcome.set(s, semconv.CICDPipelineResultKey)
	s.End(trace.WithTimestamp(w.End))
}

// WriteQueue writes the span of one attempt's wait, from queued to delivered.
func WriteQueue(w Stored, r Run, a Attempt) {
	w.wait("queue ", r, a, nil)
}

// WriteUnserved writes the span of a wait that ended with the run, before a worker
// had it.
func WriteUnserved(w Stored, r Run, a Attempt, o Outcome) {
	w.wait("queue ", r, a, &o)
}

// WriteWait writes the span of a wait before a run is in line for a worker: for
// its time, after an attempt, for a slot of its key. The reason is one of few. The
// outcome is nil unless the run ended meanwhile. A wait that takes no time is none.
func WriteWait(w Stored, r Run, a Attempt, reason string, o *Outcome) {
	if w.End.After(w.Start) {
		w.wait("wait ", r, a, o, WaitReasonKey.String(reason))
	}
}

func (w Stored) wait(verb string, r Run, a Attempt, o *Outcome, more ...attribute.KeyValue) {
	s, ok := w.start(verb+r.Queue, trace.SpanKindInternal)
	if !ok {
		return
	}
	s.SetAttributes(r.attemptAttributes(a, more...)...)
	if o != nil {
		o.set(s, semconv.CICDPipelineResultKey)
	}
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
	if errType, message, _ := end.lost(); errType != "" {
		fail(s, message, errType)
	}
	s.End(trace.WithTimestamp(w.End))
}

// Last is where a run was when its worker last said so. The zero Last is not
// known.
type Last struct {
	Task string // with those around it, and the turns of their loops
	At   time.Time
}

// WriteTombstone writes the process span of an attempt whose result nobody
// will take any more, under the context that the worker's heartbeats carried
// (w.Self), so that what it had exported hangs where it belongs. Nothing is
// written where that context is no span of the worker's own: an untraced worker
// sends back the one it was given. Nor is it where the lease ended by an answer
// of the worker, who writes the span itself then: see [WriteProcess]. Only for what
// is written last is called, which says where the run was.
func WriteTombstone(w Stored, r Run, a Attempt, end LeaseEnd, last func() Last) {
	errType, _, message := end.lost()
	if errType == "" {
		return
	}
	w.process(r, a, Outcome{Result: Error, Type: errType, Message: message}, func() []attribute.KeyValue {
		attrs := []attribute.KeyValue{SyntheticKey.Bool(true)}
		if l := last(); l.Task != "" {
			attrs = append(attrs, LastTaskKey.String(l.Task), LastTimeKey.String(l.At.UTC().Format(time.RFC3339Nano)))
		}
		return attrs
	})
}

// WriteProcess writes the process span of an attempt under the context that it
// had (w.Self) in a process that has ended since: one whose result waited in the
// outbox.
func WriteProcess(w Stored, r Run, a Attempt, o Outcome) {
	w.process(r, a, o, func() []attribute.KeyValue { return nil })
}

func (w Stored) process(r Run, a Attempt, o Outcome, more func() []attribute.KeyValue) {
	if off() || !w.selfFits() {
		return
	}
	s, ok := w.start(opProcess+" "+r.Queue, trace.SpanKindConsumer)
	if !ok {
		return
	}
	s.SetAttributes(r.processAttributes(a)...)
	s.SetAttributes(more()...)
	o.set(s, semconv.CICDPipelineResultKey)
	s.End(trace.WithTimestamp(w.End))
}

// Lease returns the context that the span of a lease will have, which is made of
// the run's send span and the fence: so an attempt can link to its lease, and
// nobody has to remember the id until the lease is over. It is zero where send
// is not valid.
func Lease(send Carrier, fence int64) Carrier {
	sc := send.spanContext()
	if !sc.IsValid() {
		return Carrier{}
	}
	trace, parent := sc.TraceID(), sc.SpanID()
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(slices.Concat(trace[:], parent[:]), uint64(fence)))
	return carrierOf(sc.WithSpanID([8]byte(sum[:8])))
}

// start opens the span if it has a parent, and one that is sampled.
func (w Stored) start(name string, kind trace.SpanKind) (trace.Span, bool) {
	if off() || !w.Parent.spanContext().IsSampled() {
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
