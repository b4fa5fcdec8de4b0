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
	cancelOne(t, m)
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
		`pullrun_cancel_duration_seconds_count{pullrun_cancel_step="delivered"} 1`, `pullrun_cancel_duration_seconds_count{pullrun_cancel_step="stopped"} 1`,
		`pullrun_lease_expirations_total{pullrun_queue="default"} 1`, "process_open_fds",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics have no %s:\n%s", want, text)
		}
	}
}

// cancelOne cancels a run that a worker has, and one that none has, which is not
// measured.
func cancelOne(t *testing.T, m *otel.Metrics) {
	t.Helper()
	w := newWorld(t, func(s *setup) { s.Metrics = m })
	defer w.end()
	wk := w.register("w", 1)
	w.submit(api.Submit{Cookie: "a"})
	held := wk.take()
	w.submit(api.Submit{Cookie: "b"})
	w.want(http.StatusAccepted, "POST", "/v1/runs/a/cancel", api.Cancel{})
	w.want(http.StatusOK, "POST", "/v1/runs/b/cancel", api.Cancel{})
	wk.poll(held)
	wk.post(api.Result{Cookie: "a", Fence: held.Fence, RC: api.RCCancelled, Stop: api.StopCooperative})
}

func TestWithoutMetrics(t *testing.T) {
	t.Parallel()
	newWorld(t).refused(api.CodeNotFound, "GET", "/metrics", nil)
}
