package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/pullrun/pullrun/server/store/storetest"
)

// told is what became of the calls of a client and a worker.
type told struct {
	submitted map[string]error
	finished  map[string]error
	cancelled map[string]error
	claimed   bool // run "once"
}

// checkpoint has the log moved into the database file after the next commit.
func checkpoint(ctx context.Context, s *Store) error {
	_, err := write(ctx, s.writer, scriptStart, func(*tx) (int, error) {
		if d, ok := s.dialect.(*sqlite); ok {
			d.walPages = checkpointPages
		}
		return 0, nil
	})
	return err
}

// use does everything that a store can do, and has the log moved into the database
// in the middle, as a long life would.
func use(ctx context.Context, s *Store, now time.Time) told {
	out := told{submitted: map[string]error{}, finished: map[string]error{}, cancelled: map[string]error{}}
	_, regErr := s.Register(ctx, now, NewSession{Worker: "w", Session: "s", Capacity: 9, Queues: []string{"q"}, Lease: time.Minute})
	for i := range 2 {
		cookie := fmt.Sprint("run-", i)
		_, _, out.submitted[cookie] = s.Submit(ctx, now, newRun(cookie))
		if i == 0 {
			_ = checkpoint(ctx, s) // the next write tells if it failed
		}
		polled, err := s.Poll(ctx, now, PollIn{Worker: "w", Session: "s", Max: 9})
		if err != nil || regErr != nil {
			continue
		}
		for _, o := range polled.Offers {
			res := Result{Cookie: o.Run.Cookie, Fence: o.Run.Fence, Worker: "w", RC: "OK", Result: []byte(o.Run.Cookie)}
			_, _, out.finished[o.Run.Cookie] = s.Finish(ctx, now, []Result{res})
		}
	}
	out.rest(ctx, s, now)
	return out
}

// rest does everything else that a store can do. Only what callers rely on is
// noted; the other calls may fail unseen.
func (out *told) rest(ctx context.Context, s *Store, now time.Time) {
	submit := func(at time.Time, cookie string, edit func(*NewRun)) {
		n := newRun(cookie)
		edit(&n)
		_, _, out.submitted[cookie] = s.Submit(ctx, at, n)
	}
	poll := func(session string, max int, holding ...Held) {
		_, _ = s.Poll(ctx, now, PollIn{Worker: "w", Session: session, Holding: holding, Max: max})
	}
	once := Held{Cookie: "once", Fence: 1}
	claim := Held{Cookie: "once", Fence: 1, Claim: true}

	oneOfKey := func(n *NewRun) { n.Queue, n.Concurrency = "other", Concurrency{Key: "k", Limit: 1} }
	submit(now, "queued", oneOfKey)
	submit(now, "blocked", oneOfKey) // until that is cancelled
	_, _, out.cancelled["queued"] = s.Cancel(ctx, now, "queued", "", "")

	_, _, out.submitted[RequeuedCookie("queued")] = s.Requeue(ctx, now, "queued", "", Trace{})

	submit(now, "once", func(n *NewRun) { n.Delivery = AtMostOnce })
	poll("s", 9)
	poll("s", 0) // which offers it again
	poll("s", 0, once)
	beat, err := s.Heartbeat(ctx, now, PollIn{Worker: "w", Session: "s", Holding: []Held{claim}})
	out.claimed = err == nil && len(beat.Claimed) == 1
	_, _ = s.AppendEvents(ctx, now, "w", []Event{{Cookie: "once", Fence: 1, No: 1}})
	_ = s.Advance(ctx, now, "w", []Event{{Cookie: "once", Fence: 1, No: 1}})
	_, _ = s.Register(ctx, now, NewSession{
		Worker: "w", Session: "s2", Capacity: 9, Queues: []string{"q"}, Lease: time.Minute, Holding: []Held{once},
	})
	_, _, out.cancelled["once"] = s.Cancel(ctx, now, "once", "", "")
	stopping := Held{Cookie: "once", Fence: 1, Cancelling: true}
	poll("s2", 0, once) // which tells it
	poll("s2", 0, stopping)

	submit(now, "back", func(*NewRun) {})
	poll("s2", 9, stopping)
	_, _, _ = s.Finish(ctx, now, []Result{{Cookie: "back", Fence: 1, Worker: "w", Release: true}})
	submit(now, "later", func(n *NewRun) { n.NotBefore = now.Add(time.Second) })
	submit(now, "lost", func(n *NewRun) { n.MaxAttempts = 9 })
	lost := Held{Cookie: "lost", Fence: 1}
	poll("s2", 9, stopping)
	poll("s2", 0, stopping, lost)
	_ = s.Resume(ctx, now)
	_ = s.Shutdown(ctx, now, "w", "ann")
	_, _ = s.Leave(ctx, now, "w", "s2")
	_, _ = s.Sweep(ctx, now.Add(time.Hour)) // "later" is due, and the leases are over
	_, _ = s.Register(ctx, now.Add(time.Hour), NewSession{
		Worker: "w", Session: "s3", Capacity: 9, Queues: []string{"q"}, Lease: time.Minute, Holding: []Held{lost},
	})

	_ = s.CreateToken(ctx, now, Token{ID: "e", Digest: "e", Kind: TokenEnrolment, ExpiresAt: now.Add(time.Hour)})
	_, _ = s.Enrol(ctx, now, "e", "w", NewCredential{ID: "a", Digest: "a", ExpiresAt: now.Add(time.Hour)})
	_, _ = s.Rotate(ctx, now, "a", NewCredential{ID: "b", Digest: "b", ExpiresAt: now.Add(time.Hour)}, time.Minute)
	_ = s.TouchToken(ctx, now, "b")
	_, _ = s.RevokeToken(ctx, now, "b", "ann")

	before := now.Add(-24 * time.Hour)
	submit(before, "old", func(n *NewRun) { n.Queue = "other" })
	_, _, _ = s.Cancel(ctx, before, "old", "", "")
	if outdated, err := s.Outdated(ctx, before.Add(time.Second), Retention{Runs: map[State]Keep{Succeeded: {Age: time.Millisecond}}}); err == nil {
		_, _ = s.Purge(ctx, before.Add(time.Second), outdated, 9)
	}
	delete(out.submitted, "old")
}

