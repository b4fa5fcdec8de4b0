package manager_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/manager"
	"github.com/pullrun/pullrun/manager/outbox"
)

func TestDrain(t *testing.T) {
	t.Parallel()
	outage := func(ctx context.Context, _ []api.Result) ([]api.Verdict, error) {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	for _, tt := range []struct {
		name    string
		runs    []string // pipelines
		script  func(context.Context, []api.Result) ([]api.Verdict, error)
		within  time.Duration
		want    string // Drain's error
		took    time.Duration
		results []string
	}{
		{"nothing is held", nil, nil, 0, "", 0, nil},
		{"it waits for what is running", []string{"minute", "minute"}, nil, time.Hour, "", time.Minute, []string{`0/1 OK "done"`, `1/1 OK "done"`}},
		{"what does not finish in time goes back", []string{"wait", "minute"}, nil, 90 * time.Second,
			"1 runs did not finish in time and were stopped", 90 * time.Second, []string{"0/1 WORKER_WENT_AWAY interrupted: the worker is stopping", `1/1 OK "done"`}},
		{"what does not stop goes back too", []string{"stubborn"}, nil, time.Second,
			"1 runs did not finish in time and were stopped", time.Second + grace,
			[]string{"0/1 WORKER_WENT_AWAY abandoned: it did not stop within 10s: interrupted: the worker is stopping"}},
		{"at once, if need be", []string{"wait"}, nil, 0, "1 runs did not finish in time and were stopped", 0,
			[]string{"0/1 WORKER_WENT_AWAY interrupted: the worker is stopping"}},
		{"what cannot be posted is given up", []string{"echo", "wait"}, outage, time.Minute,
			"1 runs did not finish in time and were stopped\n2 results could not be posted", time.Minute + 5*time.Second, nil},
		{"a refusal is waited for no longer than that", []string{""}, outage, time.Hour, "", 5 * time.Second, nil},
		{"nor after the last has been abandoned", []string{"stubborn"}, outage, time.Minute,
			"1 runs did not finish in time and were stopped\n1 results could not be posted", time.Minute + grace + 5*time.Second, nil},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			s := &server{script: tt.script}
			m := start(t, standard, s)
			for i, p := range tt.runs {
				m.Handle(run(fmt.Sprint(i), p))
			}
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), tt.within)
			defer cancel()
			began := time.Now()
			got := ""
			if err := m.Drain(ctx); err != nil {
				got = err.Error()
			}
			if took := time.Since(began); got != tt.want || took != tt.took {
				t.Errorf("Drain() = %q after %s, want %q after %s", got, took, tt.want, tt.took)
			}
			s.expect(t, tt.results...)
			if m.InUse() != 0 || len(m.Holding()) != 0 {
				t.Errorf("%d slots and %v are still held", m.InUse(), m.Holding())
			}
			_ = m.Drain(ctx) // again, and it returns
		})
	}
}

// A slowBox is an outbox whose disk takes a second for each result.
type slowBox struct{ *box }

func (b slowBox) Put(e outbox.Entry) error {
	time.Sleep(time.Second)
	return b.box.Put(e)
}

// A run that has ended in time was not stopped, though the disk is slow to take
// its result.
func TestADrainOnASlowDisk(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		b := slowBox{openBox(t, t.TempDir(), 1<<20)}
		s := &server{}
		m := manager.New(manager.Config{Capacity: 1, Grace: grace, Outbox: b}, standard, s.report, slog.New(slog.DiscardHandler))
		m.Handle(run("a", "echo"))
		synctest.Wait()
		if err := giveUp(m); err != nil {
			t.Errorf("Drain() = %v", err)
		}
		s.expect(t, "a/1 OK {}")
	})
}

func TestADrainingWorkerTakesNothingMore(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		s := &server{}
		m := start(t, standard, s)
		m.Handle(run("a", "minute"))
		synctest.Wait()
		drained := make(chan error, 1)
		go func() { drained <- m.Drain(t.Context()) }()
		synctest.Wait()
		m.Handle(run("b", "echo"))
		m.Handle(cancel("a"))
		time.Sleep(time.Minute)
		if err := <-drained; err != nil {
			t.Errorf("Drain() = %v", err)
		}
		s.expect(t, "b/1 NO_CAPACITY this worker is draining", "a/1 CANCELLED abandoned: it did not stop within 10s: cancelled")
	})
}

