package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// batch has submits committed together, and returns what each was told.
func batch(t *testing.T, s *Store, runs []NewRun) (created []bool, errs []error) {
	t.Helper()
	created, errs = make([]bool, len(runs)), make([]error, len(runs))
	release := hold(t, s)
	var wg sync.WaitGroup
	for i, n := range runs {
		wg.Go(func() { _, created[i], errs[i] = s.Submit(context.Background(), scriptStart, n) })
		waiting(s, i+1)
	}
	release()
	wg.Wait()
	return created, errs
}

// Submits whose rows are written ahead are answered as those that are written in
// turn: the first of a cookie makes the run, the same again is the same run, and
// another fails alone.
func TestSubmitsOfOneBatch(t *testing.T) {
	t.Parallel()
	s, _ := openTest(t, Options{})
	if _, _, err := s.Submit(t.Context(), scriptStart, newRun("before")); err != nil { // and the route is known
		t.Fatal(err)
	}
	other := newRun("a")
	other.Digest = "other"
	tagged := newRun("b")
	tagged.Tags = map[string]string{"k": "v"}
	created, errs := batch(t, s, []NewRun{newRun("a"), newRun("a"), newRun("before"), other, tagged})
	for i, want := range []struct {
		created bool
		err     error
	}{{created: true}, {}, {}, {err: ErrCookieCollision}, {created: true}} {
		if created[i] != want.created || !errors.Is(errs[i], want.err) {
			t.Errorf("submit %d = %v, %v, want %v, %v", i, created[i], errs[i], want.created, want.err)
		}
	}
	if r, err := s.Get(t.Context(), "b"); err != nil || string(r.Variables) != "{}" || r.Tags["k"] != "v" {
		t.Errorf("Get(b) = %+v, %v, want it with variables and tags", r, err)
	}
	if runs, _, err := s.List(t.Context(), Filter{Tags: map[string]string{"k": "v"}}, 0, 9); err != nil || len(runs) != 1 {
		t.Errorf("List(k=v) = %v, %v, want b", runs, err)
	}
}

// A queue's bound holds within a batch, and a repeat takes no place.
func TestBoundOfOneBatch(t *testing.T) {
	t.Parallel()
	s, _ := openTest(t, Options{MaxQueued: 4})
	if _, _, err := s.Submit(t.Context(), scriptStart, newRun("0")); err != nil {
		t.Fatal(err)
	}
	var runs []NewRun
	for i := range 8 {
		runs = append(runs, newRun(fmt.Sprint(i/2))) // 0 0 1 1 2 2 3 3
	}
	created, errs := batch(t, s, append(runs, newRun("4"), newRun("3")))
	made := 0
	for i, err := range errs {
		if full := i == 8; errors.Is(err, ErrQueueFull) != full || !full && err != nil {
			t.Errorf("submit %d = %v", i, err)
		}
		if created[i] {
			made++
		}
	}
	if made != 3 {
		t.Errorf("%d runs were made, want 3", made)
	}
}

// A poll between the submits that it is committed with may be given the run of the
// second as well, and then all of it.
func TestPollAmongSubmitsOfOneBatch(t *testing.T) {
	t.Parallel()
	s, _ := openTest(t, Options{})
	if _, _, err := s.Submit(t.Context(), scriptStart, newRun("0")); err != nil { // and the route is known
		t.Fatal(err)
	}
	if _, err := s.Register(t.Context(), scriptStart, NewSession{Worker: "w", Session: "s", Capacity: 9, Queues: []string{"q"}, Lease: time.Minute}); err != nil {
		t.Fatal(err)
	}
	poll := func() PollOut {
		out, err := s.Poll(context.Background(), scriptStart, PollIn{Worker: "w", Session: "s", Max: 9, Holding: []Held{{Cookie: "0", Fence: 1}}})
		if err != nil {
			t.Errorf("Poll() = %v", err)
		}
		return out
	}
	if got := poll().Offers; len(got) != 1 {
		t.Fatalf("the first poll has %d offers, want run 0", len(got))
	}
	var got PollOut
	release := hold(t, s)
	var wg sync.WaitGroup
	for i, call := range []func(){
		func() { submitInBatch(t, s, "a") }, func() { got = poll() }, func() { submitInBatch(t, s, "b") },
	} {
		wg.Go(call)
		waiting(s, i+1)
	}
	release()
	wg.Wait()
	offers := append(got.Offers, poll().Offers...)
	if len(offers) < 2 {
		t.Errorf("%d offers in all, want the two runs", len(offers))
	}
	for _, o := range offers {
		if string(o.Run.Variables) != "{}" {
			t.Errorf("offer of %q has variables %q, want {}", o.Run.Cookie, o.Run.Variables)
		}
	}
}

