package otel_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pullrun/pullrun/otel"
	"github.com/pullrun/pullrun/otel/oteltest"
)

// dropped is what a scrape says was dropped of a signal, for the reason.
func dropped(t *testing.T, m *otel.Metrics, signal, reason string) int {
	t.Helper()
	found := regexp.MustCompile(`pullrun_export_dropped_total\{pullrun_drop_reason="` + reason + `",pullrun_signal="` + signal + `"\} (\d+)`).FindStringSubmatch(scrape(t, m))
	if found == nil {
		t.Fatalf("nothing is said of the %s that were dropped", signal)
	}
	n, _ := strconv.Atoi(found[1])
	return n
}

// Of spans that end faster than a collector takes them each is exported or
// counted, and none is neither.
func TestDroppedSpansAreCounted(t *testing.T) {
	r := oteltest.NewReceiver(t)
	r.Hang()
	m := measuring(t)
	env := towards(r)
	env["OTEL_BSP_MAX_QUEUE_SIZE"], env["OTEL_BSP_MAX_EXPORT_BATCH_SIZE"] = "20", "5"
	shutdown := setup(t, otel.Options{}, env)
	const spans = 500
	for range spans {
		_, s := tracer().Start(t.Context(), "s")
		s.End()
	}
	r.Accept()
	if err := shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, lost := len(r.Spans()), dropped(t, m, "traces", "queue_full")
	if lost < spans-100 || got+lost != spans {
		t.Errorf("%d spans were exported and %d counted as dropped, want %d together, most of them dropped", got, lost, spans)
	}
}

// So are those that a collector does not take.
func TestRefusedSpansAreCounted(t *testing.T) {
	r := oteltest.NewReceiver(t)
	r.Refuse(http.StatusBadRequest)
	m := measuring(t)
	shutdown := setup(t, otel.Options{}, towards(r))
	for range 7 {
		_, s := tracer().Start(t.Context(), "s")
		s.End()
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_ = shutdown(ctx) // the spans may have been refused before
	if n := dropped(t, m, "traces", "not_taken"); n != 7 {
		t.Errorf("%d spans are counted as not taken, want 7", n)
	}
}

// So are the lines of the log: those that found no room, and those that were not
// taken.
func TestDroppedLinesAreCounted(t *testing.T) {
	r := newLogReceiver(t)
	t.Setenv("OTEL_LOGS_EXPORTER", "otlp")
	t.Setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", r.URL+"/v1/logs")
	t.Setenv("OTEL_BLRP_MAX_QUEUE_SIZE", "20")
	t.Setenv("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "5")
	m := measuring(t)
	logs, err := otel.SetupLogs(t.Context(), otel.Options{Service: "test"})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(logs.Handler(slog.LevelInfo))
	const lines = 500
	for range lines {
		log.Info("line")
	}
	if err := logs.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, lost := len(r.lines), dropped(t, m, "logs", "queue_full")
	if lost == 0 || got+lost != lines {
		t.Errorf("%d lines were exported and %d counted as dropped, want %d together", got, lost, lines)
	}

	refuse := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }))
	defer refuse.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", refuse.URL+"/v1/logs")
	m = measuring(t)
	if logs, err = otel.SetupLogs(t.Context(), otel.Options{Service: "test"}); err != nil {
		t.Fatal(err)
	}
	slog.New(logs.Handler(slog.LevelInfo)).Info("line")
	_ = logs.Shutdown(t.Context()) // it may have been refused before
	if n := dropped(t, m, "logs", "not_taken"); n != 1 {
		t.Errorf("%d lines are counted as not taken, want 1", n)
	}
}

// And the metrics.
func TestRefusedMetricsAreCounted(t *testing.T) {
	refused := make(chan struct{}, 1000)
	var better atomic.Bool
	refuse := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !better.Load() {
			w.WriteHeader(http.StatusBadRequest)
			refused <- struct{}{}
		}
	}))
	t.Cleanup(refuse.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", refuse.URL+"/v1/metrics")
	t.Setenv("OTEL_METRIC_EXPORT_INTERVAL", "10")
	m := measuring(t)
	t.Cleanup(func() { better.Store(true) }) // for the last export
	<-refused
	<-refused // the first has been counted
	if n := dropped(t, m, "metrics", "not_taken"); n == 0 {
		t.Error("no metrics are counted as not taken")
	}
}
