package otel_test

import (
	"log/slog"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/pullrun/pullrun/otel"
	"github.com/pullrun/pullrun/otel/oteltest"
)

// Of what the SDK says of itself, the log has what somebody should do something
// about, once, even where it has every line of ours.
func TestTheLogHasOfTheSDKWhatIsWorthReading(t *testing.T) {
	r := oteltest.NewReceiver(t)
	var log lines
	all := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	shutdown := setup(t, otel.Options{Log: all}, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": r.URL})
	_, span := tracer().Start(t.Context(), "one")
	span.End()
	for range 2 { // tracers and meters, and a name that is none
		trace.NewTracerProvider().Tracer("another")
		metric.NewMeterProvider().Meter("")
	}
	if err := shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if want := `level=WARN msg="Invalid Meter name."`; log.count() != 1 || !strings.Contains(log.String(), want) {
		t.Errorf("the log is\n%s\nwant one line with %s", &log, want)
	}
}