// TestUseDoesEverything holds that no kind of operation is left out of what is
// made to fail below.
func TestUseDoesEverything(t *testing.T) {
	t.Parallel()
	missing := map[string]bool{}
	for _, name := range append(slices.Clone(kindNames[:]),
		"submit", "requeue", "poll", "heartbeat", "finish", "cancel", "register", "leave", "shutdown", "events", "progress", "sweep", "resume", "purge", "token", "enrol", "rotate") {
		missing[name+".before"], missing[name+".after"] = true, true
	}
	s, _ := openFile(t, Options{Probe: func(point string) { delete(missing, point) }})
	use(t.Context(), s, scriptStart)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if len(missing) > 0 {
		t.Errorf("not passed: %v", slices.Sorted(maps.Keys(missing)))
	}
}

// TestEveryFailedWrite fails each write and sync in turn: those that create the
// file, and then, on a file that is there, those of everything a store can do.
// Whatever was acknowledged is there afterwards, whatever was refused for certain
// is not, and nothing is written or synced after the failure.
func TestEveryFailedWrite(t *testing.T) {
	t.Parallel()
	storetest.Only(t, storetest.SQLite)
	const shares = 4
	for _, tt := range []struct {
		name string
		file string // "" is none yet
		use  func(context.Context, *Store, time.Time) told
		many int // that can fail at least
	}{
		{"creation", "", func(context.Context, *Store, time.Time) told { return told{} }, 20},
		{"use", filled(t, 0), use, 100},
	} {
		for share := range shares {
			t.Run(fmt.Sprint(tt.name, " ", share), func(t *testing.T) {
				t.Parallel()
				n := 1 + share
				for failWrite(t, tt.file, n, tt.use) {
					n += shares
				}
				if n < tt.many {
					t.Errorf("no more than %d operations could fail", n)
				}
			})
		}
	}
}

