package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pullrun/pullrun/server/store"
)

func TestOfferIsRepeatedUnderTheSameFence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 1)
	w.submit("a", func(n *store.NewRun) { n.Variables = []byte(`[1]`) })
	first := w.poll("w")
	w.now = w.now.Add(9 * time.Second)
	again := w.poll("w")
	if len(again.Offers) != 1 || again.Offers[0].Run.Fence != 1 || string(again.Offers[0].Run.Variables) != `[1]` || again.Free != 0 {
		t.Fatalf("Poll(nothing) = %+v, want the offer again", again)
	}
	wantDiff(t, "Poll(nothing).Moved", moves(again.Moved), []string{})
	w.now = w.now.Add(9 * time.Second)
	wantDiff(t, "Sweep().Moved", moves(w.sweep().Moved), []string{})
	w.poll("w", held(first.Offers)...)
	if r := w.wantState("a", store.Running); r.Attempts != 1 {
		t.Errorf("attempts = %d, want 1", r.Attempts)
	}
}

func TestOfferLapses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 1)
	w.register("v", 1)
	w.submit("a")
	w.poll("w")
	w.now = w.now.Add(10 * time.Second)
	out := w.sweep()
	wantDiff(t, "Sweep().Moved", moves(out.Moved), []string{"a OFFERED>QUEUED"})
	if out.Moved[0].Worker != "w" || out.Moved[0].Attempt != nil {
		t.Errorf("Sweep().Moved[0] = %+v, want worker w and no attempt", out.Moved[0])
	}
	if h := w.run("v"); h.Fence != 2 {
		t.Errorf("second offer has fence %d, want 2", h.Fence)
	}
	lost := w.poll("w", store.Held{Cookie: "a", Fence: 1}).Lost
	wantDiff(t, "Poll(a, 1).Lost", lost, []store.Held{{Cookie: "a", Fence: 1}})
}

func TestLostWorkerIsFenced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 1)
	w.submit("a")
	h := w.run("w")
	h.Span = "00f067aa0ba902b7"
	w.beat("w", h)
	w.now = w.now.Add(61 * time.Second)
	out := w.sweep()
	wantDiff(t, "Sweep().Moved", moves(out.Moved), []string{"a RUNNING>QUEUED"})
	wantDiff(t, "Sweep().Expired", out.Expired, []string{"w"})
	wantDiff(t, "Sweep().Moved[0].Attempt", out.Moved[0].Attempt, &store.Attempt{
		Number: 1, Fence: 1, Worker: "w", Session: "s", Span: h.Span, QueuedAt: t0, OfferedAt: t0, AcceptedAt: t0,
		EndedAt: w.now, Outcome: store.Expired, Reason: "lease lost",
	})
	if _, err := w.Poll(t.Context(), w.now, store.PollIn{Worker: "w", Session: "s"}); !errors.Is(err, store.ErrNoSession) {
		t.Errorf("Poll() after expiry = %v, want ErrNoSession", err)
	}

	w.register("v", 1)
	second := w.run("v")
	zombie := store.Result{Cookie: "a", Fence: 1, Worker: "w", RC: "OK", Result: []byte(`"zombie"`)}
	if got := w.finish(zombie); got != store.Stale {
		t.Errorf("Finish(zombie) = %v, want stale", got)
	}
	if got := w.finish(store.Result{Cookie: "a", Fence: second.Fence, Worker: "v", RC: "OK", Result: []byte(`"v"`)}); got != store.Accepted {
		t.Errorf("Finish(v) = %v, want accepted", got)
	}
	if r := w.wantState("a", store.Succeeded); string(r.Result) != `"v"` || r.Attempts != 2 {
		t.Errorf("run = %+v, want the result of v on attempt 2", r)
	}
	attempts, late, err := w.History(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	wantDiff(t, "History()", late, []store.Late{{At: w.now, Worker: "w", Attempt: 1, Fence: 1, RC: "OK", Result: []byte(`"zombie"`), Size: 8}})
	if len(attempts) != 2 || attempts[1].Number != 2 || attempts[1].Outcome != store.Settled || attempts[1].RC != "OK" {
		t.Errorf("History() = %+v, want expired and settled", attempts)
	}
}

func TestLastAttemptEndsDead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.submit("a", func(n *store.NewRun) { n.MaxAttempts = 1 })
	w.register("w", 1)
	w.run("w")
	w.now = w.now.Add(time.Minute)
	wantDiff(t, "Sweep().Moved", moves(w.sweep().Moved), []string{"a RUNNING>DEAD"})
	if r := w.get("a"); r.RC != "WORKER_WENT_AWAY" || r.Error != `worker "w" lost its lease on attempt 1 of 1` || r.Worker != "w" {
		t.Errorf("run = %q, %q, worker %q", r.RC, r.Error, r.Worker)
	}
}

