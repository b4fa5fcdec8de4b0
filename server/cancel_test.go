package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/api"
)

// A run that waits ends at once, and no worker gets it.
func TestCancelWhileItWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { tokens(s, "operator") })
	later := time.Now().Add(time.Hour)
	w.submit(api.Submit{Cookie: "queued"})
	w.submit(api.Submit{Cookie: "scheduled", NotBefore: &later})
	for _, cookie := range []string{"queued", "scheduled"} {
		var first api.Run
		for i := range 2 {
			run := into[api.Run](t, w.want(http.StatusOK, "POST", "/v1/runs/"+cookie+"/cancel", api.Cancel{Reason: "not needed"}))
			if want := `cancelled by "operator": not needed`; run.State != api.StateCancelled || run.RC != api.RCCancelled || run.Error != want || run.CancelRequestedAt == nil {
				t.Errorf("run is %+v, want CANCELLED, %s", run, want)
			}
			if i == 0 {
				first = run
			} else if diff := cmp.Diff(first, run); diff != "" {
				t.Errorf("cancelled (-) and cancelled again (+):\n%s", diff)
			}
		}
	}
	if got := w.register("w", 2).poll(); len(got) != 0 {
		t.Errorf("poll = %+v, want nothing", got)
	}
}

// A run that its worker has not named yet ends when the worker turns out not
// to have it, and is stopped when it has.
func TestCancelWhileItIsOffered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 2)
	w.submit(api.Submit{Cookie: "arrived"})
	w.submit(api.Submit{Cookie: "lost"})
	if got := wk.poll(); len(got) != 2 {
		t.Fatalf("poll = %+v, want two RUNs", got)
	}
	for _, cookie := range []string{"arrived", "lost"} {
		w.want(http.StatusAccepted, "POST", "/v1/runs/"+cookie+"/cancel", nil)
		w.state(api.StateOffered, cookie)
	}
	arrived := api.Held{Cookie: "arrived", Fence: 1}
	want := []api.Packet{{PacketType: api.PacketCancel, Cookie: "arrived", Fence: 1, Reason: `cancelled by "anybody"`}}
	if diff := cmp.Diff(want, wk.poll(arrived)); diff != "" {
		t.Errorf("poll (-want +got):\n%s", diff)
	}
	w.state(api.StateCancelled, "lost")
	w.state(api.StateRunning, "arrived")
}

// CANCEL reaches a worker at once, is sent until the worker says that it has
// it, and the run ends as the worker says.
func TestCancelWhileItRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { tokens(s, "operator") })
	wk := w.register("w", 2)
	w.submit(api.Submit{Cookie: "c"})
	lease := wk.take()
	parked := wk.park(lease)
	w.parked(1)
	if run := into[api.Run](t, w.want(http.StatusAccepted, "POST", "/v1/runs/c/cancel", api.Cancel{Reason: "not needed"})); run.State != api.StateRunning || run.CancelRequestedAt == nil {
		t.Errorf("run is %+v, want it running and to be cancelled", run)
	}
	want := []api.Packet{{PacketType: api.PacketCancel, Cookie: "c", Fence: 1, Reason: `cancelled by "operator": not needed`}}
	for how, got := range map[string][]api.Packet{
		"the parked poll": parked.packets(), "the next poll": wk.poll(lease), "a heartbeat": wk.beat(lease).Packets,
	} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", how, diff)
		}
	}
	lease.Cancelling = true
	if got := wk.poll(lease); len(got) != 0 {
		t.Errorf("poll of a worker that knows = %+v, want nothing", got)
	}
	if got := wk.beat(lease).Packets; len(got) != 0 {
		t.Errorf("heartbeat of a worker that knows = %+v, want nothing", got)
	}
	if got := wk.post(api.Result{Cookie: "c", Fence: 1, RC: api.RCCancelled}); got.Verdict != api.VerdictAccepted {
		t.Errorf("verdict %+v, want accepted", got)
	}
	w.state(api.StateCancelled, "c")
}

// A run that ended all the same before its CANCEL came has the result that it
// came to.
func TestCancelTooLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 1)
	w.submit(api.Submit{Cookie: "c"})
	lease := wk.take()
	w.cancel("c")
	wk.finish(lease)
	run := w.state(api.StateSucceeded, "c")
	if diff := cmp.Diff(run, w.cancel("c")); diff != "" {
		t.Errorf("before (-) and after another cancel (+):\n%s", diff)
	}
}

// A worker that is lost, or hands the run back, ends a run that is to be
// cancelled.
func TestCancelledRunIsNotQueuedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 2)
	w.submit(api.Submit{Cookie: "returned"})
	w.submit(api.Submit{Cookie: "lost"})
	got := wk.poll()
	wk.poll(held(got[0]), held(got[1]))
	w.cancel("returned")
	w.cancel("lost")
	wk.post(api.Result{Cookie: "returned", Fence: 1, RC: api.RCWorkerWentAway})
	w.state(api.StateCancelled, "returned")
	wk = w.register("w", 2)
	w.state(api.StateCancelled, "lost")
	if got := wk.poll(); len(got) != 0 {
		t.Errorf("poll = %+v, want nothing", got)
	}
}

