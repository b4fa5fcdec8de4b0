package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/otel"
)

// What it installs belongs to the process, so this test is not parallel.
func TestMetrics(t *testing.T) {
	m, err := otel.SetupMetrics(t.Context(), otel.Options{Service: "server"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Shutdown(t.Context())
	w := newWorld(t, func(s *setup) { s.Metrics, s.Lease = m, 500*time.Millisecond })
	for range 3 {
		w.submit(api.Submit{Queue: "deep"})
	}
	w.submit(api.Submit{})
	w.register("w", 1).take()
	w.eventually("the lease is over", func() bool { return w.logged("worker has gone away, its leases are over") > 0 })
	text := w.want(http.StatusOK, "GET", "/metrics", nil).body
	for _, want := range []string{
		`pullrun_queue_depth{pullrun_queue="deep"} 3`, `pullrun_queue_oldest_age_seconds{pullrun_queue="deep"}`, "pullrun_polls_waiting 0",
		`pullrun_lease_expirations_total{pullrun_queue="default"} 1`, "process_open_fds",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics have no %s:\n%s", want, text)
		}
	}
}

func TestWithoutMetrics(t *testing.T) {
	t.Parallel()
	newWorld(t).refused(api.CodeNotFound, "GET", "/metrics", nil)
}
