package store_test

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pullrun/pullrun/server/store"
)

// probed opens a world whose probe is called by the writer.
func probed(t *testing.T, probe func(string)) *world {
	t.Helper()
	w := newWorld(t)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), w.url, store.Options{Log: slog.New(slog.DiscardHandler), Probe: probe})
	if err != nil {
		t.Fatal(err)
	}
	w.Store = s
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
	return w
}

// TestEveryPointIsPassed makes one call after the other and looks at what each
// passed, before its commit and after it.
func TestEveryPointIsPassed(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var passed []string
	w := probed(t, func(point string) {
		mu.Lock()
		defer mu.Unlock()
		passed = append(passed, point)
	})
	seen := map[string]bool{}
	want := func(names ...string) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		var points []string
		for _, moment := range []string{".before", ".after"} {
			for _, name := range names {
				points = append(points, name+moment)
				seen[name] = true
			}
		}
		wantDiff(t, "points", passed, points)
		passed = nil
	}
	ctx := t.Context()
	late := func(d time.Duration) { w.now = w.now.Add(d) }
	finish := func(h store.Held, release bool) {
		w.finish(store.Result{Cookie: h.Cookie, Fence: h.Fence, Worker: "w", RC: "OK", Release: release})
	}

	w.submit("a", func(n *store.NewRun) { n.Delivery = store.AtMostOnce })
	want("submit")
	w.register("w", 1)
	want("register")
	a := held(w.poll("w").Offers)[0]
	want("poll", "offer")
	w.poll("w")
	want("poll", "reoffer")
	w.poll("w", a)
	want("poll", "accept")
	claim := a
	claim.Claim = true
	w.beat("w", claim)
	want("heartbeat", "claim")
	w.register("w", 1, func(n *store.NewSession) { n.Session, n.Holding = "s2", []store.Held{a} })
	want("register", "adopt")
	w.register("w", 1, func(n *store.NewSession) { n.Holding = []store.Held{a} })
	want("register", "adopt")
	if _, err := w.AppendEvents(ctx, w.now, "w", []store.Event{{Cookie: "a", Fence: a.Fence, No: 1}}); err != nil {
		t.Fatal(err)
	}
	want("events")
	finish(a, false)
	want("finish")

	run := func() store.Held {
		h := held(w.poll("w").Offers)[0]
		want("poll", "offer")
		w.poll("w", h)
		want("poll", "accept")
		return h
	}
	w.submit("b")
	want("submit")
	b := run()
	finish(b, true)
	want("finish", "release")
	if _, _, err := w.Cancel(ctx, w.now, "b", "", ""); err != nil {
		t.Fatal(err)
	}
	want("cancel")
	w.submit("c", func(n *store.NewRun) { n.NotBefore = w.now.Add(time.Second) })
	want("submit")
	late(time.Second)
	w.sweep()
	want("sweep", "due")
	run()
	late(2 * time.Minute)
	w.sweep()
	want("sweep", "expire")
	w.register("w", 1)
	want("register")
	w.poll("w")
	want("poll", "offer")
	late(time.Second)
	if err := w.Resume(ctx, w.now); err != nil {
		t.Fatal(err)
	}
	want("resume")
	if err := w.Shutdown(ctx, w.now, "w", "ann"); err != nil {
		t.Fatal(err)
	}
	want("shutdown")
	if _, err := w.Leave(ctx, w.now, "w", "s"); err != nil {
		t.Fatal(err)
	}
	want("leave", "expire")
	old, err := w.Outdated(ctx, w.now, store.Retention{})
	if err != nil {
		t.Fatal(err)
	}
	want()
	if _, err := w.Purge(ctx, w.now, old, 9); err != nil {
		t.Fatal(err)
	}
	want("purge")
	if len(seen) < 20 {
		t.Errorf("%d names were passed: %v", len(seen), seen)
	}
}

// TestPointsSurroundTheCommit looks at the database from within the probe: what
// an operation writes is to be seen after its commit only, and its caller has
// not been told then.
func TestPointsSurroundTheCommit(t *testing.T) {
	t.Parallel()
	var w *world
	var told bool // the writer and the caller take turns
	found := map[string]error{}
	w = probed(t, func(point string) {
		if told {
			t.Errorf("%s is passed after the caller was told", point)
		}
		_, found[point] = w.Get(t.Context(), "a")
	})
	w.submit("a")
	told = true
	if err := found["submit.before"]; !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get() before the commit = %v, want ErrNotFound", err)
	}
	if err, ok := found["submit.after"]; !ok || err != nil {
		t.Errorf("Get() after the commit = %v, want the run", err)
	}
}

// TestRefusedOperationPassesNoPoint holds that a point tells what a commit has in
// it, and one kind of operation once.
func TestRefusedOperationPassesNoPoint(t *testing.T) {
	t.Parallel()
	var passed []string
	w := probed(t, func(point string) { passed = append(passed, point) })
	if _, err := w.Poll(t.Context(), w.now, store.PollIn{Worker: "w", Session: "s"}); !errors.Is(err, store.ErrNoSession) {
		t.Errorf("Poll() = %v, want ErrNoSession", err)
	}
	if len(passed) > 0 {
		t.Errorf("a refused poll passes %v", passed)
	}
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() { w.submit(cookie(i)) })
	}
	wg.Wait()
	if slices.Contains(passed, "poll.before") || len(passed) == 0 || len(passed) > 400 {
		t.Errorf("200 submits pass %d points: %s", len(passed), strings.Join(passed[:min(9, len(passed))], " "))
	}
}
