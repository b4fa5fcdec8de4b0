package store

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// TestTakenBackMoveIsForgotten has a run taken up in a batch that is taken back for
// another operation's sake. What is remembered of it must not stay.
func TestTakenBackMoveIsForgotten(t *testing.T) {
	t.Parallel()
	s, _ := openTest(t, Options{})
	ctx := t.Context()
	if _, err := s.Register(ctx, scriptStart, NewSession{Worker: "w", Session: "s", Capacity: 1, Queues: []string{"q"}, Lease: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Submit(ctx, scriptStart, newRun("a")); err != nil {
		t.Fatal(err)
	}
	out, err := s.Poll(ctx, scriptStart, PollIn{Worker: "w", Session: "s", Max: 1})
	if err != nil || len(out.Offers) != 1 {
		t.Fatalf("Poll() = %d offers, %v", len(out.Offers), err)
	}

	release := hold(t, s)
	boom := errors.New("boom")
	polled, failed := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := s.Poll(ctx, scriptStart, PollIn{Worker: "w", Session: "s", Holding: []Held{{Cookie: "a", Fence: 1}}})
		polled <- err
	}()
	waiting(s, 1)
	go func() {
		_, err := write(ctx, s.writer, scriptStart, func(t *tx) (int, error) {
			_, _, err := t.submit(newRun("bad"))
			return 0, errors.Join(err, boom)
		})
		failed <- err
	}()
	waiting(s, 2)
	release()
	if err := <-polled; err != nil {
		t.Errorf("Poll() = %v", err)
	}
	if err := <-failed; !errors.Is(err, boom) {
		t.Errorf("write() = %v, want boom", err)
	}

	if r, err := s.Get(ctx, "a"); err != nil || r.State != Running {
		t.Errorf("Get(a) = %v, %v, want RUNNING", r.State, err)
	}
	verdicts, _, err := s.Finish(ctx, scriptStart, []Result{{Cookie: "a", Fence: 1, Worker: "w", RC: "OK"}})
	if err != nil || len(verdicts) != 1 || verdicts[0] != Accepted {
		t.Errorf("Finish() = %v, %v, want accepted", verdicts, err)
	}
}

// TestRecall holds what is remembered against what there was to remember.
func TestRecall(t *testing.T) {
	t.Parallel()
	c := newRecall(false)
	r := Run{NewRun: NewRun{Cookie: "a", Variables: []byte("1")}, State: Scheduled, Stacktrace: "s", Result: []byte("1"), version: 2}
	c.left(&r, &Attempt{Fence: 1, Outcome: Settled})
	got := c.runs["a"]
	if got == nil || got.Variables != nil || got.Result != nil || got.Stacktrace != "" || got.version != 2 {
		t.Errorf("a run that is tried again is remembered as %+v", got)
	}
	if r.Variables == nil || r.Result == nil {
		t.Error("the caller's run has lost its payloads")
	}
	if c.settled["a"] != 1 {
		t.Errorf("settled is fence %d, want 1", c.settled["a"])
	}
	r.State = Succeeded
	c.left(&r, &Attempt{Fence: 3, Outcome: Settled})
	if c.runs["a"] != nil || c.settled["a"] != 3 {
		t.Errorf("a run that has ended is remembered as %+v, settled with fence %d; want only fence 3", c.runs["a"], c.settled["a"])
	}
	for i := range 2*maxRecall + 1 {
		live := Run{NewRun: NewRun{Cookie: fmt.Sprint("live-", i)}, State: Queued}
		c.left(&live, &Attempt{Fence: 1, Outcome: Settled})
	}
	if n, last := len(c.runs), c.runs[fmt.Sprint("live-", 2*maxRecall)]; n > maxRecall || last == nil {
		t.Errorf("%d runs are remembered, the last one %t; want at most %d with it", n, last != nil, maxRecall)
	}
	if n := len(c.settled); n > maxRecall {
		t.Errorf("%d settled leases are remembered, want at most %d", n, maxRecall)
	}
}
