package server_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/api"
)

// A run that waits says why, and the reasons change with the world around it.
func TestWaiting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	later := time.Date(2100, 1, 2, 3, 4, 5, 0, time.UTC)
	w.submit(api.Submit{Cookie: "later", NotBefore: &later})
	w.submit(api.Submit{Cookie: "c", Queue: "q", Labels: map[string]string{"gpu": "yes", "zone": "x"}})
	step := func(cookie string, want api.Waiting) {
		t.Helper()
		got := w.get(cookie).Waiting
		if got == nil {
			t.Fatalf("run %s does not say why it waits, want %+v", cookie, want)
		}
		if diff := cmp.Diff(want, *got); diff != "" {
			t.Errorf("run %s waits (-want +got):\n%s", cookie, diff)
		}
	}
	step("later", api.Waiting{Reason: api.WaitingNotBefore, Until: &later, Message: "it is not to begin before 2100-01-02T03:04:05Z"})
	w.register("elsewhere", 1)
	step("c", api.Waiting{Reason: api.WaitingNoWorker, Message: `no worker takes runs from queue "q"`})
	in := func(labels map[string]string, pipelines ...string) func(*api.Register) {
		return func(r *api.Register) {
			r.Queues, r.Labels = []string{"q"}, labels
			for _, p := range pipelines {
				r.Pipelines = append(r.Pipelines, api.PipelineInfo{Name: p})
			}
		}
	}
	w.register("plain", 1, in(nil))
	w.register("zoned", 1, in(map[string]string{"zone": "x", "gpu": "no"}))
	step("c", api.Waiting{
		Reason: api.WaitingNoLabels, Missing: map[string]string{"gpu": "yes"},
		Message: `no worker of queue "q" has all of its labels; the one that has most lacks gpu=yes`,
	})
	fit := map[string]string{"gpu": "yes", "zone": "x"}
	w.register("other", 1, in(fit, "p2"))
	step("c", api.Waiting{Reason: api.WaitingNoPipeline, Message: `no worker that takes such runs from queue "q" has pipeline "p"`})
	wk := w.register("one", 1, in(fit, "p", "p2"))
	step("c", api.Waiting{Reason: api.WaitingOfferedSoon, Workers: 1, Slots: 1, Position: 1, Message: "a worker has a free slot: it is sent soon"})

	w.submit(api.Submit{Cookie: "first", Queue: "q", Labels: fit, Priority: 1})
	got := wk.poll()
	step("first", api.Waiting{Reason: api.WaitingOffered, Message: `it was sent to worker "one", which has not acknowledged it yet`})
	wk.poll(held(got[0]))
	if got := w.get("first"); got.Waiting != nil {
		t.Errorf("a run that is RUNNING waits: %+v", got.Waiting)
	}
	w.submit(api.Submit{Cookie: "before", Queue: "q", Labels: fit, Priority: 1})
	w.submit(api.Submit{Cookie: "behind", Queue: "q", Labels: fit})
	w.submit(api.Submit{Cookie: "elsewhere", Labels: fit, Priority: 1})
	step("c", api.Waiting{Reason: api.WaitingBusy, Workers: 1, Slots: 1, Position: 2, Message: "the only slot for it is taken; it is number 2 in line"})
	wk.pauses("memory is short", held(got[0]))
	paused := api.Waiting{
		Reason: api.WaitingPaused, Workers: 1, Paused: map[string]string{"one": "memory is short"},
		Message: "the only worker that could take it is paused: one (memory is short)",
	}
	step("c", paused)
	two := w.register("two", 1, in(fit))
	two.pauses("the outbox is full")
	paused.Workers, paused.Paused["two"] = 2, "the outbox is full"
	paused.Message = "all 2 workers that could take it are paused: one (memory is short), two (the outbox is full)"
	step("c", paused)
	w.want(http.StatusNoContent, "DELETE", two.path("?session="+two.session), nil)
	w.want(http.StatusAccepted, "POST", wk.path("/shutdown"), nil)
	step("c", api.Waiting{Reason: api.WaitingDraining, Workers: 1, Message: "the only worker that could take it is draining"})
	if list := into[api.RunList](t, w.want(200, "GET", "/v1/runs", nil)); list.Runs[0].Waiting != nil {
		t.Errorf("a listed run says why it waits, which is only for a single one: %+v", list.Runs[0])
	}
}