// failWrite fails the n-th operation on a copy of the file, and reports whether
// there was one.
func failWrite(t *testing.T, file string, n int, use func(context.Context, *Store, time.Time) told) bool {
	t.Helper()
	name := fmt.Sprint(filepath.Base(t.Name()), "-", n)
	d := newDisk(t, name)
	d.failAt, d.err = n, syscall.EIO
	path := filepath.Join(t.TempDir(), "runs.db")
	if file != "" {
		copyFile(t, file, path)
	}
	s, err := Open(t.Context(), "sqlite://"+path, Options{Log: slog.New(slog.DiscardHandler), vfs: name})
	var said told
	if err == nil {
		said = use(t.Context(), s, scriptStart)
		failed, _ := d.failed()
		if (s.Err() != nil) != failed {
			t.Errorf("failure %d: happened is %v, Err() = %v", n, failed, s.Err())
		}
		_ = s.Close() // may fail as well
	}
	failed, after := d.failed()
	if failed {
		if err == nil && s.Err() != nil && after > 0 {
			t.Errorf("failure %d: %d operations came after it", n, after)
		}
		verify(t, n, path, said)
	}
	return failed
}

// verify opens the database again, on a sound disk.
func verify(t *testing.T, n int, path string, said told) {
	t.Helper()
	s, err := Open(t.Context(), "sqlite://"+path, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Errorf("failure %d: Open() afterwards = %v", n, err)
		return
	}
	defer s.Close()
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("failure %d: Check() = %v", n, err)
	}
	for cookie, told := range said.submitted {
		_, err := s.Get(t.Context(), cookie)
		switch {
		case told == nil && err != nil:
			t.Errorf("failure %d: submit of %s was acknowledged, Get() = %v", n, cookie, err)
		case errors.Is(told, ErrFailed) && !errors.Is(err, ErrNotFound):
			t.Errorf("failure %d: submit of %s was refused, Get() = %v", n, cookie, err)
		case told != nil && !errors.Is(told, ErrFailed) && !errors.Is(told, ErrUnknown):
			t.Errorf("failure %d: Submit(%s) = %v, want ErrFailed or ErrUnknown", n, cookie, told)
		}
	}
	for cookie, told := range said.cancelled {
		r, err := s.Get(t.Context(), cookie)
		if told == nil && (err != nil || r.CancelAt.IsZero() || r.State == Queued) {
			t.Errorf("failure %d: cancellation of %s was acknowledged, Get() = %v, cancelled at %v, %v", n, cookie, r.State, r.CancelAt, err)
		}
	}
	if said.claimed {
		if r, err := s.Get(t.Context(), "once"); err != nil || r.ClaimedAt.IsZero() {
			t.Errorf("failure %d: a claim was acknowledged, Get() = %v, claimed at %v, %v", n, r.State, r.ClaimedAt, err)
		}
	}
	for cookie, told := range said.finished {
		r, err := s.Get(t.Context(), cookie)
		if told == nil && (err != nil || r.State != Succeeded || string(r.Result) != cookie) {
			t.Errorf("failure %d: result of %s was acknowledged, Get() = %v with %q, %v", n, cookie, r.State, r.Result, err)
		}
	}
}

// TestFailureIsTold holds what a server goes by.
func TestFailureIsTold(t *testing.T) {
	t.Parallel()
	d := newDisk(t, "told")
	s, _ := openFile(t, Options{vfs: "told"})
	if _, _, err := s.Submit(t.Context(), scriptStart, newRun("before")); err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	d.failAt, d.err = d.ops+1, syscall.EIO
	d.mu.Unlock()
	if _, _, err := s.Submit(t.Context(), scriptStart, newRun("a")); !errors.Is(err, ErrUnknown) || !errors.Is(err, sqlite3.IOERR) {
		t.Errorf("Submit() = %v, want ErrUnknown with the cause", err)
	}
	<-s.Failed()
	if !errors.Is(s.Err(), sqlite3.IOERR) {
		t.Errorf("Err() = %v, want the cause", s.Err())
	}
	if _, _, err := s.Submit(t.Context(), scriptStart, newRun("b")); !errors.Is(err, ErrFailed) {
		t.Errorf("Submit() later = %v, want ErrFailed", err)
	}
	if _, err := s.Get(t.Context(), "before"); err != nil {
		t.Errorf("Get() = %v, want reads to go on", err)
	}
}

