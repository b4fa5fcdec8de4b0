package span_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/pullrun/pullrun/otel"
	"github.com/pullrun/pullrun/otel/oteltest"
	"github.com/pullrun/pullrun/otel/span"
)

func TestMain(m *testing.M) {
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "OTEL_") {
			os.Unsetenv(name)
		}
	}
	goleak.VerifyTestMain(m)
}

// record sets tracing up, and returns a function that ends it and returns the
// spans by name. Tests that call it are not parallel.
func record(t *testing.T) func() []oteltest.Span {
	t.Helper()
	r := oteltest.NewReceiver(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", r.URL)
	shutdown, err := otel.Setup(t.Context(), otel.Options{Service: "svc"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = shutdown(context.Background()) }) // for a test that stops early
	return func() []oteltest.Span {
		t.Helper()
		if err := shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		return r.Spans()
	}
}

var (
	run   = span.Run{Cookie: "c-4711", Pipeline: "greet", Queue: "default"}
	first = span.Attempt{Number: 1, Worker: "w-1"}
)

const (
	sampled   = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	sibling   = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"
	stranger  = "00-11111111111111111111111111111111-00f067aa0ba902b7-01"
)
