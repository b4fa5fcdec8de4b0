package store_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pullrun/pullrun/server/store"
)

// keyed makes a run one of key "k".
func keyed(limit int, policy store.Policy) func(*store.NewRun) {
	return func(n *store.NewRun) { n.Concurrency = store.Concurrency{Key: "k", Limit: limit, Policy: policy} }
}

// cookies are those of leases, in order.
func cookies(list []store.Held) []string {
	out := []string{}
	for _, h := range list {
		out = append(out, h.Cookie)
	}
	return out
}

// Slots are given in the order of submission, and each goes on when its run ends,
// however that ends.
func TestSlotsGoOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 10)
	for i := range 6 {
		w.submit(cookie(i), keyed(2, store.Wait))
	}
	w.submit("other")
	has := held(w.poll("w").Offers)
	wantDiff(t, "first offers", cookies(has), []string{cookie(0), cookie(1), "other"})
	if got := w.get(cookie(2)); !got.Blocked || got.State != store.Queued {
		t.Errorf("third run is %v, blocked: %t, want QUEUED and blocked", got.State, got.Blocked)
	}
	w.poll("w", has...)

	_, moved, err := w.Finish(t.Context(), w.now, []store.Result{{Cookie: cookie(1), Fence: 1, Worker: "w", RC: "OK"}})
	if err != nil {
		t.Fatal(err)
	}
	wantDiff(t, "moves of a result", moves(moved), []string{cookie(1) + " RUNNING>SUCCEEDED", cookie(2) + " QUEUED>QUEUED"})
	has = []store.Held{has[0], has[2]}
	has = append(has, held(w.poll("w", has...).Offers)...)
	wantDiff(t, "after a result", cookies(has), []string{cookie(0), "other", cookie(2)})

	// A run that waits for a slot leaves none.
	_, moved, err = w.Cancel(t.Context(), w.now, cookie(3), "", "")
	if err != nil {
		t.Fatal(err)
	}
	wantDiff(t, "moves of a cancellation", moves(moved), []string{cookie(3) + " QUEUED>CANCELLED"})

	// A run that is handed back keeps its slot, a lost offer too.
	w.poll("w", has...)
	w.finish(store.Result{Cookie: cookie(0), Fence: 1, Worker: "w", Release: true})
	has = has[1:]
	has = append(has, held(w.poll("w", has...).Offers)...)
	wantDiff(t, "after a run was handed back", cookies(has), []string{"other", cookie(2), cookie(0)})

	// A worker that is lost for good takes its slots with it.
	w.poll("w", has...)
	for _, h := range has {
		w.finish(store.Result{Cookie: h.Cookie, Fence: h.Fence, Worker: "w", RC: "EXCEPTION"})
	}
	wantDiff(t, "after all have ended", cookies(held(w.poll("w").Offers)), []string{cookie(4), cookie(5)})
}

// A run that waits at the head of the line for more free slots than there are holds
// up those behind it, until it gives up waiting.
func TestSlotsBehindARunThatWaitsNoLonger(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		leave func(*world) []store.Moved
		want  string
	}{
		{"it is cancelled", func(w *world) []store.Moved {
			_, moved, err := w.Cancel(t.Context(), w.now, "strict", "", "")
			if err != nil {
				t.Fatal(err)
			}
			return moved
		}, "strict QUEUED>CANCELLED"},
		{"it has waited too long", func(w *world) []store.Moved {
			w.now = w.now.Add(time.Minute)
			return w.sweep().Moved
		}, "strict QUEUED>TIMED_OUT"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.submit("first", keyed(3, store.Wait))
			w.submit("strict", keyed(1, store.Wait), func(n *store.NewRun) { n.QueueTimeout = time.Minute })
			w.submit("second", keyed(3, store.Wait))
			w.submit("third", keyed(3, store.Wait))
			wantDiff(t, "moves", moves(tt.leave(w)), []string{tt.want, "second QUEUED>QUEUED", "third QUEUED>QUEUED"})
			w.register("w", 9)
			wantDiff(t, "offers", cookies(held(w.poll("w").Offers)), []string{"first", "second", "third"})
		})
	}
}

func TestSlotOfARunThatTimesOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.submit("first", keyed(1, store.Wait), func(n *store.NewRun) { n.QueueTimeout = time.Minute })
	w.submit("second", keyed(1, store.Wait), func(n *store.NewRun) { n.QueueTimeout = time.Minute })
	w.submit("third", keyed(1, store.Wait))
	w.now = t0.Add(time.Minute)
	wantDiff(t, "Sweep()", moves(w.sweep().Moved), []string{
		"first QUEUED>TIMED_OUT", "second QUEUED>QUEUED", "second QUEUED>TIMED_OUT", "third QUEUED>QUEUED",
	})
	w.register("w", 9)
	wantDiff(t, "offers", cookies(held(w.poll("w").Offers)), []string{"third"})
}

// A run has no slot before its time, and then waits in line by its submission.
func TestScheduledRunsHoldNoSlot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 9)
	w.submit("later", keyed(1, store.Wait), func(n *store.NewRun) { n.NotBefore = t0.Add(time.Minute) })
	w.submit("first", keyed(1, store.Wait))
	w.submit("second", keyed(1, store.Wait))
	h := w.run("w")
	wantDiff(t, "first offer", h.Cookie, "first")
	w.now = t0.Add(time.Minute - time.Second)
	w.beat("w", h)
	w.now = t0.Add(time.Minute)
	w.sweep()
	w.finish(store.Result{Cookie: "first", Fence: 1, Worker: "w", RC: "OK"})
	wantDiff(t, "next offer", w.run("w").Cookie, "later")
}

// A run whose time has come takes a slot that is free.
func TestScheduledRunTakesAFreeSlot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.submit("later", keyed(1, store.Wait), func(n *store.NewRun) { n.NotBefore = t0.Add(time.Minute) })
	w.now = t0.Add(time.Minute)
	wantDiff(t, "Sweep()", moves(w.sweep().Moved), []string{"later SCHEDULED>QUEUED", "later QUEUED>QUEUED"})
	w.register("w", 1)
	wantDiff(t, "offers", cookies(held(w.poll("w").Offers)), []string{"later"})
}

func TestReject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	submit := func(cookie, digest string) (bool, error) {
		_, created, err := w.Submit(t.Context(), w.now, store.NewRun{
			Cookie: cookie, Digest: digest, Pipeline: "p", Queue: "q", MaxAttempts: 1, Concurrency: store.Concurrency{Key: "k", Limit: 1, Policy: store.Reject},
		})
		return created, err
	}
	for _, tt := range []struct {
		name, cookie, digest string
		created              bool
		err                  error
	}{
		{name: "a slot is free", cookie: "a", digest: "1", created: true},
		{name: "none is", cookie: "b", digest: "1", err: store.ErrNoSlot},
		{name: "the same run again is not refused", cookie: "a", digest: "1"},
		{name: "another run under its cookie is a collision", cookie: "a", digest: "2", err: store.ErrCookieCollision},
	} {
		if created, err := submit(tt.cookie, tt.digest); created != tt.created || !errors.Is(err, tt.err) {
			t.Errorf("%s: Submit() = %v, %v, want %v, %v", tt.name, created, err, tt.created, tt.err)
		}
	}
	if _, err := w.Get(t.Context(), "b"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get() of a run that was refused = %v, want ErrNotFound", err)
	}
	if _, _, err := w.Cancel(t.Context(), w.now, "a", "", ""); err != nil {
		t.Fatal(err)
	}
	if created, err := submit("b", "1"); !created || err != nil {
		t.Errorf("Submit() once the slot is free = %v, %v", created, err)
	}
}