func TestFullDiskRecovers(t *testing.T) {
	t.Parallel()
	d := newDisk(t, "full")
	s, path := openFile(t, Options{vfs: "full"})
	if _, _, err := s.Submit(t.Context(), scriptStart, newRun("before")); err != nil {
		t.Fatal(err)
	}
	d.setFull(true)
	var wg sync.WaitGroup
	for i := range 5 {
		wg.Go(func() {
			if _, _, err := s.Submit(t.Context(), scriptStart, newRun(fmt.Sprint("full-", i))); !errors.Is(err, ErrFull) {
				t.Errorf("Submit() = %v, want ErrFull", err)
			}
		})
	}
	wg.Wait()
	if err := checkpoint(t.Context(), s); err != nil { // one more thing that finds no room
		t.Errorf("an operation that writes nothing = %v", err)
	}
	if _, _, err := s.Submit(t.Context(), scriptStart, newRun("full")); !errors.Is(err, ErrFull) {
		t.Errorf("Submit() = %v, want ErrFull", err)
	}
	if _, err := s.Get(t.Context(), "before"); err != nil {
		t.Errorf("Get() = %v, want reads to go on", err)
	}
	if s.Err() != nil {
		t.Errorf("Err() = %v, want a full disk to be no failure", s.Err())
	}
	d.setFull(false)
	if said := use(t.Context(), s, scriptStart); said.submitted["run-0"] != nil || said.finished["run-0"] != nil {
		t.Errorf("with room again: %+v, want no errors", said)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close() = %v", err)
	}
	verify(t, 0, path, told{submitted: map[string]error{"before": nil, "full": ErrFailed, "full-0": ErrFailed}})
}

// TestFailedCheckpointIsTold holds that the log is moved into the database file
// as it grows, and that a failure there is no secret.
func TestFailedCheckpointIsTold(t *testing.T) {
	t.Parallel()
	d := newDisk(t, "checkpoint")
	s, path := openFile(t, Options{vfs: "checkpoint"})
	d.mu.Lock()
	d.main, d.err = true, syscall.EIO
	d.mu.Unlock()
	said := told{submitted: map[string]error{}}
	big := newRun("")
	big.Variables = make([]byte, 256<<10)
	for i := 0; s.Err() == nil && i < 64; i++ { // 64 of them are four times what the log may hold
		big.Cookie = fmt.Sprint("big-", i)
		_, _, said.submitted[big.Cookie] = s.Submit(t.Context(), scriptStart, big)
	}
	if s.Err() == nil {
		t.Error("Err() = nil after the checkpoint failed")
	}
	_ = s.Close() // may fail as well
	verify(t, 0, path, said)
}

// TestDamagedPageFailsAlone has one operation of a batch meet a damaged page,
// upon which SQLite takes the whole transaction back.
func TestDamagedPageFailsAlone(t *testing.T) {
	t.Parallel()
	path := filled(t, 200)
	d := newDisk(t, "flaw")
	s, err := Open(t.Context(), "sqlite://"+path, Options{Log: slog.New(slog.DiscardHandler), vfs: "flaw"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	release := hold(t, s)
	var wg sync.WaitGroup
	for i := range 9 {
		if i == 4 {
			wg.Go(func() {
				_, err := write(t.Context(), s.writer, scriptStart, func(t *tx) (n int, err error) {
					d.setFlaw(true)
					defer d.setFlaw(false)
					_, err = t.row(`SELECT count(*) FROM runs WHERE digest = 'x'`, []any{&n})
					return n, err
				})
				if !errors.Is(err, ErrDamaged) {
					t.Errorf("write() = %v, want ErrDamaged", err)
				}
			})
		} else {
			wg.Go(func() {
				if _, _, err := s.Submit(t.Context(), scriptStart, newRun(fmt.Sprint(i))); err != nil {
					t.Errorf("Submit(%d) = %v", i, err)
				}
			})
		}
		waiting(s, i+1) // so that it is in the middle
	}
	release()
	wg.Wait()
	if s.Err() != nil {
		t.Errorf("Err() = %v, want the store to go on", s.Err())
	}
	for i := range 9 {
		if _, err := s.Get(t.Context(), fmt.Sprint(i)); err != nil && i != 4 {
			t.Errorf("Get(%d) = %v", i, err)
		}
	}
}