func TestPollRenewsTheLease(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 1)
	for range 10 {
		w.now = w.now.Add(59 * time.Second)
		w.poll("w")
		if out := w.sweep(); len(out.Expired) != 0 || !out.NextDue.Equal(w.now.Add(time.Minute)) {
			t.Fatalf("Sweep() = %+v, want the lease to end in a minute", out)
		}
	}
}

func TestNewSessionAdoptsWhatItHolds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 4)
	for _, cookie := range []string{"running", "offered", "forgotten", "unseen"} {
		w.submit(cookie)
	}
	offers := w.poll("w").Offers
	w.poll("w", held(offers)[0], held(offers)[2])
	w.now = w.now.Add(time.Second)
	holding := append(held(offers)[:2], store.Held{Cookie: "strange", Fence: 4})
	out := w.register("w", 4, func(n *store.NewSession) { n.Session, n.Holding = "s2", holding })
	if out.Superseded != "s" {
		t.Errorf("Superseded = %q, want s", out.Superseded)
	}
	wantDiff(t, "Adopted", out.Adopted, holding[:2])
	wantDiff(t, "Lost", out.Lost, holding[2:])
	wantDiff(t, "Moved", moves(out.Moved), []string{"offered OFFERED>RUNNING", "forgotten RUNNING>QUEUED", "unseen OFFERED>QUEUED"})

	_, err := w.Poll(t.Context(), w.now, store.PollIn{Worker: "w", Session: "s"})
	if !errors.Is(err, store.ErrSuperseded) {
		t.Errorf("Poll(old session) = %v, want ErrSuperseded", err)
	}
	if got := w.finish(store.Result{Cookie: "running", Fence: 1, Worker: "w", RC: "OK"}); got != store.Accepted {
		t.Errorf("Finish(adopted) = %v, want accepted", got)
	}
	if r := w.get("offered"); r.Session != "s2" || r.Fence != 1 {
		t.Errorf("adopted run has session %q and fence %d, want s2 and 1", r.Session, r.Fence)
	}

	again := w.register("w", 4, func(n *store.NewSession) { n.Session, n.Holding = "s2", holding[1:2] })
	if again.Superseded != "" || len(again.Adopted) != 1 || len(again.Moved) != 0 {
		t.Errorf("Register() repeated = %+v, want nothing new", again)
	}
}

// What the network delivers late supersedes nothing that came after it.
func TestLateRegistration(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		now, late string
		refused   bool
	}{
		{"p.2", "p.1", true},
		{"p.10", "p.9", true},
		{"p.2", "p.2", false},
		{"p.2", "p.3", false},
		{"p.2", "q.1", false}, // a new process
		{"p.2", "q", false},
		{"p.x", "p.1", false},
		{"p", "p.1", false},
	} {
		w := newWorld(t)
		w.register("w", 1, func(n *store.NewSession) { n.Session = tt.now })
		_, err := w.Register(t.Context(), w.now, store.NewSession{Worker: "w", Session: tt.late, Capacity: 1, Lease: time.Minute})
		if errors.Is(err, store.ErrSuperseded) != tt.refused || err != nil && !tt.refused {
			t.Errorf("Register(%s) while there is %s = %v, want it refused: %t", tt.late, tt.now, err, tt.refused)
		}
	}
}

func TestLeaveHandsOffersBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 2)
	w.submit("a")
	h := w.run("w")
	w.submit("b")
	w.poll("w", h)
	leave := func() []string {
		moved, err := w.Leave(t.Context(), w.now, "w", "s")
		if err != nil {
			t.Fatalf("Leave() = %v", err)
		}
		return moves(moved)
	}
	wantDiff(t, "Leave()", leave(), []string{"b OFFERED>QUEUED"})
	if out := w.poll("w", h); len(out.Offers) != 0 {
		t.Errorf("Poll() after Leave = %+v, want no offers", out)
	}
	if workers, err := w.Workers(t.Context(), w.now); err != nil || len(workers) != 1 || workers[0].DrainingAt.IsZero() || workers[0].Leased != 1 {
		t.Errorf("Workers() = %+v, %v, want one that drains with one run", workers, err)
	}
	w.finish(store.Result{Cookie: "a", Fence: 1, Worker: "w", Release: true, Reason: "interrupted"})
	if r := w.wantState("a", store.Queued); r.Attempts != 0 {
		t.Errorf("attempts = %d after the release, want 0", r.Attempts)
	}
	wantDiff(t, "Leave() again", leave(), []string{})
	if _, err := w.Leave(t.Context(), w.now, "w", "s"); !errors.Is(err, store.ErrNoSession) {
		t.Errorf("Leave() at last = %v, want ErrNoSession", err)
	}
}

func TestDrainingPollHandsOffersBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 2)
	w.submit("a")
	w.poll("w")
	out, err := w.Poll(t.Context(), w.now, store.PollIn{Worker: "w", Session: "s", Draining: true, Max: 9})
	if err != nil || len(out.Offers) != 0 || out.Free != 2 {
		t.Errorf("Poll(draining) = %+v, %v, want no offers and two free slots", out, err)
	}
	wantDiff(t, "Moved", moves(out.Moved), []string{"a OFFERED>QUEUED"})
}

func TestShutdownIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 2)
	w.submit("a")
	if err := w.Shutdown(t.Context(), w.now, "w", "ann"); err != nil {
		t.Fatalf("Shutdown() = %v", err)
	}
	if out := w.poll("w"); !out.Shutdown || len(out.Offers) != 0 {
		t.Errorf("Poll() = %+v, want shutdown and no offers", out)
	}
	if out := w.beat("w"); !out.Shutdown {
		t.Errorf("Heartbeat() = %+v, want shutdown", out)
	}
	w.register("w", 2) // the same process
	if out := w.poll("w"); !out.Shutdown || len(out.Offers) != 0 {
		t.Errorf("Poll() after another registration = %+v, want shutdown and no offers", out)
	}
	w.register("w", 2, func(n *store.NewSession) { n.Session = "another" })
	w.register("w", 2)
	if out := w.poll("w"); out.Shutdown || len(out.Offers) != 1 {
		t.Errorf("Poll() of a new process = %+v, want an offer", out)
	}
	if err := w.Shutdown(t.Context(), w.now, "nobody", "ann"); !errors.Is(err, store.ErrNoSession) {
		t.Errorf("Shutdown(nobody) = %v, want ErrNoSession", err)
	}
}

func TestHeartbeatTakesWhatIsNotNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 2)
	w.submit("a")
	h := w.run("w")
	w.now = w.now.Add(10 * time.Second)
	wantDiff(t, "Heartbeat() at 10s", moves(w.beat("w").Moved), []string{})
	w.now = w.now.Add(time.Millisecond)
	wantDiff(t, "Heartbeat(a)", moves(w.beat("w", h).Moved), []string{})
	wantDiff(t, "Heartbeat()", moves(w.beat("w").Moved), []string{"a RUNNING>QUEUED"})
}

func TestHeartbeatAcceptsAndClaims(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 2)
	w.submit("a", func(n *store.NewRun) { n.Delivery = store.AtMostOnce })
	h := held(w.poll("w").Offers)[0]
	h.Claim = true
	out := w.beat("w", h)
	wantDiff(t, "Claimed", out.Claimed, []store.Held{h})
	wantDiff(t, "Moved", moves(out.Moved), []string{"a OFFERED>RUNNING"})
	wantDiff(t, "Claimed again", w.beat("w", h).Claimed, []store.Held{h})
	if r := w.get("a"); !r.ClaimedAt.Equal(w.now) {
		t.Errorf("claimed at %v, want %v", r.ClaimedAt, w.now)
	}
	w.now = w.now.Add(time.Hour)
	wantDiff(t, "Sweep()", moves(w.sweep().Moved), []string{"a RUNNING>DEAD"})
	w.register("w", 2)
	if out := w.beat("w", h); len(out.Claimed) != 0 || len(out.Lost) != 1 {
		t.Errorf("Heartbeat(lost) = %+v, want it lost and not claimed", out)
	}
}

