package manager_test

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/manager"
)

func isThrough(m *manager.Manager) bool {
	synctest.Wait()
	select {
	case <-m.Through():
		return true
	default:
		return false
	}
}

func TestAManagerBeginsNoMoreRunsThanItMay(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		s := &server{}
		m := manager.New(manager.Config{Capacity: 4, Grace: grace, MaxRuns: 2}, standard, s.report, slog.New(slog.DiscardHandler))
		if got := m.Room(); got != 2 {
			t.Errorf("Room() = %d, want 2", got)
		}
		m.Handle(run("a", "minute"))
		m.Handle(run("a", "minute")) // once more
		m.Handle(run("b", "minute"))
		m.Handle(run("c", "minute"))
		s.expect(t, "c/1 NO_CAPACITY this worker has begun all 2 runs that it takes")
		if m.Room() != 0 || isThrough(m) {
			t.Errorf("Room() = %d, through %t, want none and two runs under way", m.Room(), isThrough(m))
		}
		time.Sleep(time.Minute)
		if !isThrough(m) {
			t.Error("both runs have ended, and it is not through")
		}
		_ = giveUp(m)
	})
	bubble(t, "without a limit", func(t *testing.T) {
		m := start(t, standard, &server{})
		m.Handle(run("a", "echo"))
		if m.Room() != -1 || isThrough(m) {
			t.Errorf("Room() = %d, through %t, want no limit", m.Room(), isThrough(m))
		}
	})
	bubble(t, "a further lease is the same run", func(t *testing.T) {
		s := &server{}
		m := manager.New(manager.Config{Capacity: 1, Grace: grace, MaxRuns: 1}, standard, s.report, slog.New(slog.DiscardHandler))
		m.Handle(lease(1, "wait"))
		synctest.Wait()
		lose(m, 1)
		m.Handle(lease(2, "wait"))
		if isThrough(m) {
			t.Error("through, although the new lease is under way")
		}
		m.Handle(with(cancel("a"), func(p *api.Packet) { p.Fence = 2 }))
		if !isThrough(m) {
			t.Error("the new lease has ended, and it is not through")
		}
		s.expect(t, "a/1 WORKER_WENT_AWAY CancelledException: told to stop", "a/2 CANCELLED CancelledException: told to stop")
		_ = giveUp(m)
	})
}

func TestIdle(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		m := start(t, standard, &server{})
		want := func(when string, want time.Duration) {
			t.Helper()
			synctest.Wait()
			if got := m.Idle(); got != want {
				t.Errorf("Idle() %s = %s, want %s", when, got, want)
			}
		}
		time.Sleep(time.Minute)
		want("before there is a server", 0)
		m.Resume()
		time.Sleep(time.Minute)
		m.Resume()
		want("of a worker that waits", time.Minute)
		m.Handle(run("a", "minute"))
		time.Sleep(30 * time.Second)
		want("during a run", 0)
		time.Sleep(40 * time.Second)
		want("after a run", 10*time.Second)
		m.Handle(api.Packet{PacketType: api.PacketCancel, Cookie: "b", Fence: 1})
		want("after a packet that is no work", 10*time.Second)
	})
}

// A run whose second lease waits for the work of the first is handed back once.
func TestARunIsHandedBackOnce(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		m := manager.New(manager.Config{Capacity: 1, Grace: grace, MaxRuns: 1}, standard, (&server{}).report, slog.New(slog.DiscardHandler))
		m.Handle(lease(1, "stubborn"))
		synctest.Wait()
		lose(m, 1)
		m.Handle(lease(2, "stubborn"))
		_ = giveUp(m) // it was stopped, as it should be
		if room := m.Room(); room != 1 {
			t.Errorf("Room() = %d, want the one run that was not done", room)
		}
		time.Sleep(time.Hour) // the engine that was abandoned ends
	})
}
