package span

import (
	"context"
	"encoding/binary"
	"math/rand/v2"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Carrier is a span's context as text, in the format of W3C Trace Context.
// It travels in packets and is stored with runs, attempts and results. The
// zero Carrier names no span.
type Carrier struct {
	TraceParent string `json:"traceparent,omitempty"`
	TraceState  string `json:"tracestate,omitempty"`
}

// Inject returns the carrier of the span in ctx, the zero one if there is
// none. Baggage is not carried.
func Inject(ctx context.Context) Carrier {
	var c Carrier
	propagation.TraceContext{}.Inject(ctx, (*textMap)(&c))
	return c
}

func carrierOf(sc trace.SpanContext) Carrier {
	return Inject(trace.ContextWithSpanContext(context.Background(), sc))
}

// OrNew returns the carrier or, where it names no span, one with ids of its
// own: so a run has a trace id to be found by even where nothing is traced.
func (c Carrier) OrNew() Carrier {
	if c.spanContext().IsValid() {
		return c
	}
	var id trace.TraceID
	binary.NativeEndian.PutUint64(id[:8], rand.Uint64())
	binary.NativeEndian.PutUint64(id[8:], rand.Uint64()|1)
	return carrierOf(trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: id, SpanID: NewID(), TraceFlags: trace.FlagsSampled,
	}))
}

// Context returns ctx with the carried span as its remote span. Where the
// text is not valid it returns ctx as it is.
func (c Carrier) Context(ctx context.Context) context.Context {
	return propagation.TraceContext{}.Extract(ctx, (*textMap)(&c))
}

// TraceID returns the id of the carried trace in hex, "" if there is none.
func (c Carrier) TraceID() string {
	sc := c.spanContext()
	if !sc.IsValid() {
		return ""
	}
	return sc.TraceID().String()
}

func (c Carrier) spanContext() trace.SpanContext {
	return trace.SpanContextFromContext(c.Context(context.Background()))
}

// links returns links to the carried spans that are valid. A link to the
// parent itself is left out: Jaeger answers such a span without its parent.
func links(parent Carrier, carriers []Carrier) []trace.Link {
	up := parent.spanContext()
	var out []trace.Link
	for _, c := range carriers {
		sc := c.spanContext()
		if !sc.IsValid() || sc.TraceID() == up.TraceID() && sc.SpanID() == up.SpanID() {
			continue
		}
		out = append(out, trace.Link{SpanContext: sc})
	}
	return out
}

// textMap shows a Carrier to the propagator.
type textMap Carrier

func (m *textMap) Get(key string) string {
	if field := m.field(key); field != nil {
		return *field
	}
	return ""
}

func (m *textMap) Set(key, value string) {
	if field := m.field(key); field != nil {
		*field = value
	}
}

func (m *textMap) Keys() []string { return propagation.TraceContext{}.Fields() }

func (m *textMap) field(key string) *string {
	switch key {
	case "traceparent":
		return &m.TraceParent
	case "tracestate":
		return &m.TraceState
	}
	return nil
}
