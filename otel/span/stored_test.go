package span_test

import (
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/pullrun/pullrun/otel/oteltest"
	"github.com/pullrun/pullrun/otel/span"
)

var (
	began = time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)
	ended = began.Add(90 * time.Minute)
)

func stored(parent, self string, links ...span.Carrier) span.Stored {
	return span.Stored{
		Parent: span.Carrier{TraceParent: parent},
		Self:   span.Carrier{TraceParent: self},
		Start:  began, End: ended,
		Links: links,
	}
}

func TestStoredSpanHasItsTimesAndParent(t *testing.T) {
	finish := oteltest.Record(t, "svc")
	w := stored(sampled, "")
	span.WriteRun(w, run, span.Whole{Attempts: 1, Outcome: span.Outcome{Result: span.Success}})
	span.WriteQueue(w, run, first)
	span.WriteLease(w, run, first, span.LeaseReleased)
	w.Self = span.Carrier{TraceParent: sibling}
	span.WriteTombstone(w, run, first, span.LeaseExpired, nowhere)
	span.WriteProcess(w, run, first, span.Outcome{Result: span.Success})
	spans := finish()
	if len(spans) != 5 {
		t.Fatalf("%d spans written, want 5", len(spans))
	}
	for _, s := range spans {
		if !s.Start.Equal(began) || !s.End.Equal(ended) {
			t.Errorf("%s lasts from %v to %v, want %v to %v", s.Name, s.Start, s.End, began, ended)
		}
		if s.TraceID != sampled[3:35] || s.ParentID != sampled[36:52] {
			t.Errorf("%s: trace %s, parent %s, want those of %s", s.Name, s.TraceID, s.ParentID, sampled)
		}
	}
}

func TestStoredSpanNeedsAParent(t *testing.T) {
	for name, parent := range map[string]string{"none": "", "nonsense": "nonsense", "unsampled": unsampled} {
		t.Run(name, func(t *testing.T) {
			finish := oteltest.Record(t, "svc")
			w := stored(parent, sibling)
			span.WriteRun(w, run, span.Whole{Attempts: 1, Outcome: span.Outcome{Result: span.Success}})
			span.WriteQueue(w, run, first)
			span.WriteLease(w, run, first, span.LeaseSettled)
			span.WriteTombstone(w, run, first, span.LeaseExpired, nowhere)
			span.WriteProcess(w, run, first, span.Outcome{Result: span.Success})
			if got := finish(); len(got) != 0 {
				t.Errorf("%d spans written, want none", len(got))
			}
		})
	}
}

func TestSelf(t *testing.T) {
	for _, tt := range []struct {
		name string
		self string
		kept bool // the lease has the id of self, and there is a tombstone
	}{
		{name: "a span of the same trace is written under its id", self: sibling, kept: true},
		{name: "the parent, as an untraced worker sends it back, is not", self: sampled},
		{name: "a span of another trace is not", self: stranger},
		{name: "nonsense is not", self: "nonsense"},
		{name: "none is not", self: ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			finish := oteltest.Record(t, "svc")
			span.WriteLease(stored(sampled, tt.self), run, first, span.LeaseExpired)
			span.WriteTombstone(stored(sampled, tt.self), run, first, span.LeaseExpired, nowhere)
			spans := finish()
			if got := len(spans) == 2; got != tt.kept {
				t.Fatalf("tombstone written: %v, want %v", got, tt.kept)
			}
			if got := spans[0].SpanID == sibling[36:52]; got != tt.kept {
				t.Errorf("lease has id %s, want that of %q: %v", spans[0].SpanID, tt.self, tt.kept)
			}
		})
	}
}

func TestLease(t *testing.T) {
	t.Parallel()
	send := span.Carrier{TraceParent: sampled, TraceState: "a=1"}
	got := span.Lease(send, 1)
	if got.TraceID() != send.TraceID() || got.TraceState != send.TraceState || got == send {
		t.Errorf("Lease() = %v, want another span in the trace of %v", got, send)
	}
	if again := span.Lease(send, 1); again != got {
		t.Errorf("Lease() = %v, then %v for the same lease", got, again)
	}
	for _, other := range []span.Carrier{span.Lease(send, 2), span.Lease(span.Carrier{TraceParent: sibling}, 1)} {
		if other == got {
			t.Errorf("Lease() = %v for two leases", got)
		}
	}
	if got := span.Lease(span.Carrier{TraceParent: "nonsense"}, 1); got != (span.Carrier{}) {
		t.Errorf("Lease() under nonsense = %v, want none", got)
	}
}