// A place far back in line is not counted exactly, and says so.
func TestWaitingFarBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	batch := api.SubmitBatch{Runs: make([]api.Submit, 1000)}
	for i := range batch.Runs {
		batch.Runs[i] = api.Submit{Cookie: fmt.Sprint("r", i), Pipeline: "p", Concurrency: &api.Concurrency{Key: "k"}}
	}
	w.want(http.StatusOK, "POST", "/v1/runs/batch", batch)
	for place, cookie := range map[string]string{"999": "r999", "1000 or later": "last"} {
		if cookie == "last" {
			w.submit(api.Submit{Cookie: cookie, Concurrency: &api.Concurrency{Key: "k"}})
		}
		want := `the only slot of concurrency key "k" is taken, by r0; it is number ` + place + " of those that wait"
		if got := w.get(cookie).Waiting; got == nil || got.Message != want {
			t.Errorf("run %s waits, %+v, want %s", cookie, got, want)
		}
	}
}

// A run that asks for a digest says which ones there are, also while others that
// ask for none are taken.
func TestWaitingForADigest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const other = "sha256:0123456789abcdef0123456789abcdef"
	w.submit(api.Submit{Cookie: "c", Digest: "sha256:1"})
	step := func(want api.Waiting) {
		t.Helper()
		if diff := cmp.Diff(&want, w.get("c").Waiting); diff != "" {
			t.Errorf("it waits (-want +got):\n%s", diff)
		}
	}
	w.register("silent", 1)
	w.register("named", 1, func(r *api.Register) { r.Pipelines = []api.PipelineInfo{{Name: "p"}} })
	none := `no worker that takes such runs from queue "default" has pipeline "p" with digest sha256:1`
	step(api.Waiting{Reason: api.WaitingNoDigest, Message: none})
	has := func(digest string) func(*api.Register) {
		return func(r *api.Register) { r.Pipelines = []api.PipelineInfo{{Name: "p", Digest: digest}} }
	}
	for _, name := range []string{"a", "b"} {
		w.register(name, 1, has(other))
	}
	old := w.register("z", 1, has("sha256:2"))
	step(api.Waiting{Reason: api.WaitingNoDigest, Digests: []string{other, "sha256:2"}, Message: none + ", but with sha256:0123456789ab, sha256:2"})
	if got := old.poll(); len(got) != 0 {
		t.Fatalf("a worker with another digest is sent %+v", got)
	}
	wk := w.register("right", 1, has("sha256:1"))
	step(api.Waiting{Reason: api.WaitingOfferedSoon, Workers: 1, Slots: 1, Position: 1, Message: "a worker has a free slot: it is sent soon"})
	wk.finish(wk.take())
	run := w.state(api.StateSucceeded, "c")
	if len(run.Attempts) != 1 || run.Digest != "sha256:1" || run.Attempts[0].Digest != "sha256:1" {
		t.Errorf("the run has digest %q and attempts %+v, want that of its submit", run.Digest, run.Attempts)
	}
	w.want(200, "POST", "/v1/runs", api.Submit{Pipeline: "p", Cookie: "c", Digest: "sha256:1"})
	w.refused(api.CodeCookieCollision, "POST", "/v1/runs", api.Submit{Pipeline: "p", Cookie: "c", Digest: "sha256:2"})
	w.refused(api.CodeCookieCollision, "POST", "/v1/runs", api.Submit{Pipeline: "p", Cookie: "c"})
}

func TestWaitingForASlotOrARetry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 2)
	w.submit(of("a", ""))
	w.submit(of("b", ""))
	w.submit(of("c", ""))
	got := w.get("c").Waiting
	want := &api.Waiting{
		Reason: api.WaitingConcurrency, Holders: []string{"a"}, Position: 2,
		Message: `the only slot of concurrency key "k" is taken, by a; it is number 2 of those that wait`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("waiting for a slot (-want +got):\n%s", diff)
	}
	wk.take()
	w.submit(api.Submit{Cookie: "r", Retry: &api.Retry{Max: 1, BackoffMS: 3_600_000}})
	lease := wk.take(api.Held{Cookie: "a", Fence: 1})
	wk.post(api.Result{Cookie: "r", Fence: lease.Fence, RC: api.RCException})
	if got := w.get("r").Waiting; got == nil || got.Reason != api.WaitingRetry || got.Until == nil || !got.Until.After(time.Now()) {
		t.Errorf("waiting for a retry = %+v, want a time", got)
	}
}