func TestRefuseTakesNothingMore(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		s := &server{}
		m := start(t, standard, s)
		m.Handle(run("a", "minute"))
		synctest.Wait()
		m.Refuse()
		m.Handle(run("b", "echo"))
		time.Sleep(time.Minute)
		synctest.Wait()
		s.expect(t, "b/1 NO_CAPACITY this worker is draining", `a/1 OK "done"`)
		if err := m.Drain(t.Context()); err != nil {
			t.Errorf("Drain() = %v", err)
		}
	})
}

// What a server still sends to a worker that drains, or that is done, is no cause
// for alarm.
func TestADrainIsQuiet(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		s := &server{}
		var log bytes.Buffer
		m := manager.New(manager.Config{Capacity: capacity, Grace: grace}, standard, s.report, slog.New(slog.NewTextHandler(&log, nil)))
		m.Handle(run("a", "wait"))
		synctest.Wait()
		m.Refuse()
		m.Handle(run("b", "echo"))
		synctest.Wait()
		over, cancelled := context.WithCancel(t.Context())
		cancelled()
		if err := m.Drain(over); err == nil {
			t.Error("Drain() = nil, want that a run was stopped")
		}
		m.Handle(cancel("a")) // the server's answer to what was handed back
		m.Handle(run("c", "echo"))
		synctest.Wait()
		s.expect(t, "b/1 NO_CAPACITY this worker is draining", "a/1 WORKER_WENT_AWAY interrupted: the worker is stopping")
		if said := log.String(); strings.Contains(said, "level=WARN") || strings.Contains(said, "level=ERROR") || !strings.Contains(said, `msg="packet is refused"`) {
			t.Errorf("logged\n%s\nwant nothing above INFO", said)
		}
	})
}

// Whatever comes, in whatever order, no more pipelines run than there are
// slots, and each that has started is answered once.
func TestStorm(t *testing.T) {
	t.Parallel()
	for range 5 {
		seed := rand.Uint64()
		bubble(t, fmt.Sprint("seed ", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 0))
			var now, most atomic.Int64
			var mu sync.Mutex
			starts := make(map[string]int)
			s := &server{}
			m := start(t, pipelines{"p": func(ctx context.Context, in engine.Input) (engine.Output, error) {
				n := now.Add(1)
				defer now.Add(-1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
				mu.Lock()
				starts[string(in.Variables)]++
				mu.Unlock()
				select {
				case <-ctx.Done():
					return engine.Output{}, fmt.Errorf("it had started: %w", context.Cause(ctx))
				case <-time.After(time.Duration(len(in.Variables)) * 10 * time.Millisecond):
					return engine.Output{Result: in.Variables}, nil
				}
			}}, s)
			sent := make(map[string]bool)
			var all sync.WaitGroup
			for range 1000 {
				cookie, fence := fmt.Sprint("c", rng.IntN(20)), 1+rng.Int64N(10)
				lease := []api.Held{{Cookie: cookie, Fence: fence}}
				delay := time.Duration(rng.IntN(10_000)) * time.Millisecond
				p := run(cookie, "p")
				p.Fence = fence
				p.Variables = fmt.Appendf(nil, `{"lease": "%s/%d"}`, cookie, fence)
				act := func() { m.Handle(p) }
				switch rng.IntN(10) {
				case 0:
					act = func() { p.PacketType = api.PacketCancel; m.Handle(p) }
				case 1:
					act = func() { m.Leases(lease, nil) }
				case 2, 3:
					act = func() { p.Delivery = api.AtMostOnce; m.Handle(p); m.Leases(nil, lease) }
				}
				sent[fmt.Sprintf("%s/%d", cookie, fence)] = true
				all.Go(func() {
					time.Sleep(delay)
					act()
				})
			}
			all.Wait()
			if err := m.Drain(t.Context()); err != nil {
				t.Errorf("Drain() = %v", err)
			}
			if most.Load() > capacity || most.Load() < capacity {
				t.Errorf("%d pipelines ran at the same time, want %d at most, and at times", most.Load(), capacity)
			}
			ended := make(map[string]int)
			for _, line := range s.results() {
				lease, rc, _ := strings.Cut(line, " ")
				if !sent[lease] {
					t.Errorf("%s was answered and never sent", lease)
				}
				if strings.HasPrefix(rc, "OK ") || strings.Contains(rc, "it had started") {
					ended[fmt.Sprintf(`{"lease": "%s"}`, lease)]++
				}
			}
			if !maps.Equal(starts, ended) {
				t.Errorf("leases were started and answered so often:\n%v\n%v", starts, ended)
			}
			if m.InUse() != 0 || len(m.Holding()) != 0 {
				t.Errorf("%d slots and %v are still held", m.InUse(), m.Holding())
			}
		})
	}
}
