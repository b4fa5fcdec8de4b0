package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/pullrun/pullrun/server/store/storetest"
)

// openTest opens a fresh database and returns its address too.
func openTest(t testing.TB, o Options) (*Store, string) {
	t.Helper()
	url := storetest.URL(t)
	o.Log = slog.New(slog.DiscardHandler)
	s, err := Open(t.Context(), url, o)
	if err != nil {
		t.Fatalf("Open() = %v", err)
	}
	t.Cleanup(func() { _ = s.Close() }) // the test has closed it if that matters
	return s, url
}

func newRun(cookie string) NewRun {
	return NewRun{Cookie: cookie, Digest: "d", Pipeline: "p", Queue: "q", MaxAttempts: 3, Variables: []byte("{}")}
}

// hold makes the writer wait inside an operation until the returned function is
// called, so that what is sent meanwhile becomes one batch.
func hold(t *testing.T, s *Store) (release func()) {
	t.Helper()
	entered, leave, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		_, err := write(context.Background(), s.writer, scriptStart, func(*tx) (int, error) {
			close(entered)
			<-leave
			return 0, nil
		})
		if err != nil {
			t.Errorf("write() = %v", err)
		}
	}()
	<-entered
	return func() { close(leave); <-done }
}

// waiting blocks until n operations wait for the writer.
func waiting(s *Store, n int) {
	for len(s.writer.ops) < n {
		time.Sleep(time.Millisecond)
	}
}

func TestFailedOperationFailsAlone(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for _, tt := range []struct {
		name string
		work func(*tx) (int, error)
	}{
		{name: "before it wrote", work: func(*tx) (int, error) { return 0, boom }},
		{name: "after it wrote", work: func(t *tx) (int, error) {
			if _, _, err := t.submit(newRun("bad")); err != nil {
				return 0, err
			}
			return 0, boom
		}},
		{name: "in the database", work: func(t *tx) (int, error) {
			_, err := t.count(`INSERT INTO variables (run, body) VALUES (1, NULL)`)
			return 0, errors.Join(err, boom)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, _ := openTest(t, Options{})
			release := hold(t, s)
			var wg sync.WaitGroup
			for i := range 10 {
				wg.Go(func() {
					if i == 5 {
						if _, err := write(t.Context(), s.writer, scriptStart, tt.work); !errors.Is(err, boom) {
							t.Errorf("write() = %v, want boom", err)
						}
						return
					}
					if _, created, err := s.Submit(t.Context(), scriptStart, newRun(fmt.Sprint(i))); err != nil || !created {
						t.Errorf("Submit(%d) = %v, %v", i, created, err)
					}
				})
			}
			waiting(s, 10)
			release()
			wg.Wait()
			runs, _, err := s.List(t.Context(), Filter{}, 0, 100)
			if err != nil || len(runs) != 9 {
				t.Errorf("List() = %d runs, %v, want 9", len(runs), err)
			}
			if _, err := s.Get(t.Context(), "bad"); !errors.Is(err, ErrNotFound) {
				t.Errorf("Get(bad) = %v, want ErrNotFound", err)
			}
		})
	}
}

