package otel

import (
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/pullrun/pullrun/otel/span"
)

// Transport returns a RoundTripper that makes a client span of every request
// it sends through base ([http.DefaultTransport] where that is nil): of every
// attempt and redirect, then, each with a traceparent of its own. A resent
// request says so if its context counts: see [span.WithSends].
//
// A request without a span in its context is sent as it is. One whose span is
// not recorded makes none either, but carries its trace on. Baggage never
// goes out.
func Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return otelhttp.NewTransport(resends{base},
		otelhttp.WithFilter(func(r *http.Request) bool {
			return trace.SpanContextFromContext(r.Context()).IsValid()
		}),
		otelhttp.WithMeterProvider(noop.NewMeterProvider()), // a series for each host that a pipeline names
		otelhttp.WithPropagators(propagation.TraceContext{}),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return r.Method }),
	)
}

// resends stands inside the client span, and marks it.
type resends struct {
	base http.RoundTripper
}

func (t resends) RoundTrip(r *http.Request) (*http.Response, error) {
	if n := span.AddSend(r.Context()); n > 0 {
		trace.SpanFromContext(r.Context()).SetAttributes(semconv.HTTPRequestResendCount(n))
	}
	return t.base.RoundTrip(r)
}
