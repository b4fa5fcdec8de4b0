package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pullrun/pullrun/server/store"
	"github.com/pullrun/pullrun/server/store/storetest"
)

// room submits runs until the queue is full, and returns how many fitted.
func (w *world) room(queue string) (n int) {
	w.t.Helper()
	for n < 100 {
		run := store.NewRun{Cookie: fmt.Sprintf("%s-%d-%d", queue, w.now.UnixMicro(), n), Digest: "d", Pipeline: "p", Queue: queue, MaxAttempts: 3}
		_, created, err := w.Submit(w.t.Context(), w.now, run)
		if errors.Is(err, store.ErrQueueFull) {
			return n
		}
		if err != nil || !created {
			w.t.Fatalf("Submit() = %t, %v, want a run or %v", created, err, store.ErrQueueFull)
		}
		n++
	}
	return n
}

func (w *world) wantRoom(queue string, want int, when string) {
	w.t.Helper()
	w.now = w.now.Add(time.Millisecond) // for other cookies
	if got := w.room(queue); got != want {
		w.t.Errorf("%d runs more fit into queue %q %s, want %d", got, queue, when, want)
	}
}

func TestQueueIsFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *store.Options) { o.MaxQueued = 5 })
	keyed := func(n *store.NewRun) { n.Concurrency = store.Concurrency{Key: "k", Limit: 1} }
	w.submit("slot", keyed)
	w.submit("blocked", keyed)
	w.submit("later", func(n *store.NewRun) { n.NotBefore = t0.Add(time.Hour) })
	w.wantRoom("q", 2, "that holds one of each kind")
	w.wantRoom("r", 5, "that is empty")

	again := w.submit("slot", keyed)
	if again.State != store.Queued {
		t.Errorf("a repeat in a full queue = %+v, want the run", again)
	}
	other := store.NewRun{Cookie: "slot", Digest: "other", Pipeline: "p", Queue: "q", MaxAttempts: 3}
	if _, _, err := w.Submit(t.Context(), w.now, other); !errors.Is(err, store.ErrCookieCollision) {
		t.Errorf("another run of the cookie in a full queue: %v, want %v", err, store.ErrCookieCollision)
	}
	other.Cookie = "new"
	if _, _, err := w.Submit(t.Context(), w.now, other); err == nil || !strings.Contains(err.Error(), `5 runs wait in "q"`) {
		t.Errorf("Submit() to a full queue = %v, want it to say how full which queue is", err)
	}

	w.register("w", 2)
	w.poll("w")
	w.wantRoom("q", 2, "when two were offered")
	w.finish(store.Result{Cookie: "slot", Fence: 1, Worker: "w", Release: true})
	if got := w.get("slot").State; got != store.Queued {
		t.Errorf("a run that is handed back to a full queue is %v, want it queued", got)
	}
	w.wantRoom("q", 0, "when one was handed back")
	if _, _, err := w.Cancel(t.Context(), w.now, "blocked", "", ""); err != nil {
		t.Fatal(err)
	}
	if _, created, err := w.Requeue(t.Context(), w.now, "blocked", "", store.Trace{}); err != nil || !created {
		t.Errorf("Requeue() into a full queue = %t, %v, want a run", created, err)
	}
	for _, cookie := range []string{"slot", "later"} {
		if _, _, err := w.Cancel(t.Context(), w.now, cookie, "", ""); err != nil {
			t.Fatal(err)
		}
	}
	w.wantRoom("q", 1, "when two of six were cancelled")

	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w.open()
	w.wantRoom("q", 0, "of a server that starts")
	w.wantRoom("r", 0, "of a server that starts")
}

func TestQueueIsFullOfOthersRuns(t *testing.T) {
	t.Parallel()
	storetest.Only(t, storetest.Postgres)
	one := newWorld(t, func(o *store.Options) { o.MaxQueued = 3 })
	two := &world{t: t, url: one.url, now: one.now, edit: one.edit}
	two.open()
	one.submit("a")
	two.submit("b")
	two.submit("c")
	one.sweep()
	one.now = one.now.Add(time.Hour)
	one.sweep()
	one.wantRoom("q", 0, "that another server has filled")
}
