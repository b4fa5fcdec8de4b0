package store_test

import (
	"testing"
	"time"

	"github.com/pullrun/pullrun/server/store"
)

func TestQueues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 2)
	keyed := func(n *store.NewRun) { n.Concurrency = store.Concurrency{Key: "k", Limit: 1} }
	w.submit("first")
	w.submit("keyed", keyed)
	first := w.poll("w").Offers[0].Run
	w.poll("w", store.Held{Cookie: "first", Fence: 1}, store.Held{Cookie: "keyed", Fence: 1})
	w.now = w.now.Add(time.Minute)
	w.submit("blocked", keyed)
	w.submit("waits", func(n *store.NewRun) { n.Priority = 1 })
	w.submit("later", func(n *store.NewRun) { n.NotBefore = w.now.Add(time.Hour) })
	w.submit("elsewhere", func(n *store.NewRun) { n.Queue = "r" })
	w.now = w.now.Add(time.Minute)
	w.finish(store.Result{Cookie: first.Cookie, Fence: 1, Worker: "w", Release: true}) // and waits anew
	w.submit("newest")
	w.now = w.now.Add(time.Minute)
	q := store.Queue{Name: "q", Queued: 3, Blocked: 1, Scheduled: 1, Leased: 1, Demand: 4, Oldest: 2 * time.Minute}
	r := store.Queue{Name: "r", Queued: 1, Demand: 1, Oldest: 2 * time.Minute}
	w.wantQueues(q, r)
	for name, want := range map[string]store.Queue{"q": q, "r": r, "none": {Name: "none"}} {
		if got, err := w.Queue(t.Context(), w.now, name); err != nil || got != want {
			t.Errorf("Queue(%q) = %+v, %v, want %+v", name, got, err, want)
		}
	}
	for _, cookie := range []string{"waits", "blocked", "later", "newest", "elsewhere"} {
		if _, _, err := w.Cancel(t.Context(), w.now, cookie, "", ""); err != nil {
			t.Fatal(err)
		}
	}
	w.wantQueues(store.Queue{Name: "q", Queued: 1, Leased: 1, Demand: 2, Oldest: time.Minute})
}

func (w *world) wantQueues(want ...store.Queue) {
	w.t.Helper()
	got, err := w.Queues(w.t.Context(), w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	wantDiff(w.t, "Queues()", got, want)
}
