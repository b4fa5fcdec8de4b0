package oteltest

import (
	"context"
	"testing"

	"github.com/pullrun/pullrun/otel"
)

// Record has the process record the spans of a service, and returns what ends
// that and gives them. Tests that call it are not parallel.
func Record(t *testing.T, service string) (finish func() []Span) {
	t.Helper()
	r := NewReceiver(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", r.URL)
	shutdown, err := otel.Setup(t.Context(), otel.Options{Service: service, Bursts: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = shutdown(context.Background()) }) // for a test that stops early
	return func() []Span {
		t.Helper()
		if err := shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		return r.Spans()
	}
}
