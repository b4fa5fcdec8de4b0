// Package otel sets up tracing for a process, and keeps what it exports fit
// to leave the house.
//
// It is steered by the standard OTEL_* variables and is off until one of them
// names a destination, or the caller knows another; then nothing is exported
// and nothing is logged. On or off, the W3C trace context is always passed on,
// so that a process that is not traced does not tear the trace it stands in.
// Baggage never is.
//
// Exporting cannot hurt the work. Spans wait in a bounded queue and are
// dropped when it is full; trouble is one log line a minute; and the last
// flush takes at most [FlushTimeout], whatever the collector does. Every span
// passes a [Redactor] on its way out.
//
// The names of the spans are in package span, which needs no SDK. This is the
// only package that does.
package otel

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	otelapi "go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// FlushTimeout bounds the function that [Setup] returns.
const FlushTimeout = 3 * time.Second

// Options are what the environment does not say.
type Options struct {
	// Service names the program, as in "pullrun-worker". OTEL_SERVICE_NAME
	// and OTEL_RESOURCE_ATTRIBUTES win over it.
	Service string

	// Version is the program's version.
	Version string

	// Log receives what goes wrong with exporting. Nil drops it.
	Log *slog.Logger

	// Redactor cleans what is exported and logged. Its secrets are registered
	// before Setup, so that the resource is cleaned of them too; Setup adds
	// the values of OTEL_EXPORTER_OTLP_HEADERS. Nil stands for an empty one.
	Redactor *Redactor

	// Through is where to export to when the environment names no place. Nil
	// exports nothing then.
	Through *Through

	// Bursts says that spans may come many at once, out of a [span.Keep]: the
	// queue of those that wait for their export has room for all of them.
	Bursts bool

	// Later has the log wait for [Logs.ExportThrough] when the environment
	// names no place.
	Later bool
}

// Through is a place that takes exports besides a collector.
type Through struct {
	// Endpoint is the address to which OTLP/HTTP adds "/v1/traces".
	Endpoint string
	// Client makes the requests.
	Client *http.Client
}

// Setup installs the propagator and, where the environment asks for traces,
// the tracer provider, the error handler and the logger of the OpenTelemetry
// API, which are the process's own: it is called once, by main.
//
// The function it returns stops recording and flushes what is left. It is the
// last thing a process does, and takes at most [FlushTimeout], even where its
// context has ended already, as that of a stopped process has; a context that
// ends while it flushes cuts the flush short. Its error means that spans were
// lost for want of time; what the collector refused is in the log. It may be
// called twice.
func Setup(ctx context.Context, opts Options) (func(context.Context) error, error) {
	otelapi.SetTextMapPropagator(propagation.TraceContext{})
	otelapi.SetTracerProvider(noop.NewTracerProvider())

	kind, err := exporterFromEnv(opts.Through != nil)
	if err != nil {
		return nil, fmt.Errorf("set up tracing: %w", err)
	}
	if kind == exporterNone {
		return func(context.Context) error { return nil }, nil
	}

	redactor := opts.Redactor
	if redactor == nil {
		redactor = new(Redactor)
	}
	complaints := hear(opts.Log, redactor)
	p, err := newProvider(ctx, kind, opts, redactor)
	if err != nil {
		return nil, fmt.Errorf("set up tracing: %w", err)
	}
	otelapi.SetTracerProvider(p.tracers)

	var (
		once    sync.Once
		flushed error
	)
	return func(ctx context.Context) error {
		once.Do(func() {
			otelapi.SetTracerProvider(noop.NewTracerProvider())
			flushed = p.shutdown(ctx)
			complaints.flush()
		})
		return flushed
	}, nil
}

// Enabled reports whether [Setup] has found a place to export to.
func Enabled() bool {
	_, on := otelapi.GetTracerProvider().(*sdktrace.TracerProvider)
	return on
}
