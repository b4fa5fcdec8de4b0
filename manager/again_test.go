package manager_test

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/manager"
)

// lease is a lease of run a, whose trace is always the same.
func lease(fence int64, pipeline string) api.Packet {
	p := run("a", pipeline)
	p.Fence, p.Attempt, p.TraceParent = fence, int(fence), traceParent
	return p
}

func lose(m *manager.Manager, fence int64) {
	m.Leases([]api.Held{{Cookie: "a", Fence: fence}}, nil)
}

// A run is leased again to the worker that has it. Whatever has become of it
// there, it is never at work twice at the same time.
func TestLeasedAgain(t *testing.T) {
	t.Parallel()
	again := func(m *manager.Manager) { m.Handle(lease(2, "p")) }
	stubborn := after(5 * time.Second) // whatever it is told
	for _, tt := range []struct {
		name     string
		pipeline func(context.Context, engine.Input) (engine.Output, error)
		then     func(m *manager.Manager) // a second after the first lease
		held     string                   // directly after
		starts   int64
		want     []string
	}{
		{"a run that goes on takes the new fence", stubborn, again, "a/2", 1, []string{`a/2 OK "done"`}},
		{"the new lease once more", stubborn, func(m *manager.Manager) { again(m); again(m) }, "a/2", 1, []string{`a/2 OK "done"`}},
		{"a third lease", stubborn, func(m *manager.Manager) { again(m); m.Handle(lease(3, "p")) }, "a/3", 1, []string{`a/3 OK "done"`}},
		{"the old lease is lost afterwards", stubborn, func(m *manager.Manager) { again(m); lose(m, 1) }, "a/2", 1, []string{`a/2 OK "done"`}},
		{"the new lease is lost", wait, func(m *manager.Manager) { again(m); lose(m, 2) }, "", 1, []string{"a/2 WORKER_WENT_AWAY CancelledException: told to stop"}},
		{"CANCEL of the new lease", wait, func(m *manager.Manager) { again(m); m.Handle(with(cancel("a"), func(p *api.Packet) { p.Fence = 2 })) }, "",
			1, []string{"a/2 CANCELLED CancelledException: told to stop"}},
		{"a run that was told to stop and finishes all the same", stubborn, func(m *manager.Manager) { lose(m, 1); again(m) }, "a/2",
			1, []string{`a/1 OK "done"`, `a/2 OK "done"`}},
		{"CANCEL while it waits for the one before", stubborn, func(m *manager.Manager) {
			lose(m, 1)
			again(m)
			m.Handle(with(cancel("a"), func(p *api.Packet) { p.Fence = 2 }))
		}, "a/2 cancelling", 1, []string{`a/1 OK "done"`, `a/2 OK "done"`}},
		{"a third lease while the second waits for the first, and is lost", stubborn, func(m *manager.Manager) {
			for fence := range int64(2) {
				lose(m, fence+1)
				synctest.Wait()
				m.Handle(lease(fence+2, "p"))
			}
		}, "a/3", 1, []string{`a/1 OK "done"`, `a/2 OK "done"`, `a/3 OK "done"`}},
		{"an older lease comes late", stubborn, func(m *manager.Manager) { again(m); m.Handle(lease(1, "p")) }, "a/2", 1,
			[]string{"a/1 COOKIE_COLLISION this worker still holds fence 2 of the run", `a/2 OK "done"`}},
		{"another run of the cookie", stubborn, func(m *manager.Manager) { m.Handle(with(lease(2, "p"), func(p *api.Packet) { p.TraceParent = "" })) }, "a/1", 1,
			[]string{`a/1 OK "done"`, "a/2 COOKIE_COLLISION this worker still holds fence 1 of the run"}},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			var starts atomic.Int64
			s := &server{}
			m := start(t, pipelines{"p": func(ctx context.Context, in engine.Input) (engine.Output, error) {
				starts.Add(1)
				return tt.pipeline(ctx, in)
			}}, s)
			m.Handle(lease(1, "p"))
			time.Sleep(time.Second)
			tt.then(m)
			synctest.Wait()
			var held []string
			if tt.held != "" {
				held = []string{tt.held}
			}
			if got := holding(m); !slices.Equal(got, held) {
				t.Errorf("holding %q, want %q", got, held)
			}
			time.Sleep(time.Hour)
			s.expect(t, tt.want...)
			if got := starts.Load(); got != tt.starts {
				t.Errorf("started %d times, want %d", got, tt.starts)
			}
			if m.InUse() != 0 || len(m.Holding()) != 0 {
				t.Errorf("%d slots and %v are still held", m.InUse(), m.Holding())
			}
		})
	}
}

// The run was told to stop and takes a while. The new lease has its slot and
// begins when it has stopped, or when it is abandoned.
func TestANewLeaseWaitsForTheOldOneToStop(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		first time.Duration // until the first one stops
		begin time.Duration // of the second one
	}{
		{"until it stops", 4 * time.Second, 4 * time.Second},
		{"until it is abandoned", time.Hour, grace},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			var begun []time.Duration
			began := time.Now()
			s := &server{}
			m := manager.New(manager.Config{Capacity: 1, Grace: grace}, pipelines{"p": func(ctx context.Context, in engine.Input) (engine.Output, error) {
				begun = append(begun, time.Since(began))
				if len(begun) > 1 {
					return echo(ctx, in)
				}
				<-ctx.Done()
				time.Sleep(tt.first)
				return engine.Output{}, ctx.Err()
			}}, s.report, slog.New(slog.DiscardHandler))
			m.Handle(lease(1, "p"))
			synctest.Wait()
			lose(m, 1)
			m.Handle(lease(2, "p"))
			if m.InUse() != 1 {
				t.Errorf("%d slots in use, want one for both", m.InUse())
			}
			m.Handle(with(run("b", "p"), func(p *api.Packet) { p.TraceParent = traceParent }))
			time.Sleep(2 * time.Hour)
			synctest.Wait()
			if want := []time.Duration{0, tt.begin}; !slices.Equal(begun, want) {
				t.Errorf("begun after %v, want %v", begun, want)
			}
			got := s.results()
			if !slices.Contains(got, "a/2 OK {}") || !slices.Contains(got, "b/1 NO_CAPACITY all 1 slots of this worker are in use") || len(got) != 3 {
				t.Errorf("results %q, want one of each lease, and b to go back", got)
			}
			_ = giveUp(m)
		})
	}
}

func TestAnAtMostOnceRunThatWaitsTakesTheNewFence(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		s := &server{}
		m := start(t, standard, s)
		for fence := range int64(2) {
			m.Handle(with(lease(fence+1, "echo"), func(p *api.Packet) { p.Delivery = api.AtMostOnce }))
		}
		if got, want := holding(m), []string{"a/2 claim"}; !slices.Equal(got, want) {
			t.Errorf("holding %q, want %q", got, want)
		}
		m.Leases(nil, []api.Held{{Cookie: "a", Fence: 2}})
		s.expect(t, "a/2 OK {}")
	})
}