// A run whose worker does not stop it ends without the worker, which is told
// that its lease is lost.
func TestCancelEndsInAnyCase(t *testing.T) {
	t.Parallel()
	simulated(t, func(w *world) {
		wk := w.register("w", 1)
		w.submit(api.Submit{Cookie: "c"})
		lease := wk.take()
		w.cancel("c")
		lease.Cancelling = true
		began := time.Now()
		run := into[api.Run](w.t, w.want(200, "GET", "/v1/runs/c", nil, "Prefer", "wait=60"))
		if took := time.Since(began); run.State != api.StateCancelled || took < 30*time.Second || took > 31*time.Second {
			w.t.Errorf("run is %s after %v, want CANCELLED after 30s", run.State, took)
		}
		if beat := wk.beat(lease); len(beat.Lost) != 1 {
			w.t.Errorf("heartbeat = %+v, want the lease lost", beat)
		}
		if got := wk.post(ok(lease)); got.Verdict != api.VerdictStale {
			w.t.Errorf("result after the end: %+v, want stale", got)
		}
		w.state(api.StateCancelled, "c")
		w.submit(api.Submit{Cookie: "next"})
		if got := runs(w.t, wk.poll()); len(got) != 1 {
			w.t.Errorf("poll = %v, want the next run in the slot", got)
		}
	})
}

// Many runs are cancelled by a filter, and none of them twice.
func TestCancelMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 1)
	began, later := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	w.submit(api.Submit{Cookie: "running"})
	lease := wk.take()
	for _, cookie := range []string{"a", "b", "c"} {
		w.submit(api.Submit{Cookie: cookie, Tags: map[string]string{"t": cookie}})
	}
	w.submit(api.Submit{Cookie: "later", NotBefore: &later})
	w.submit(api.Submit{Cookie: "other", Pipeline: "p2"})
	waiting, all := []api.CancelState{api.CancelQueued, api.CancelScheduled}, []api.CancelState{api.CancelQueued, api.CancelScheduled, api.CancelOffered, api.CancelRunning}
	for _, step := range []struct {
		name string
		in   api.CancelRuns
		want string
		more bool
	}{
		{"a dry run does nothing", api.CancelRuns{States: all, Selection: api.Selection{DryRun: true}}, "other QUEUED, later SCHEDULED, c QUEUED, b QUEUED, a QUEUED, running RUNNING", false},
		{"only what has a tag", api.CancelRuns{States: waiting, Selection: api.Selection{Tags: map[string]string{"t": "a"}}}, "a CANCELLED", false},
		{"only what somebody submitted", api.CancelRuns{States: waiting, Selection: api.Selection{Submitter: "nobody"}}, "", false},
		{"only what was submitted until a time", api.CancelRuns{States: waiting, Selection: api.Selection{Until: began}}, "", false},
		{"only what a worker has", api.CancelRuns{States: all, Selection: api.Selection{Worker: "v"}}, "", false},
		{"the newest of a pipeline", api.CancelRuns{States: waiting, Reason: "enough", Selection: api.Selection{Pipeline: "p", Limit: 2}}, "later CANCELLED, c CANCELLED", true},
		{"what runs is to be stopped", api.CancelRuns{States: []api.CancelState{api.CancelRunning}, Selection: api.Selection{Worker: "w"}}, "running RUNNING", false},
		{"what is to be stopped is not told again", api.CancelRuns{States: all}, "other CANCELLED, b CANCELLED", false},
		{"nothing is left", api.CancelRuns{States: all}, "", false},
	} {
		out := into[api.CancelRunsResult](t, w.want(http.StatusOK, "POST", "/v1/runs/cancel", step.in))
		list := []string{}
		for _, one := range out.Cancelled {
			if one.Problem != nil {
				t.Errorf("%s: %s: %+v", step.name, one.Cookie, one.Problem)
			}
			list = append(list, one.Cookie+" "+string(one.State))
		}
		if got := strings.Join(list, ", "); got != step.want || (out.Next != "") != step.more {
			t.Errorf("%s: cancelled %q, more: %t, want %q, %t", step.name, got, out.Next != "", step.want, step.more)
		}
	}
	if run := w.get("c"); run.Error != `cancelled by "anybody": enough` {
		t.Errorf("the run says %q, want who cancelled it and why", run.Error)
	}
	if got := wk.poll(lease); len(got) != 1 || got[0].PacketType != api.PacketCancel {
		t.Errorf("poll = %+v, want a CANCEL", got)
	}
	for name, body := range map[string]string{
		"states: ":  `{}`,
		"must be ":  `{"states": ["FAILED"]}`,
		"pipelin: ": `{"states": ["QUEUED"], "pipelin": "x"}`,
		"reason: ":  `{"states": ["QUEUED"], "reason": "` + strings.Repeat("x", 256) + `"}`,
	} {
		if a := w.refused(api.CodeInvalidRequest, "POST", "/v1/runs/cancel", body); !strings.Contains(a.body, name) {
			t.Errorf("the answer is %s, want %q in it", a.body, name)
		}
	}
}
