package server_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/otel"
	"github.com/pullrun/pullrun/server/store"
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
	w.submit(api.Submit{MaxAttempts: 1})
	w.register("w", 1).take()
	w.eventually("the lease is over", func() bool { return w.logged("worker has gone away, its leases are over") > 0 })
	text := w.want(http.StatusOK, "GET", "/metrics", nil).body
	for _, want := range []string{
		`pullrun_queue_depth{pullrun_queue="deep"} 3`, `pullrun_queue_oldest_age_seconds{pullrun_queue="deep"}`, "pullrun_polls_waiting 0", "pullrun_routes_live 1\n",
		`pullrun_cancel_duration_seconds_count{pullrun_cancel_step="delivered"} 1`, `pullrun_cancel_duration_seconds_count{pullrun_cancel_step="stopped"} 1`,
		`pullrun_lease_expirations_total{pullrun_queue="default"} 1`, `pullrun_dead_letters_total{pullrun_queue="default"} 1`,
		`pullrun_runs_ended_total{cicd_pipeline_result="error",pullrun_queue="default"} 1`, "process_open_fds",
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

// Each thing that happens to a run counts once. It installs what belongs to the
// process as well.
func TestWhatHappensToRunsIsCounted(t *testing.T) {
	m, err := otel.SetupMetrics(t.Context(), otel.Options{Service: "server"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Shutdown(t.Context())
	w := newWorld(t, func(s *setup) { s.Metrics = m })
	wk := w.register("w", 1)
	w.submit(api.Submit{Pipeline: "good"})
	wk.finish(wk.take())
	w.submit(api.Submit{Pipeline: "bad"})
	lease := wk.take()
	wk.post(api.Result{Cookie: lease.Cookie, Fence: lease.Fence, RC: api.RCProcessorException, Error: "no"})
	w.submit(api.Submit{Pipeline: "handed back"})
	lease = wk.take()
	wk.post(api.Result{Cookie: lease.Cookie, Fence: lease.Fence, RC: api.RCWorkerWentAway, Error: "draining"})
	w.cancel(w.submit(api.Submit{Queue: "other"}).Cookie)
	text := w.want(http.StatusOK, "GET", "/metrics", nil).body
	for _, want := range []string{
		`pullrun_runs_accepted_total{pullrun_queue="default"} 3`,
		`pullrun_runs_accepted_total{pullrun_queue="other"} 1`,
		`pullrun_runs_ended_total{cicd_pipeline_result="success",pullrun_queue="default"} 1`,
		`pullrun_runs_ended_total{cicd_pipeline_result="failure",pullrun_queue="default"} 1`,
		`pullrun_runs_ended_total{cicd_pipeline_result="cancellation",pullrun_queue="other"} 1`,
		`pullrun_queue_wait_duration_seconds_count{pullrun_queue="default"} 3`,
		`cicd_pipeline_run_duration_seconds_count{cicd_pipeline_name="good",cicd_pipeline_result="success",cicd_pipeline_run_state="executing"} 1`,
		`cicd_pipeline_run_duration_seconds_count{cicd_pipeline_name="bad",cicd_pipeline_result="failure",cicd_pipeline_run_state="executing",error_type="PROCESSOR_EXCEPTION"} 1`,
		`pullrun_redeliveries_total{pullrun_queue="default",pullrun_redelivery_reason="released"} 1`,
		`pullrun_forward_dropped_total{pullrun_signal="traces"} 0`,
		// A queue that is empty is shown, and so is what has not happened.
		`pullrun_queue_depth{pullrun_queue="other"} 0`,
		`pullrun_dead_letters_total{pullrun_queue="default"} 0`,
		`pullrun_redeliveries_total{pullrun_queue="other",pullrun_redelivery_reason="retry"} 0`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("the metrics have no %s", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// However many ask, the queues are counted once in five seconds.
func TestQueuesAreCountedOnceForManyScrapes(t *testing.T) {
	m, err := otel.SetupMetrics(t.Context(), otel.Options{Service: "server"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Shutdown(t.Context())
	simulated(t, func(w *world) {
		for i, step := range []struct{ wait, want int }{{0, 1}, {0, 1}, {4, 1}, {1, 4}} {
			time.Sleep(time.Duration(step.wait) * time.Second)
			w.submit(api.Submit{})
			text := w.want(http.StatusOK, "GET", "/metrics", nil).body
			if want := fmt.Sprintf(`pullrun_queue_depth{pullrun_queue="default"} %d`, step.want); !strings.Contains(text, want+"\n") {
				t.Errorf("scrape %d does not say %s", i+1, want)
			}
		}
	}, func(s *setup) { s.Metrics = m })
}

// Whoever follows a run is counted, also where there is no limit, and so are lines
// that newer ones have replaced.
func TestReadersAndWhatTheyMissAreCounted(t *testing.T) {
	m, err := otel.SetupMetrics(t.Context(), otel.Options{Service: "server"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Shutdown(t.Context())
	w := newWorld(t, func(s *setup) { s.Metrics, s.MaxBody = m, 1<<20 })
	w.submit(api.Submit{Cookie: "c"})
	wk := w.register("w", 1)
	lease := wk.take()
	lines := slices.Repeat([]string{strings.Repeat("x", 16_000)}, 50)
	for n := 0; n < store.MaxEventBytes/16_000; n += len(lines) {
		wk.log(lease, int64(n)+1, lines...)
	}
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	resp, err := w.client.Do(w.request(ctx, "GET", "/v1/runs/c/events", nil, "Accept", "text/event-stream"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	says := func(want string) bool {
		return strings.Contains(w.want(http.StatusOK, "GET", "/metrics", nil).body, want+"\n")
	}
	if !says("pullrun_readers_waiting 1") || !says("pullrun_store_full_ratio 0") {
		t.Error("the metrics do not count the reader, or the disk is full")
	}
	if says("pullrun_events_dropped_total 0") {
		t.Error("the metrics do not count lines that were dropped")
	}
	leave()
	w.eventually("the reader is gone", func() bool { return says("pullrun_readers_waiting 0") })
}

func TestWithoutMetrics(t *testing.T) {
	t.Parallel()
	newWorld(t).refused(api.CodeNotFound, "GET", "/metrics", nil)
}
