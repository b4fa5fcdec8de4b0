package store_test

import (
	"sync"
	"testing"
	"time"

	"github.com/pullrun/pullrun/server/store"
)

func TestSweepNamesTheNextTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if out := w.sweep(); !out.NextDue.IsZero() {
		t.Errorf("Sweep() of nothing is due at %v", out.NextDue)
	}
	w.submit("later", func(n *store.NewRun) { n.NotBefore = t0.Add(time.Hour) })
	w.submit("soon", func(n *store.NewRun) { n.NotBefore = t0.Add(time.Minute); n.QueueTimeout = time.Minute })
	if out := w.sweep(); !out.NextDue.Equal(t0.Add(time.Minute)) {
		t.Errorf("NextDue = %v, want in a minute", out.NextDue)
	}
	w.now = t0.Add(time.Minute)
	out := w.sweep()
	wantDiff(t, "Sweep() at 1m", moves(out.Moved), []string{"soon SCHEDULED>QUEUED"})
	w.now = t0.Add(2 * time.Minute)
	w.register("w", 1)
	if out := w.poll("w"); len(out.Offers) != 0 {
		t.Errorf("Poll() = %+v, want nothing: it has waited too long", out)
	} else {
		wantDiff(t, "Poll().Moved", moves(out.Moved), []string{"soon QUEUED>TIMED_OUT"})
	}
	w.now = t0.Add(time.Hour)
	wantDiff(t, "Sweep() at 1h", moves(w.sweep().Moved), []string{"later SCHEDULED>QUEUED"})
}

// Many runs that are due must not keep a lost worker's waiting, and a sweep
// takes no more than its share at once.
func TestSweepIsFairAndBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 1)
	w.submit("held")
	w.run("w")
	const many = 1500
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			w.submit(cookie(i), func(n *store.NewRun) { n.NotBefore = t0.Add(time.Second) })
		})
	}
	wg.Wait()
	w.now = t0.Add(time.Minute)
	out := w.sweep()
	if out.NextDue.After(w.now) || len(out.Moved) >= many {
		t.Errorf("Sweep() moved %d and is due at %v, want a part of them and now", len(out.Moved), out.NextDue)
	}
	w.wantState("held", store.Queued)
	total := len(out.Moved)
	for !out.NextDue.IsZero() {
		out = w.sweep()
		total += len(out.Moved)
	}
	if total != many+1 {
		t.Errorf("sweeps moved %d, want %d", total, many+1)
	}
}

func TestResumeAfterAnOutage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 3)
	w.submit("running")
	h := w.run("w")
	w.submit("offered")
	w.poll("w", h)
	if _, _, err := w.Cancel(t.Context(), w.now, "running", "", ""); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w.open()
	w.now = w.now.Add(time.Hour)
	if err := w.Resume(t.Context(), w.now); err != nil {
		t.Fatalf("Resume() = %v", err)
	}
	wantDiff(t, "Sweep() at once", moves(w.sweep().Moved), []string{})
	w.now = w.now.Add(10 * time.Second)
	wantDiff(t, "Sweep() after 10s", moves(w.sweep().Moved), []string{"offered OFFERED>QUEUED"})
	w.now = w.now.Add(20 * time.Second)
	wantDiff(t, "Sweep() after 30s", moves(w.sweep().Moved), []string{"running RUNNING>CANCELLED"})
	if out := w.poll("w"); len(out.Offers) != 1 || out.Offers[0].Run.Fence != 2 {
		t.Errorf("Poll() = %+v, want the lapsed run under fence 2", out)
	}
}

// A worker may have more runs than a sweep takes away in one step.
func TestLargeWorkerIsLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const runs = 300
	var wg sync.WaitGroup
	for i := range runs {
		wg.Go(func() { w.submit(cookie(i)) })
	}
	wg.Wait()
	w.register("w", runs)
	out, err := w.Poll(t.Context(), w.now, store.PollIn{Worker: "w", Session: "s", Max: runs})
	if err != nil || len(out.Offers) != runs {
		t.Fatalf("Poll() = %d offers, %v, want %d", len(out.Offers), err, runs)
	}
	w.now = w.now.Add(5 * time.Second)
	w.poll("w", held(out.Offers)...)
	w.now = w.now.Add(time.Minute)
	swept := w.sweep()
	wantDiff(t, "Sweep().Expired", swept.Expired, []string{"w"})
	if len(swept.Moved) != runs {
		t.Errorf("Sweep() moved %d runs, want %d", len(swept.Moved), runs)
	}
}