// A claim that is taken back leaves the runs where the next claim finds them.
func TestTakenBackClaimIsFoundAgain(t *testing.T) {
	t.Parallel()
	s, _ := openTest(t, Options{})
	_, err := s.Register(t.Context(), scriptStart, NewSession{Worker: "w", Session: "s", Capacity: 9, Queues: []string{"q"}, Lease: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if _, _, err := s.Submit(t.Context(), scriptStart, newRun(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	poll := PollIn{Worker: "w", Session: "s", Max: 9}
	_, err = write(t.Context(), s.writer, scriptStart, func(t *tx) (PollOut, error) {
		out, err := t.poll(poll)
		return out, errors.Join(err, errors.New("boom"))
	})
	if err == nil {
		t.Fatal("write() succeeds")
	}
	out, err := s.Poll(t.Context(), scriptStart, poll)
	if err != nil || len(out.Offers) != 3 || out.Offers[0].Run.Fence != 1 {
		t.Errorf("Poll() = %+v, %v, want three offers under fence 1", out, err)
	}
}

func TestTakenBackSubmitTakesNoPlace(t *testing.T) {
	t.Parallel()
	s, _ := openTest(t, Options{MaxQueued: 2})
	boom := errors.New("boom")
	for range 3 {
		_, err := write(t.Context(), s.writer, scriptStart, func(t *tx) (int, error) {
			if _, _, err := t.admit(newRun("bad")); err != nil {
				return 0, err
			}
			return 0, boom
		})
		if !errors.Is(err, boom) {
			t.Fatalf("write() = %v, want %v", err, boom)
		}
	}
	for _, cookie := range []string{"a", "b"} {
		if _, _, err := s.Submit(t.Context(), scriptStart, newRun(cookie)); err != nil {
			t.Errorf("Submit(%s) = %v", cookie, err)
		}
	}
	if _, _, err := s.Submit(t.Context(), scriptStart, newRun("c")); !errors.Is(err, ErrQueueFull) {
		t.Errorf("third Submit() = %v, want %v", err, ErrQueueFull)
	}
}

func TestCallerThatLeftIsSkipped(t *testing.T) {
	t.Parallel()
	s, _ := openTest(t, Options{})
	release := hold(t, s)
	ctx, cancel := context.WithCancelCause(t.Context())
	left := errors.New("left")
	done := make(chan error, 1)
	go func() {
		_, _, err := s.Submit(ctx, scriptStart, newRun("a"))
		done <- err
	}()
	waiting(s, 1)
	cancel(left)
	release()
	if err := <-done; !errors.Is(err, left) {
		t.Errorf("Submit() = %v, want the cause", err)
	}
	if _, err := s.Get(t.Context(), "a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("Get() = %v, want ErrNotFound", err)
	}
}

// A caller whose context ends during the operation gets what became of it.
func TestCommitUnderWayIsNotCancelled(t *testing.T) {
	t.Parallel()
	s, _ := openTest(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	r, err := write(ctx, s.writer, scriptStart, func(t *tx) (Run, error) {
		cancel()
		r, _, err := t.submit(newRun("a"))
		return r, err
	})
	if err != nil || r.Cookie != "a" {
		t.Errorf("write() = %+v, %v, want the run", r, err)
	}
	if _, err := s.Get(t.Context(), "a"); err != nil {
		t.Errorf("Get() = %v", err)
	}
}

func TestCloseFinishesWhatWasAccepted(t *testing.T) {
	t.Parallel()
	s, url := openTest(t, Options{})
	release := hold(t, s)
	const accepted = 50
	var wg sync.WaitGroup
	for i := range accepted {
		wg.Go(func() {
			if _, _, err := s.Submit(t.Context(), scriptStart, newRun(fmt.Sprint(i))); err != nil {
				t.Errorf("Submit(%d) = %v", i, err)
			}
		})
	}
	waiting(s, accepted)
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	for { // until Close refuses
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := s.Submit(ctx, scriptStart, newRun("x")); errors.Is(err, ErrClosed) {
			break
		}
	}
	release()
	wg.Wait()
	if err := <-closed; err != nil {
		t.Errorf("Close() = %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close() again = %v", err)
	}
	if _, err := s.Get(t.Context(), "0"); !errors.Is(err, ErrClosed) {
		t.Errorf("Get() after Close = %v, want ErrClosed", err)
	}
	s, err := Open(t.Context(), url, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	runs, _, err := s.List(t.Context(), Filter{}, 0, 100)
	if err != nil || len(runs) != accepted {
		t.Errorf("List() = %d runs, %v, want %d", len(runs), err, accepted)
	}
}

// TestCloseUnderLoad holds that every call either did its work or says ErrClosed.
func TestCloseUnderLoad(t *testing.T) {
	t.Parallel()
	s, url := openTest(t, Options{})
	var mu sync.Mutex
	done := 0
	var wg sync.WaitGroup
	started := make(chan struct{}, 8)
	for c := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				_, _, err := s.Submit(t.Context(), scriptStart, newRun(fmt.Sprint(c, "-", i)))
				if errors.Is(err, ErrClosed) {
					return
				}
				if err != nil {
					t.Errorf("Submit() = %v", err)
				}
				if _, err := s.Get(t.Context(), fmt.Sprint(c, "-", i)); err != nil && !errors.Is(err, ErrClosed) {
					t.Errorf("Get() = %v", err)
				}
				mu.Lock()
				done++
				mu.Unlock()
				if i == 5 {
					started <- struct{}{}
				}
			}
		})
	}
	for range 8 {
		<-started
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close() = %v", err)
	}
	wg.Wait()
	s, err := Open(t.Context(), url, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	runs, _, err := s.List(t.Context(), Filter{}, 0, done+10)
	if err != nil || len(runs) != done {
		t.Errorf("List() = %d runs, %v, want the %d that were acknowledged", len(runs), err, done)
	}
}
