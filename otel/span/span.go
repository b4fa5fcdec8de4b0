// Package span names the spans of a run: one small constructor per span, so
// that the client, the server and the worker cannot disagree on a name, a
// kind or an attribute.
//
// The one idea is the shape of the tree. The server records a send span that
// ends at once, and stores its context with the run; every later span of the
// run hangs under it. A parent is therefore always a span that has ended and
// been exported, and a trace that is read while its run is still going is
// never torn:
//
//	submit PIPELINE              client
//	└ POST /v1/runs              server
//	  ├ RUN PIPELINE             server, written once when the run ends
//	  └ send QUEUE               server
//	    ├ wait QUEUE             server, for its time, after an attempt, for a slot
//	    ├ queue QUEUE            server, written once per attempt
//	    ├ lease QUEUE            server, written once per attempt
//	    └ process QUEUE          worker
//	      ├ task TASK ─ chip KIND
//	      └ settle QUEUE ─ POST
//
// A name never holds a run's id, a URL or anything else that grows with use.
// The attributes follow the CI/CD and messaging conventions of OpenTelemetry;
// what those have no word for begins with "pullrun.".
//
// The package needs the OpenTelemetry API only. Without an SDK its spans
// record nothing, but carry on the trace they were given. All functions may
// be called concurrently.
package span

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

const scope = "github.com/pullrun/pullrun/otel/span"

// tracer returns the tracer of the span in ctx, so that what hangs under a
// quiet span is quiet whatever the sampler; where there is none in this
// process, that of the provider of the day: one that was kept would outlive
// its provider.
func tracer(ctx context.Context) trace.Tracer {
	s := trace.SpanFromContext(ctx)
	if sc := s.SpanContext(); sc.IsValid() && !sc.IsRemote() {
		return s.TracerProvider().Tracer(scope)
	}
	return otel.GetTracerProvider().Tracer(scope)
}

// idle reports whether a span under ctx would not be recorded, so that nothing
// need be made for it: tracing is off, or the span above it is not recorded.
func idle(ctx context.Context) bool {
	if off() {
		return true
	}
	s := trace.SpanFromContext(ctx)
	sc := s.SpanContext()
	return sc.IsValid() && !sc.IsRemote() && !s.IsRecording()
}

// off reports whether the process does not trace, as it has been set up.
func off() bool {
	_, off := otel.GetTracerProvider().(noop.TracerProvider)
	return off
}

// none stands for a span that is not made under ctx.
func none(ctx context.Context) trace.Span {
	if s := trace.SpanFromContext(ctx); !s.IsRecording() {
		return s
	}
	return noop.Span{}
}

func start(ctx context.Context, name string, kind trace.SpanKind, attrs []attribute.KeyValue, links ...trace.Link) (context.Context, trace.Span) {
	return tracer(ctx).Start(ctx, name,
		trace.WithSpanKind(kind),
		trace.WithAttributes(attrs...),
		trace.WithLinks(links...),
	)
}
