package otel

import (
	"context"
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// TraceIDHeader is the header of an answer that names the trace of its request.
const TraceIDHeader = "Trace-Id"

// HandlerOptions say what [Handler] makes of a request.
type HandlerOptions struct {
	// Route is the route of the requests as it was registered, such as
	// "/v1/runs/{cookie}".
	Route string

	// Untrusted reports whether a request's caller may not say to which trace
	// the request belongs, and whether that is recorded. The request begins a
	// trace of its own then, which links to the caller's. Nil trusts everybody.
	Untrusted func(*http.Request) bool

	// IgnoreUnsampled makes a request whose caller does not record its trace
	// the root of that trace, which is recorded as if it had begun here.
	IgnoreUnsampled bool
}

// Handler returns h with a server span around every request, named "METHOD
// ROUTE", under the span that the request's headers name. Long polls,
// heartbeats and probes should go without.
func Handler(h http.Handler, opts HandlerOptions) http.Handler {
	h = named(h)
	traced := otelhttp.NewHandler(h, "",
		otelhttp.WithMeterProvider(noop.NewMeterProvider()), // a series for each Host that somebody sends
		otelhttp.WithPropagators(propagation.TraceContext{}),
		otelhttp.WithPublicEndpointFn(func(r *http.Request) bool { return r.Context().Value(rootKey{}) != nil }),
	)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		sc := trace.SpanContextFromContext(caller)
		untrusted := sc.IsValid() && opts.Untrusted != nil && opts.Untrusted(r)
		on := Enabled()
		switch {
		case !on && untrusted:
			h.ServeHTTP(w, r)
			return
		case !on: // the trace of the caller goes on all the same
			h.ServeHTTP(w, r.WithContext(caller))
			return
		case untrusted:
			r = r.WithContext(context.WithValue(r.Context(), rootKey{}, trace.TraceID{}))
		case opts.IgnoreUnsampled && sc.IsValid() && !sc.IsSampled():
			r = r.WithContext(context.WithValue(r.Context(), rootKey{}, sc.TraceID()))
		}
		// otelhttp takes the span's name and http.route from here, as
		// http.ServeMux leaves it.
		r.Pattern = r.Method + " " + opts.Route
		traced.ServeHTTP(w, r)
	})
}

// rootKey is the context key of the trace id that a span which is made a root
// takes. An invalid one stands for any.
type rootKey struct{}

// named tells the caller the trace of its request.
func named(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sc := trace.SpanContextFromContext(r.Context()); sc.IsValid() {
			w.Header().Set(TraceIDHeader, sc.TraceID().String())
		}
		h.ServeHTTP(w, r)
	})
}
