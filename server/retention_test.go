package server_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/server/store"
)

func TestOldRunsAreDeleted(t *testing.T) {
	t.Parallel()
	simulated(t, func(w *world) {
		wk := w.register("w", 2)
		w.submit(api.Submit{Pipeline: "p", Cookie: "good"})
		w.submit(api.Submit{Pipeline: "p", Cookie: "bad"})
		leases := wk.poll()
		wk.finish(held(leases[0]))
		wk.post(api.Result{Cookie: "bad", Fence: 1, RC: api.RCException})
		time.Sleep(9 * time.Minute)
		w.want(200, "GET", "/v1/runs/good", nil)
		time.Sleep(3 * time.Minute)
		w.refused(api.CodeCookieNotFound, "GET", "/v1/runs/good", nil)
		w.want(200, "GET", "/v1/runs/bad", nil)
		time.Sleep(10 * time.Minute)
		w.refused(api.CodeCookieNotFound, "GET", "/v1/runs/bad", nil)
		if n := w.logged("what is old is deleted"); n != 2 {
			t.Errorf("%d log lines say that runs are deleted, want one for each", n)
		}
	}, func(s *setup) {
		s.Retention = store.Retention{Runs: map[store.State]store.Keep{store.Succeeded: {Age: 10 * time.Minute}, store.Failed: {Age: 20 * time.Minute}}}
	})
}

// Lines of the audit go by their age, submits with their runs.
func TestOldLinesOfTheAuditAreDeleted(t *testing.T) {
	t.Parallel()
	simulated(t, func(w *world) {
		w.submit(api.Submit{Cookie: "c"})
		w.cancel("c")
		lines := func() (actions []api.AuditAction) {
			for _, e := range into[api.AuditList](w.t, w.want(200, "GET", "/v1/audit", nil)).Entries {
				actions = append(actions, e.Action)
			}
			return actions
		}
		time.Sleep(59 * time.Minute)
		if diff := cmp.Diff([]api.AuditAction{api.AuditCancel, api.AuditSubmit}, lines()); diff != "" {
			w.t.Errorf("the audit before its time (-want +got):\n%s", diff)
		}
		time.Sleep(3 * time.Minute)
		if diff := cmp.Diff([]api.AuditAction{api.AuditSubmit}, lines()); diff != "" {
			w.t.Errorf("the audit after its time (-want +got):\n%s", diff)
		}
	}, func(s *setup) { s.Retention = store.Retention{Audit: time.Hour} })
}