// The worker writes the span of an attempt that it answered, and nobody else.
func TestATombstoneIsForALeaseWithoutAnAnswer(t *testing.T) {
	for end, want := range map[span.LeaseEnd]string{
		span.LeaseSettled: "", span.LeaseReleased: "", span.LeaseExpired: "lease_expired", span.LeaseAbandoned: "lease_abandoned",
	} {
		finish := oteltest.Record(t, "svc")
		span.WriteTombstone(stored(sampled, sibling), run, first, end, nowhere)
		got := ""
		for _, s := range finish() {
			got += s.Attributes["error.type"]
		}
		if got != want {
			t.Errorf("tombstone of a lease that was %s: %q, want %q", end, got, want)
		}
	}
}

// Jaeger forgets the parent of a span that also links to it.
func TestLinks(t *testing.T) {
	linked := []span.Carrier{{TraceParent: sampled}, {TraceParent: "nonsense"}, {}, {TraceParent: sibling}, {TraceParent: stranger}}
	finish := oteltest.Record(t, "svc")
	_, s := new(span.Keep).Process(t.Context(), span.Carrier{TraceParent: sampled}, run, first, linked...)
	s.End()
	span.WriteLease(stored(sampled, "", linked...), run, first, span.LeaseSettled)
	for _, s := range finish() {
		if len(s.Links) != 2 || s.Links[0].SpanID != sibling[36:52] || s.Links[1].TraceID != stranger[3:35] {
			t.Errorf("%s: links %v, want those to %s and %s", s.Name, s.Links, sibling, stranger)
		}
	}
}

// A reserved id is for one span, not for those that are started while it is
// written or after it.
func TestReservedIDIsNotInherited(t *testing.T) {
	finish := oteltest.Record(t, "svc")
	ctx := span.Carrier{TraceParent: sampled}.Context(t.Context())
	span.WriteLease(stored(sampled, sibling), run, first, span.LeaseSettled)
	_, s := span.Chip(ctx, "k")
	s.End()
	ids := make(map[string]bool)
	for _, s := range finish() {
		ids[s.SpanID] = true
	}
	if len(ids) != 2 {
		t.Errorf("ids %v, want two", ids)
	}
	if id, ok := span.IDFrom(ctx); ok {
		t.Errorf("IDFrom() = %v, want none", id)
	}
}

func TestQuiet(t *testing.T) {
	t.Setenv("OTEL_TRACES_SAMPLER", "always_on")
	finish := oteltest.Record(t, "svc")
	ctx, root := span.Submit(t.Context(), run)
	quiet := span.Quiet(ctx)
	below, s := span.Chip(quiet, "k")
	if s.IsRecording() {
		t.Error("IsRecording() = true under a quiet context")
	}
	s.End()
	if got, want := trace.SpanContextFromContext(below).TraceID(), root.SpanContext().TraceID(); got != want {
		t.Errorf("trace %v under a quiet context, want %v", got, want)
	}
	root.End()
	remote := span.Carrier{TraceParent: sampled}.Context(t.Context())
	if _, s := span.Chip(span.Quiet(remote), "k"); s.IsRecording() {
		t.Error("IsRecording() = true under a quiet context of a remote span")
	}
	if got := len(finish()); got != 1 {
		t.Errorf("%d spans, want 1", got)
	}
}

func TestQuietOutsideOfASpan(t *testing.T) {
	t.Parallel()
	if sc := trace.SpanContextFromContext(span.Quiet(t.Context())); sc.IsValid() {
		t.Errorf("span context %v, want none", sc)
	}
}

func TestSends(t *testing.T) {
	t.Parallel()
	if n := span.AddSend(t.Context()); n != 0 || span.Sends(t.Context()) != 0 {
		t.Errorf("AddSend() = %d where nobody counts, want 0", n)
	}
	ctx := span.WithSends(t.Context())
	for want := range 3 {
		if got := span.AddSend(ctx); got != want {
			t.Errorf("AddSend() = %d, want %d", got, want)
		}
	}
	if got := span.Sends(ctx); got != 3 {
		t.Errorf("Sends() = %d, want 3", got)
	}
}

// nowhere is where a run was that did not say.
func nowhere() span.Last { return span.Last{} }
