package otel_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pullrun/pullrun/otel"
	"github.com/pullrun/pullrun/otel/meter"
)

// scrape reads the metrics as Prometheus does.
func scrape(t *testing.T, m *otel.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("a scrape = %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// measuring sets metrics up until the end of the test. What it installs belongs
// to the process, so tests that call it are not parallel.
func measuring(t *testing.T) *otel.Metrics {
	t.Helper()
	m, err := otel.SetupMetrics(t.Context(), otel.Options{Service: "svc", Version: "1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return m
}

func holds(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains("\n"+text, "\n"+line) {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
}

func TestAWorkerIsMeasured(t *testing.T) {
	m := measuring(t)
	stop, err := meter.ObserveWorker(func() meter.Worker {
		return meter.Worker{
			SlotsUsed: 1, SlotsLimit: 4, Ready: true, Runs: map[string]int{"running": 1}, Polls: map[string]int64{"empty": 7},
			Heard: time.Now().Add(-time.Hour), Hold: 25 * time.Second, OutboxEntries: 2, OutboxBytes: 30, LinesWaiting: 5, LinesDropped: 6,
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	text := scrape(t, m)
	holds(t, text, "pullrun_worker_slots_used 1", "pullrun_worker_slots_limit 4", `pullrun_worker_runs{pullrun_run_state="running"} 1`,
		`pullrun_worker_polls_total{pullrun_poll_outcome="empty"} 7`, "pullrun_worker_ready_ratio 1", "pullrun_worker_contact_age_seconds 3600.", "pullrun_worker_poll_hold_seconds 25",
		"pullrun_outbox_entries 2", "pullrun_outbox_size_bytes 30", "pullrun_outbox_oldest_age_seconds 0", "pullrun_feed_waiting 5", "pullrun_feed_dropped_total 6", "go_goroutines ", "process_resident_memory_bytes ", "target_info{")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if text := scrape(t, m); strings.Contains(text, "pullrun_worker_slots_used 1") {
		t.Errorf("it is measured after its end:\n%s", text)
	}
}

func TestAServerIsMeasured(t *testing.T) {
	m := measuring(t)
	reading := meter.Server{Parked: 3, Readers: 2, Full: true}
	for i := range 150 {
		reading.Queues = append(reading.Queues, meter.Queue{Name: fmt.Sprintf("q%03d", i), Queued: i, Leased: 1, Oldest: time.Duration(i) * time.Second})
	}
	var broken error
	s, err := meter.NewServer(func(context.Context) (meter.Server, error) { return reading, broken })
	if err != nil {
		t.Fatal(err)
	}
	s.LeaseExpired("q001")
	s.LeaseExpired("q001")
	text := scrape(t, m)
	holds(t, text, `pullrun_queue_depth{pullrun_queue="q149"} 149`, `pullrun_queue_oldest_age_seconds{pullrun_queue="q149"} 149`,
		`pullrun_queue_leased{pullrun_queue="(other)"} 50`, `pullrun_queue_oldest_age_seconds{pullrun_queue="(other)"} 50`, `pullrun_queue_depth{pullrun_queue="q001"} 1`,
		`pullrun_lease_expirations_total{pullrun_queue="q001"} 2`, "pullrun_polls_waiting 3", "pullrun_readers_waiting 2", "pullrun_store_full_ratio 1", "pullrun_events_dropped_total 0")
	if n := strings.Count(text, "\npullrun_queue_depth{"); n != 101 {
		t.Errorf("%d queues are shown, want 100 and the others", n)
	}
	// A reading that fails takes nothing else away.
	broken = errors.New("no database")
	holds(t, scrape(t, m), `pullrun_lease_expirations_total{pullrun_queue="q001"} 2`, "go_goroutines ")
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
}
