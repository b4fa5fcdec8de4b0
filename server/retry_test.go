package server_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pullrun/pullrun/api"
)

// A failed attempt is made again after a wait, and only the last result counts.
func TestRetry(t *testing.T) {
	t.Parallel()
	simulated(t, func(w *world) {
		wk := w.register("w", 1)
		retry := &api.Retry{Max: 2, BackoffMS: 10_000, MaxBackoffMS: 15_000}
		w.submit(api.Submit{Cookie: "c", Retry: retry})
		fails := func(text string) (wait time.Duration) {
			lease := wk.take()
			failed := time.Now()
			res := api.Result{Cookie: "c", Fence: lease.Fence, RC: api.RCProcessorException, Error: text, Result: []byte(`1`)}
			for _, want := range []api.VerdictCode{api.VerdictAccepted, api.VerdictDuplicate} {
				if got := wk.post(res); got.Verdict != want {
					w.t.Errorf("result of attempt %d is %+v, want %s", lease.Fence, got, want)
				}
			}
			res.Error = "other"
			if got := wk.post(res); got.Verdict != api.VerdictStale {
				w.t.Errorf("another result of attempt %d is %+v, want stale", lease.Fence, got)
			}
			if run := w.get("c"); run.State != api.StateScheduled || run.RC != "" || run.Error != "" || run.Result != nil {
				w.t.Errorf("after attempt %d the run is %+v, want it SCHEDULED without a result", lease.Fence, run)
			}
			if got := runs(w.t, wk.park().packets()); cmp.Diff([]string{"c"}, got) != "" {
				w.t.Fatalf("the parked poll has %q, want c", got)
			}
			return time.Since(failed)
		}
		if wait := fails("one"); wait < 5*time.Second || wait > 11*time.Second {
			w.t.Errorf("first retry after %v, want 5 to 11 seconds", wait)
		}
		if wait := fails("two"); wait < 7*time.Second || wait > 16*time.Second {
			w.t.Errorf("second retry after %v, want 7 to 16 seconds", wait)
		}
		wk.post(api.Result{Cookie: "c", Fence: 3, RC: api.RCProcessorException, Error: "three"})
		run := w.state(api.StateFailed, "c")
		if run.Error != "three" || run.Retries != 2 || run.Attempt != 3 {
			w.t.Errorf("run is %+v, want the third result and two retries", run)
		}
		retry.On = api.DefaultRetryOn()
		if diff := cmp.Diff(retry, run.Retry); diff != "" {
			w.t.Errorf("retry (-want +got):\n%s", diff)
		}
		attempt := func(n int, text string) api.Attempt {
			return api.Attempt{Number: n, Worker: "w", Outcome: api.OutcomeSettled, RC: api.RCProcessorException, Reason: text}
		}
		want := []api.Attempt{attempt(1, "one"), attempt(2, "two"), attempt(3, "three")}
		if diff := cmp.Diff(want, run.Attempts, cmpopts.IgnoreFields(api.Attempt{}, "StartedAt", "EndedAt")); diff != "" {
			w.t.Errorf("attempts (-want +got):\n%s", diff)
		}
	})
}

func TestRetryIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.refused(api.CodeInvalidRequest, "POST", "/v1/runs", api.Submit{Pipeline: "p", Delivery: api.AtMostOnce, Retry: &api.Retry{Max: 1}})
	w.refused(api.CodeInvalidRequest, "POST", "/v1/runs", api.Submit{Pipeline: "p", Retry: &api.Retry{}})
}
