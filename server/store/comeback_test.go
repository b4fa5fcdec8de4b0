package store_test

import (
	"testing"
	"time"

	"github.com/pullrun/pullrun/server/store"
)

// A worker was silent for longer than its lease, and names what it has still
// when it registers again.
func TestAWorkerThatComesBackGetsItsRunsAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 3)
	w.submit("mine")
	w.submit("taken", func(n *store.NewRun) { n.Pipeline = "other" })
	w.submit("cancelled")
	holding := held(w.poll("w").Offers)
	w.poll("w", holding...)
	w.now = w.now.Add(time.Minute)
	wantDiff(t, "Sweep().Expired", w.sweep().Expired, []string{"w"})
	w.register("v", 1, func(n *store.NewSession) { n.Pipelines = []store.Pipeline{{Name: "other"}} })
	taken := w.run("v")
	if _, _, err := w.Cancel(t.Context(), w.now, "cancelled", "ann", ""); err != nil {
		t.Fatal(err)
	}

	out := w.register("w", 3, func(n *store.NewSession) { n.Session, n.Holding = "s2", holding })
	wantDiff(t, "Lost", out.Lost, holding[1:])
	wantDiff(t, "Moved", moves(out.Moved), []string{"mine QUEUED>OFFERED"})

	in := store.PollIn{Worker: "w", Session: "s2", Holding: holding[:1], Max: 0}
	beat, err := w.Heartbeat(t.Context(), w.now, in)
	if err != nil || len(beat.Lost) != 0 {
		t.Errorf("Heartbeat() = %+v, %v, want nothing lost", beat, err)
	}
	poll, err := w.Poll(t.Context(), w.now, in)
	if err != nil || len(poll.Offers) != 1 || len(poll.Lost) != 0 {
		t.Fatalf("Poll() = %+v, %v, want the run again, and nothing lost", poll, err)
	}
	wantDiff(t, "Offers", held(poll.Offers), []store.Held{{Cookie: "mine", Fence: 2}})
	in.Holding = held(poll.Offers)
	if poll, err = w.Poll(t.Context(), w.now, in); err != nil || len(poll.Offers) != 0 {
		t.Errorf("Poll() = %+v, %v, want nothing more", poll, err)
	}
	if r := w.wantState("mine", store.Running); r.Attempts != 2 || r.Session != "s2" {
		t.Errorf("run = %+v, want a second attempt in session s2", r)
	}
	if r := w.wantState("taken", store.Running); r.Worker != "v" || r.Fence != taken.Fence {
		t.Errorf("run = %+v, want it to be v's", r)
	}
}

// What another worker has lost is not this one's to take.
func TestAWorkerComesBackToItsOwnRunsOnly(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		worker string
		fence  int64
		end    func(w *world, h store.Held)
	}{
		{"another worker's", "v", 1, func(w *world, _ store.Held) { w.now = w.now.Add(time.Minute); w.sweep() }},
		{"a lease that never was", "w", 2, func(w *world, _ store.Held) { w.now = w.now.Add(time.Minute); w.sweep() }},
		{"a run that it handed back", "w", 1, func(w *world, h store.Held) {
			w.finish(store.Result{Cookie: "a", Fence: h.Fence, Worker: "w", RC: "NO_CAPACITY", Release: true})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.register("w", 1)
			w.submit("a")
			tt.end(w, w.run("w"))
			holding := []store.Held{{Cookie: "a", Fence: tt.fence}}
			out := w.register(tt.worker, 1, func(n *store.NewSession) { n.Session, n.Holding = "s2", holding })
			wantDiff(t, "Lost", out.Lost, holding)
			w.wantState("a", store.Queued)
		})
	}
}
