package otel_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	otelapi "go.opentelemetry.io/otel"

	"github.com/pullrun/pullrun/otel"
	"github.com/pullrun/pullrun/otel/meter"
	"github.com/pullrun/pullrun/otel/oteltest"
)

func named(name string) func(oteltest.Metric) bool {
	return func(m oteltest.Metric) bool { return m.Name == name }
}

// What is exported is what a scrape shows, under the process's own name, and the
// last of it goes out at the end.
func TestMetricsAreExported(t *testing.T) {
	r := oteltest.NewReceiver(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", r.URL)
	t.Setenv("OTEL_METRICS_EXPORTER", "otlp")
	t.Setenv("OTEL_METRIC_EXPORT_INTERVAL", "100")
	m := measuring(t)
	stop, err := meter.ObserveWorker(func() meter.Worker { return meter.Worker{SlotsUsed: 1} })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got, err := r.WaitForMetric(ctx, named("pullrun.worker.slots.used"))
	if err != nil {
		t.Fatal(err)
	}
	if got.Resource["service.name"] != "svc" {
		t.Errorf("the metric is of %v, want service svc", got.Resource)
	}
	shutdown, err := otel.Setup(ctx, otel.Options{Service: "svc"})
	if err != nil {
		t.Fatal(err)
	}
	_, s := otelapi.Tracer("test").Start(ctx, "moment")
	s.End()
	if err := shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	const instance = "service.instance.id" // joins what one process exports
	if of := r.Spans()[0].Resource; of[instance] == "" || of[instance] != got.Resource[instance] {
		t.Errorf("a span is of %v and a metric of %v, want one %s", of, got.Resource, instance)
	}
	holds(t, scrape(t, m), "pullrun_worker_slots_used 1")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	runs, err := meter.NewRuns()
	if err != nil {
		t.Fatal(err)
	}
	runs.Judged("accepted")
	if err := m.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.WaitForMetric(ctx, named("pullrun.results")); err != nil {
		t.Error(err)
	}
}

// They go through another place only where the environment names none, and once.
func TestMetricsThroughAnotherPlace(t *testing.T) {
	for _, tt := range []struct {
		name string
		env  map[string]string
		want bool
	}{
		{name: "nothing is said", want: true},
		{name: "there is a collector, which is not asked to take metrics", env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}},
		{name: "none are wanted", env: map[string]string{"OTEL_METRICS_EXPORTER": "none"}},
		{name: "Prometheus is wanted", env: map[string]string{"OTEL_METRICS_EXPORTER": "prometheus"}},
		{name: "all is disabled", env: map[string]string{"OTEL_SDK_DISABLED": "true"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name, value := range tt.env {
				t.Setenv(name, value)
			}
			r := oteltest.NewReceiver(t)
			m := measuring(t)
			through := otel.Through{Endpoint: r.URL, Client: http.DefaultClient}
			for i, want := range []bool{tt.want, false} {
				if got, err := m.ExportThrough(t.Context(), through); err != nil || got != want {
					t.Errorf("call %d of ExportThrough = %t, %v, want %t", i+1, got, err, want)
				}
			}
			runs, err := meter.NewRuns()
			if err != nil {
				t.Fatal(err)
			}
			runs.Judged("accepted")
			if err := m.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(string(r.Raw()), "pullrun.results"); got != tt.want {
				t.Errorf("exported = %t, want %t", got, tt.want)
			}
		})
	}
}

// A collector that hangs keeps neither a scrape nor the end of the process.
func TestACollectorThatHangsKeepsNobody(t *testing.T) {
	r := oteltest.NewReceiver(t)
	r.Hang()
	t.Setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", r.URL+"/v1/metrics")
	t.Setenv("OTEL_METRIC_EXPORT_INTERVAL", "10")
	m := measuring(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := r.WaitRequests(ctx, 1); err != nil {
		t.Fatal(err)
	}
	holds(t, scrape(t, m), "go_goroutines ")
	err := m.Shutdown(ctx)
	if err == nil || !strings.Contains(err.Error(), "flush metrics") || ctx.Err() != nil {
		t.Errorf("Shutdown = %v, want that the metrics were not flushed, long before a minute", err)
	}
}

func TestMetricsExporterIsChecked(t *testing.T) {
	t.Setenv("OTEL_METRICS_EXPORTER", "carbon")
	if _, err := otel.SetupMetrics(t.Context(), otel.Options{}); err == nil || !strings.Contains(err.Error(), "OTEL_METRICS_EXPORTER") {
		t.Errorf("SetupMetrics = %v, want an error that names OTEL_METRICS_EXPORTER", err)
	}
}