func TestCancelOlder(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		limit int
		want  []string // what the last submit does to others
	}{
		{"one slot", 1, []string{"later SCHEDULED>CANCELLED", "waits QUEUED>CANCELLED", "runs RUNNING>RUNNING"}},
		{"two slots", 2, []string{"waits QUEUED>CANCELLED", "runs RUNNING>RUNNING"}},
		{"room for all", 4, []string{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.register("w", 9)
			w.submit("runs", keyed(1, store.Wait))
			h := w.run("w")
			w.submit("waits", keyed(1, store.Wait))
			w.submit("later", keyed(1, store.Wait), func(n *store.NewRun) { n.NotBefore = t0.Add(time.Hour) })
			n := store.NewRun{Cookie: "new", Digest: "d", Pipeline: "p", Queue: "q", MaxAttempts: 1, Submitter: "ann"}
			keyed(tt.limit, store.CancelOlder)(&n)
			out, created, err := w.Submit(t.Context(), w.now, n)
			if err != nil || !created {
				t.Fatalf("Submit() = %v, %v", created, err)
			}
			wantDiff(t, "moves of others", moves(out.Moved), tt.want)
			told := len(w.poll("w", h).Cancels) == 1
			if want := tt.limit < 4; told != want {
				t.Errorf("the worker is told to cancel: %t, want %t", told, want)
			}
			if tt.limit > 1 {
				return
			}
			if got := w.get("runs"); got.CancelBy != "ann" || got.CancelReason != "superseded by run new" {
				t.Errorf("run is cancelled by %q for %q", got.CancelBy, got.CancelReason)
			}
			if !out.Blocked {
				t.Error("the new run has a slot before the old one has ended")
			}
			w.finish(store.Result{Cookie: "runs", Fence: 1, Worker: "w", RC: "CANCELLED"})
			wantDiff(t, "offers", cookies(held(w.poll("w").Offers)), []string{"new"})
		})
	}
}

// A run that is to be cancelled already is not one of those that are left.
func TestCancelOlderLeavesTheLive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 9)
	w.submit("stays", keyed(2, store.Wait))
	w.submit("goes", keyed(2, store.Wait))
	w.poll("w", held(w.poll("w").Offers)...)
	if _, _, err := w.Cancel(t.Context(), w.now, "goes", "", ""); err != nil {
		t.Fatal(err)
	}
	w.submit("new", keyed(2, store.CancelOlder))
	if r := w.get("stays"); !r.CancelAt.IsZero() {
		t.Errorf("run is cancelled, although only one other is live: %+v", r)
	}
}

// Many submit and many work at the same time, and never are more runs of a key
// leased than it has slots, nor is a run forgotten.
func TestSlotsUnderLoad(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const runs, limit = 60, 3
	var submits, work sync.WaitGroup
	for i := range runs {
		submits.Go(func() { w.submit(cookie(i), keyed(limit, store.Wait)) })
	}
	var mu sync.Mutex
	leased, done := 0, []string{}
	for i := range 4 {
		name := fmt.Sprint("w", i)
		w.register(name, 2)
		work.Go(func() {
			for !t.Failed() {
				mu.Lock()
				all := len(done) == runs
				mu.Unlock()
				if all {
					return
				}
				offers := w.poll(name).Offers
				mu.Lock()
				if leased += len(offers); leased > limit {
					t.Errorf("%d runs are leased, want at most %d", leased, limit)
				}
				mu.Unlock()
				for _, o := range offers {
					mu.Lock()
					leased-- // before the slot goes on to another
					done = append(done, o.Run.Cookie)
					mu.Unlock()
					w.finish(store.Result{Cookie: o.Run.Cookie, Fence: o.Run.Fence, Worker: name, RC: "OK"})
				}
			}
		})
	}
	submits.Wait()
	work.Wait()
	slices.Sort(done)
	if len(slices.Compact(done)) != runs {
		t.Errorf("%d different runs were done, want %d", len(slices.Compact(done)), runs)
	}
}
