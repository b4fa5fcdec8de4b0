package otel_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	otelapi "go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/pullrun/pullrun/otel"
	"github.com/pullrun/pullrun/otel/oteltest"
)

func TestMain(m *testing.M) {
	// The tests set the variables they are about, and no others apply.
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "OTEL_") {
			os.Unsetenv(name)
		}
	}
	goleak.VerifyTestMain(m)
}

// setup sets tracing up from env until the end of the test, whose end fails
// if that leaves an error. What it installs belongs to the process, so tests
// that call it are not parallel.
func setup(t testing.TB, opts otel.Options, env map[string]string) (shutdown func(context.Context) error) {
	t.Helper()
	for name, value := range env {
		t.Setenv(name, value)
	}
	if opts.Service == "" {
		opts.Service = "svc"
	}
	shutdown, err := otel.Setup(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = shutdown(context.Background()) }) // tested where it is called
	return shutdown
}

// towards is the environment that sends traces to the receiver.
func towards(r *oteltest.Receiver) map[string]string {
	return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": r.URL}
}

func tracer() trace.Tracer { return otelapi.Tracer("test") }

// lines collects what is logged.
type lines struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *lines) count() int { return strings.Count(l.String(), "\n") }

func (l *lines) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelInfo}))
}
