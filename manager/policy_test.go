package manager_test

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/manager"
)

// What the worker's settings do not admit is answered and not run, and while the
// machine is short of memory nothing is.
func TestTheWorkersOwnSettingsGoFirst(t *testing.T) {
	t.Parallel()
	bubble(t, "admission", func(t *testing.T) {
		srv := &server{}
		m := manager.New(manager.Config{Worker: "w", Capacity: 1, Grace: grace, Admit: func(p api.Packet) error {
			if p.Queue != "mine" {
				return errors.New("not from that queue")
			}
			return nil
		}}, standard, srv.report, slog.New(slog.DiscardHandler))
		foreign, own := run("foreign", "echo"), run("own", "wait")
		own.Queue = "mine"
		m.Handle(foreign)
		m.Handle(own)
		own.Queue = "foreign" // what is held goes on, whatever is said of it now
		m.Handle(own)
		srv.expect(t, "foreign/1 NO_CAPACITY not from that queue")
		m.Handle(cancel("own"))
		srv.expect(t, "foreign/1 NO_CAPACITY not from that queue", "own/1 CANCELLED CancelledException: told to stop")
		if err := m.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	bubble(t, "memory", func(t *testing.T) {
		srv := &server{}
		var tight atomic.Bool
		m := manager.New(manager.Config{Worker: "w", Capacity: 1, Tight: tight.Load}, standard, srv.report, slog.New(slog.DiscardHandler))
		tight.Store(true)
		if got := m.Paused(); got != "memory is short" {
			t.Errorf("Paused() = %q while memory is short", got)
		}
		m.Handle(run("a", "echo"))
		srv.expect(t, "a/1 NO_CAPACITY this worker takes nothing for the time being: memory is short")
		tight.Store(false)
		if got := m.Paused(); got != "" {
			t.Errorf("Paused() = %q when memory is free again", got)
		}
		m.Handle(run("b", "echo"))
		srv.expect(t, "a/1 NO_CAPACITY this worker takes nothing for the time being: memory is short", "b/1 OK {}")
		if err := m.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}
