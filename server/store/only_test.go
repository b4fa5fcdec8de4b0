package store_test

import (
	"errors"
	"testing"

	"github.com/pullrun/pullrun/server/store"
)

func TestAWorkerWantsOneRunOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	elsewhere := func(n *store.NewRun) { n.Queue, n.Labels = "other", map[string]string{"os": "plan9"} }
	w.submit("b", elsewhere)
	w.submit("a", elsewhere)
	w.submit("c")
	w.register("w", 4)
	w.register("v", 1, func(n *store.NewSession) { n.Queues, n.Labels = []string{"other"}, map[string]string{"os": "plan9"} })
	poll := func(cookie string, n int, holding ...store.Held) (store.PollOut, error) {
		return w.Poll(t.Context(), w.now, store.PollIn{Worker: "w", Session: "s", Only: cookie, Max: n, Holding: holding})
	}

	out, err := poll("a", 4)
	if err != nil {
		t.Fatal(err)
	}
	wantDiff(t, "Poll(a)", held(out.Offers), []store.Held{{Cookie: "a", Fence: 1}})
	if string(out.Offers[0].Run.Variables) != `{}` {
		t.Errorf("variables = %q, want {}", out.Offers[0].Run.Variables)
	}
	out, err = poll("a", 1) // the answer was lost
	if err != nil || len(out.Offers) != 1 {
		t.Errorf("Poll(a) again = %+v, %v, want the same offer", out, err)
	}
	if out, err = poll("a", 0, held(out.Offers)...); err != nil || len(out.Offers) != 0 {
		t.Errorf("Poll(a) with nothing more to take = %+v, %v, want no offer", out, err)
	}
	w.finish(store.Result{Cookie: "a", Fence: 1, Worker: "w", RC: "OK"})
	if _, err := poll("a", 1); !errors.Is(err, store.ErrRunEnded) {
		t.Errorf("Poll(a) = %v after its end, want ErrRunEnded", err)
	}
	if _, err := poll("strange", 1); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Poll(strange) = %v, want ErrNotFound", err)
	}

	b := w.run("v")
	if out, err := poll("b", 1); err != nil || len(out.Offers) != 0 {
		t.Errorf("Poll(b) = %+v, %v while v has it, want no offer", out, err)
	}
	w.finish(store.Result{Cookie: "b", Fence: b.Fence, Worker: "v", RC: "NO_CAPACITY", Release: true})
	if out, err := poll("b", 1); err != nil || len(out.Offers) != 1 {
		t.Errorf("Poll(b) = %+v, %v when v has handed it back, want it", out, err)
	}
	w.register("w", 4, func(n *store.NewSession) { n.Pipelines = []store.Pipeline{{Name: "q"}} })
	if _, err := poll("c", 1); !errors.Is(err, store.ErrNoPipeline) {
		t.Errorf("Poll(c) = %v without its pipeline, want ErrNoPipeline", err)
	}
}

// What is offered again counts, or a worker that takes one more run might have
// two offers in hand.
func TestOffersThatAreMadeAgainCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 4)
	w.submit("a")
	w.submit("b")
	poll := func() []store.Held {
		out, err := w.Poll(t.Context(), w.now, store.PollIn{Worker: "w", Session: "s", Max: 1})
		if err != nil {
			t.Fatal(err)
		}
		return held(out.Offers)
	}
	for range 2 {
		wantDiff(t, "Poll()", poll(), []store.Held{{Cookie: "a", Fence: 1}})
	}
}