func submitInBatch(t *testing.T, s *Store, cookie string) {
	if _, _, err := s.Submit(context.Background(), scriptStart, newRun(cookie)); err != nil {
		t.Errorf("Submit(%s) = %v", cookie, err)
	}
}

// A route that may be purged is noted to be in use before a run has it.
func TestEarlySubmitKeepsItsRoute(t *testing.T) {
	t.Parallel()
	s, _ := openTest(t, Options{})
	if _, _, err := s.Submit(t.Context(), scriptStart, newRun("0")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Cancel(t.Context(), scriptStart, "0", "", ""); err != nil {
		t.Fatal(err)
	}
	later := scriptStart.Add(48 * time.Hour)
	outdated, err := s.Outdated(t.Context(), later, Retention{Runs: map[State]Keep{Cancelled: {Age: time.Hour}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Purge(t.Context(), later, outdated, 9); err != nil {
		t.Fatal(err)
	}
	if outdated, err = s.Outdated(t.Context(), later, Retention{}); err != nil || len(outdated.routes) != 1 {
		t.Fatalf("Outdated() = %+v, %v, want the route", outdated, err)
	}
	release := hold(t, s)
	var wg sync.WaitGroup
	for i, cookie := range []string{"a", "b"} {
		wg.Go(func() {
			if _, _, err := s.Submit(context.Background(), later, newRun(cookie)); err != nil {
				t.Errorf("Submit() = %v", err)
			}
		})
		waiting(s, i+1)
	}
	release()
	wg.Wait()
	if _, err := s.Purge(t.Context(), later, outdated, 9); err != nil {
		t.Fatal(err)
	}
	for _, cookie := range []string{"a", "b"} {
		if r, err := s.Get(t.Context(), cookie); err != nil || r.Queue != "q" {
			t.Errorf("Get(%s) = %+v, %v, want the run with its queue", cookie, r, err)
		}
	}
}

// A submit whose row was written ahead in vain, since its cookie named a run, makes
// the run if that one is purged in the same batch.
func TestEarlySubmitOfACookieThatIsPurged(t *testing.T) {
	t.Parallel()
	s, _ := openTest(t, Options{MaxQueued: 2})
	if _, _, err := s.Submit(t.Context(), scriptStart, newRun("a")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Cancel(t.Context(), scriptStart, "a", "", ""); err != nil {
		t.Fatal(err)
	}
	later := scriptStart.Add(48 * time.Hour)
	if _, _, err := s.Submit(t.Context(), later, newRun("b")); err != nil { // and the route is known
		t.Fatal(err)
	}
	outdated, err := s.Outdated(t.Context(), later, Retention{Runs: map[State]Keep{Cancelled: {Age: time.Hour}}})
	if err != nil {
		t.Fatal(err)
	}
	release := hold(t, s)
	var wg sync.WaitGroup
	for i, call := range []func(){
		func() {
			if out, err := s.Purge(context.Background(), later, outdated, 9); err != nil || out.Runs != 1 {
				t.Errorf("Purge() = %+v, %v, want the run deleted", out, err)
			}
		},
		func() {
			if r, created, err := s.Submit(context.Background(), later, newRun("a")); err != nil || !created || r.Cookie != "a" {
				t.Errorf("Submit() = %q, %v, %v, want a new run", r.Cookie, created, err)
			}
		},
	} {
		wg.Go(call)
		waiting(s, i+1)
	}
	release()
	wg.Wait()
	if r, err := s.Get(t.Context(), "a"); err != nil || r.State != Queued || string(r.Variables) != "{}" {
		t.Errorf("Get() = %+v, %v, want the new run", r, err)
	}
	if _, _, err := s.Submit(t.Context(), later, newRun("c")); !errors.Is(err, ErrQueueFull) {
		t.Errorf("Submit() = %v, want %v", err, ErrQueueFull)
	}
}
