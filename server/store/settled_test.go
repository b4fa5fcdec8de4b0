package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pullrun/pullrun/server/store"
)

// The attempt whose result ended a run has no row of its own. It is told of all
// the same, wherever attempts are.
func TestTheLastAttemptStandsInTheRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 1)
	w.submit("a")
	w.run("w")
	w.now = w.now.Add(time.Minute)
	w.sweep() // the worker has been silent
	lost := w.now
	w.register("w", 1)
	offers := w.poll("w").Offers
	w.now = w.now.Add(3 * time.Millisecond)
	res := store.Result{Cookie: "a", Fence: 2, Worker: "w", RC: "EXCEPTION", Error: strings.Repeat("e", 5000)}
	if got := w.finish(res); got != store.Accepted { // before a poll has named it
		t.Fatalf("Finish() = %v, want accepted", got)
	}
	w.reopen() // so that it is read again
	if got := w.finish(res); got != store.Duplicate {
		t.Errorf("Finish() once more = %v, want duplicate", got)
	}
	other := store.Result{Cookie: "a", Fence: 2, Worker: "w", RC: "OK"}
	if got := w.finish(other); got != store.Stale {
		t.Errorf("Finish(another) = %v, want stale", got)
	}
	attempts, late, err := w.History(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	wantDiff(t, "History()", attempts, []store.Attempt{
		{Number: 1, Fence: 1, Worker: "w", Session: "s", QueuedAt: t0, OfferedAt: t0, AcceptedAt: t0, EndedAt: lost, Outcome: store.Expired, Reason: "lease lost"},
		{
			Number: 2, Fence: 2, Worker: "w", Session: "s", QueuedAt: lost, OfferedAt: lost, AcceptedAt: lost, EndedAt: w.now,
			Outcome: store.Settled, RC: "EXCEPTION", Reason: res.Error[:4096],
		},
	})
	wantDiff(t, "History(), what was not accepted", late, []store.Late{{At: w.now, Worker: "w", Attempt: 2, Fence: 2, RC: "OK"}})
	if out := w.poll("w", held(offers)...); len(out.Lost) > 0 {
		t.Errorf("Poll() says that %v is lost, though its result was accepted", out.Lost)
	}
	if out := w.poll("w", store.Held{Cookie: "a", Fence: 1}); len(out.Lost) != 1 {
		t.Errorf("Poll() says that %v is lost, want the lease that was", out.Lost)
	}
}

// A run that ended otherwise has no attempt that was settled.
func TestNoAttemptIsSettledWithoutAResult(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 2)
	w.submit("offered")
	w.submit("running", func(n *store.NewRun) { n.MaxAttempts = 1 })
	w.poll("w", held(w.poll("w").Offers)[1])
	for _, cookie := range []string{"offered", "running"} {
		if _, _, err := w.Cancel(t.Context(), w.now, cookie, "me", ""); err != nil {
			t.Fatal(err)
		}
	}
	w.now = w.now.Add(time.Minute)
	w.sweep()
	for cookie, want := range map[string]int{"offered": 0, "running": 1} {
		w.wantState(cookie, store.Cancelled)
		attempts, _, err := w.History(t.Context(), cookie)
		if err != nil || len(attempts) != want || want > 0 && attempts[0].Outcome != store.Expired {
			t.Errorf("History(%s) = %+v, %v, want %d that expired", cookie, attempts, err, want)
		}
	}
}