// A parked poll was sent before the result, and its list still has the run.
func TestFinishedRunIsNotLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 2)
	w.submit("a")
	h := w.run("w")
	w.finish(store.Result{Cookie: "a", Fence: 1, Worker: "w", RC: "OK"})
	if out := w.poll("w", h); len(out.Lost) != 0 || out.Free != 2 {
		t.Errorf("Poll(finished) = %+v, want nothing lost", out)
	}
	h.Fence = 2
	if out := w.poll("w", h); len(out.Lost) != 1 {
		t.Errorf("Poll(strange fence) = %+v, want it lost", out)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 1)
	w.submit("running")
	h := w.run("w")
	w.submit("queued")
	cancel := func(cookie string) (store.Run, []string) {
		r, moved, err := w.Cancel(t.Context(), w.now, cookie, "ann", "enough")
		if err != nil {
			t.Fatalf("Cancel(%q) = %v", cookie, err)
		}
		return r, moves(moved)
	}
	r, moved := cancel("queued")
	wantDiff(t, "Cancel(queued)", moved, []string{"queued QUEUED>CANCELLED"})
	if r.State != store.Cancelled || w.get("queued").Error != `cancelled by "ann": enough` {
		t.Errorf("Cancel(queued) = %+v", r)
	}
	_, moved = cancel("queued")
	wantDiff(t, "Cancel(queued) again", moved, []string{})

	r, moved = cancel("running")
	wantDiff(t, "Cancel(running)", moved, []string{"running RUNNING>RUNNING"})
	if r.State != store.Running || !r.CancelAt.Equal(w.now) {
		t.Errorf("Cancel(running) = %+v, want it asked for", r)
	}
	told := []store.Cancel{{Cookie: "running", Fence: 1, Reason: `cancelled by "ann": enough`}}
	wantDiff(t, "Poll(running).Cancels", w.poll("w", h).Cancels, told)
	wantDiff(t, "Heartbeat(running).Cancels", w.beat("w", h).Cancels, told)
	h.Cancelling = true
	if out := w.poll("w", h); len(out.Cancels) != 0 {
		t.Errorf("Poll(cancelling) = %+v, want no reminder", out)
	}
	w.now = w.now.Add(30 * time.Second)
	wantDiff(t, "Sweep()", moves(w.sweep().Moved), []string{"running RUNNING>CANCELLED"})
	if got := w.finish(store.Result{Cookie: "running", Fence: 1, Worker: "w", RC: "OK"}); got != store.Stale {
		t.Errorf("Finish(overdue) = %v, want stale", got)
	}
	wantDiff(t, "Poll(overdue).Lost", w.poll("w", h).Lost, []store.Held{h})
	if _, _, err := w.Cancel(t.Context(), w.now, "none", "", ""); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Cancel(none) = %v, want ErrNotFound", err)
	}
}

func TestResultOfAnotherWorkerIsStale(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 1)
	w.submit("a")
	w.run("w")
	if got := w.finish(store.Result{Cookie: "a", Fence: 1, Worker: "v", RC: "OK"}); got != store.Stale {
		t.Errorf("Finish(v) = %v, want stale", got)
	}
	if got := w.finish(store.Result{Cookie: "none", Fence: 1, Worker: "v", RC: "OK"}); got != store.Unknown {
		t.Errorf("Finish(none) = %v, want unknown", got)
	}
	w.wantState("a", store.Running)
	release := store.Result{Cookie: "a", Fence: 1, Worker: "w", Release: true}
	for _, want := range []store.Verdict{store.Accepted, store.Duplicate} {
		if got := w.finish(release); got != want {
			t.Errorf("Finish(release) = %v, want %v", got, want)
		}
	}
	long := strings.Repeat("x", 1<<20)
	for n := range 40 {
		result := long[:64<<10-1+n]
		w.finish(store.Result{Cookie: "a", Fence: 1, Worker: "v", RC: "OK", Error: long, Stacktrace: long, Result: []byte(result)})
	}
	if _, late, err := w.History(t.Context(), "a"); err != nil || len(late) != 16 {
		t.Errorf("History() has %d, %v, want the first 16", len(late), err)
	} else {
		for n, size := range []int{64<<10 - 1, 64 << 10, 0} {
			l := late[n+1] // the first is older
			if len(l.Result) != size || l.Size != 64<<10-1+n || len(l.Error) != 4096 || len(l.Stacktrace) != 4096 {
				t.Errorf("of a result of %d bytes %d are kept, want %d; of error and stacktrace %d and %d, want 4096", l.Size, len(l.Result), size, len(l.Error), len(l.Stacktrace))
			}
		}
	}
}

// TestRepeatOfAFailureThatWasToBeTriedAgain holds that a result whose answer was
// lost is known again, whatever has become of the run since.
func TestRepeatOfAFailureThatWasToBeTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 1)
	w.submit("a", func(n *store.NewRun) { n.Retry = store.Retry{Max: 1, On: []string{"EXCEPTION"}} })
	h := w.run("w")
	res := store.Result{Cookie: "a", Fence: h.Fence, Worker: "w", RC: "EXCEPTION", Error: "boom"}
	other := res
	other.Error = "bang"
	check := func(when string, want ...store.Verdict) {
		t.Helper()
		for i, r := range []store.Result{res, other} {
			if got := w.finish(r); got != want[i] {
				t.Errorf("%s: Finish(%s) = %v, want %v", when, r.Error, got, want[i])
			}
		}
	}
	check("while the run has the lease", store.Accepted, store.Stale)
	check("while it waits", store.Duplicate, store.Stale)
	if _, _, err := w.Cancel(t.Context(), w.now, "a", "", ""); err != nil {
		t.Fatal(err)
	}
	w.wantState("a", store.Cancelled)
	check("after it was cancelled", store.Duplicate, store.Stale)
}
