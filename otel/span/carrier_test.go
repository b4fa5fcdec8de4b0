package span_test

import (
	"encoding/json"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/pullrun/pullrun/otel/span"
)

func TestCarrierGoesRound(t *testing.T) {
	t.Parallel()
	for _, want := range []span.Carrier{
		{},
		{TraceParent: sampled},
		{TraceParent: unsampled},
		{TraceParent: sampled, TraceState: "a=1,b=2"},
	} {
		if got := span.Inject(want.Context(t.Context())); got != want {
			t.Errorf("Inject(Context()) = %v, want %v", got, want)
		}
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got span.Carrier
		if err := json.Unmarshal(text, &got); err != nil || got != want {
			t.Errorf("through JSON %s = %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestCarriedSpanIsRemote(t *testing.T) {
	t.Parallel()
	sc := trace.SpanContextFromContext(span.Carrier{TraceParent: sampled}.Context(t.Context()))
	if !sc.IsRemote() || !sc.IsSampled() {
		t.Errorf("IsRemote() = %v, IsSampled() = %v, want both", sc.IsRemote(), sc.IsSampled())
	}
}

func TestInvalidCarrierChangesNothing(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"",
		"nonsense",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
		"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
		"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		sampled + "-more",
		sampled[:len(sampled)-1],
	} {
		c := span.Carrier{TraceParent: text, TraceState: "a=1"}
		ctx := t.Context()
		if got := c.Context(ctx); got != ctx {
			t.Errorf("Context() with %q = %v, want it as it was", text, got)
		}
		if got := c.TraceID(); got != "" {
			t.Errorf("TraceID() with %q = %q, want none", text, got)
		}
	}
}

func TestInvalidTraceStateIsDropped(t *testing.T) {
	t.Parallel()
	c := span.Carrier{TraceParent: sampled, TraceState: "=;"}
	if got, want := span.Inject(c.Context(t.Context())), (span.Carrier{TraceParent: sampled}); got != want {
		t.Errorf("Inject(Context()) = %v, want %v", got, want)
	}
}

func TestTraceID(t *testing.T) {
	t.Parallel()
	const want = "0af7651916cd43dd8448eb211c80319c"
	if got := (span.Carrier{TraceParent: sampled}).TraceID(); got != want {
		t.Errorf("TraceID() = %q, want %q", got, want)
	}
}

func TestOrNewNamesATraceWhereThereIsNone(t *testing.T) {
	given := span.Carrier{TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
	if got := given.OrNew(); got != given {
		t.Errorf("OrNew() = %v, want %v as it was", got, given)
	}
	a, b := span.Carrier{}.OrNew(), span.Carrier{TraceParent: "nonsense"}.OrNew()
	if a.TraceID() == "" || b.TraceID() == "" || a == b {
		t.Errorf("OrNew() = %v and %v, want two traces", a, b)
	}
}
