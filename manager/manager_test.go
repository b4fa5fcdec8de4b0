package manager_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/manager"
)

func TestPacketsAreAnswered(t *testing.T) {
	t.Parallel()
	with := func(p api.Packet, change func(*api.Packet)) api.Packet {
		change(&p)
		return p
	}
	const unknown = `packet type "PAUSE" is not known to this worker`
	for _, tt := range []struct {
		name    string
		packets []api.Packet
		want    []string
		held    []string
	}{
		{"a run ends with its result", []api.Packet{run("a", "echo")}, []string{"a/1 OK {}"}, nil},
		{"a pipeline that fails", []api.Packet{run("a", "fail")}, []string{"a/1 PROCESSOR_EXCEPTION ValueError: no"}, nil},
		{"a pipeline that reaches the worker's limit on time", []api.Packet{run("a", "late")}, []string{"a/1 TIMEOUT LimitException: too late"}, nil},
		{"an engine that fails", []api.Packet{run("a", "break")}, []string{"a/1 EXCEPTION no disk"}, nil},
		{"a panic ends its run only", []api.Packet{run("a", "panic"), run("b", "echo")},
			[]string{"a/1 EXCEPTION panic in the engine: boom", "b/1 OK {}"}, nil},
		{"a run beyond capacity goes back", []api.Packet{run("a", "wait"), run("b", "wait"), run("c", "wait"), run("d", "wait"), run("e", "wait")},
			[]string{"e/1 NO_CAPACITY all 4 slots of this worker are in use"}, []string{"a/1", "b/1", "c/1", "d/1"}},
		{"a malformed packet", []api.Packet{run("a", "")}, []string{"a/1 BAD_PACKET RUN packet: pipeline: is required"}, nil},
		{"a malformed packet that names no lease has no answer", []api.Packet{run("", "echo"), run("a/b", "echo"), with(run("a", "echo"), func(p *api.Packet) { p.Fence = 0 })}, nil, nil},
		{"a packet type of a newer server", []api.Packet{{PacketType: "PAUSE", Cookie: "a", Fence: 1}}, []string{"a/1 UNSUPPORTED_PACKET_TYPE " + unknown}, nil},
		{"a packet type of a newer server without a lease has no answer", []api.Packet{{PacketType: "PAUSE"}}, nil, nil},
		{"what cannot be obeyed does not end a run that is held", []api.Packet{run("a", "wait"), {PacketType: "PAUSE", Cookie: "a", Fence: 1}, run("a", "")}, nil, []string{"a/1"}},
		{"the same lease once more is nothing", []api.Packet{run("a", "wait"), run("a", "wait"), run("a", "echo")}, nil, []string{"a/1"}},
		{"another lease of a run that is held", []api.Packet{run("a", "wait"), with(run("a", "wait"), func(p *api.Packet) { p.Fence = 2 })},
			[]string{"a/2 COOKIE_COLLISION this worker still holds fence 1 of the run"}, []string{"a/1"}},
		{"CANCEL ends the run that it names", []api.Packet{run("a", "wait"), run("b", "wait"), run("c", "wait"), run("d", "wait"), cancel("b")},
			[]string{"b/1 CANCELLED CancelledException: told to stop"}, []string{"a/1", "c/1", "d/1"}},
		{"CANCEL twice", []api.Packet{run("a", "wait"), cancel("a"), cancel("a")}, []string{"a/1 CANCELLED CancelledException: told to stop"}, nil},
		{"CANCEL of another lease", []api.Packet{run("a", "wait"), with(cancel("a"), func(p *api.Packet) { p.Fence = 2 })},
			[]string{"a/2 COOKIE_NOT_FOUND this worker does not hold the run"}, []string{"a/1"}},
		{"CANCEL before its RUN", []api.Packet{cancel("a"), run("a", "wait"), with(run("b", "echo"), func(p *api.Packet) { p.Fence = 2 })},
			[]string{"a/1 COOKIE_NOT_FOUND this worker does not hold the run", "a/1 CANCELLED cancelled before it arrived", "b/2 OK {}"}, nil},
		{"a result that is too large is an error", []api.Packet{with(run("a", "echo"), func(p *api.Packet) { p.Variables = json.RawMessage(`{"x": "` + strings.Repeat("x", 93) + `"}`) })},
			[]string{"a/1 PROCESSOR_EXCEPTION the result has 102 bytes, the limit of this worker is 100 (limits.result)"}, nil},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			s := &server{}
			m := start(t, standard, s)
			for _, p := range tt.packets {
				m.Handle(p)
				if p.PacketType == api.PacketRun {
					synctest.Wait() // it has begun
				}
			}
			s.expect(t, tt.want...)
			if got := holding(m); !slices.Equal(got, tt.held) {
				t.Errorf("holding %q, want %q", got, tt.held)
			}
			if got := m.InUse(); got != len(tt.held) {
				t.Errorf("%d slots in use, want %d", got, len(tt.held))
			}
		})
	}
}

// A result is measured by the smaller of what the worker gives and what its
// server takes, as that is when the run ends.
func TestTheServersLimitOfResultsHoldsToo(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		s := &server{}
		m := start(t, standard, s)
		for i, tt := range []struct {
			takes int64
			bytes int
			want  string
		}{
			{0, 100, ""},
			{0, 101, "the result has 101 bytes, the limit of this worker is 100 (limits.result)"},
			{99, 99, ""},
			{99, 100, "the result has 100 bytes, the limit of the server is 99 (limits.result)"},
			{200, 101, "the result has 101 bytes, the limit of this worker is 100 (limits.result)"},
			{-1, 100, ""},
		} {
			m.Registered(api.Registered{Limits: api.Limits{ResultBytes: tt.takes}})
			p := run(fmt.Sprint(i), "echo")
			p.Variables = json.RawMessage(`{"x":"` + strings.Repeat("x", tt.bytes-8) + `"}`)
			m.Handle(p)
			synctest.Wait()
			got := s.batches[i][0]
			if got.Error != tt.want || (got.RC == api.RCOK) != (tt.want == "") || (got.Result == nil) != (tt.want != "") {
				t.Errorf("with a server that takes %d, %d bytes = %s %q, want %q", tt.takes, tt.bytes, got.RC, got.Error, tt.want)
			}
		}
	})
	bubble(t, "nesting", func(t *testing.T) {
		s := &server{}
		m := manager.New(manager.Config{Worker: "w", Capacity: 1}, pipelines{"deep": func(_ context.Context, in engine.Input) (engine.Output, error) {
			return engine.Output{Result: json.RawMessage(strings.Repeat("[", 501) + strings.Repeat("]", 501))}, nil
		}}, s.report, slog.New(slog.DiscardHandler))
		m.Handle(run("a", "deep"))
		s.expect(t, "a/1 PROCESSOR_EXCEPTION the result is nested deeper than 500 levels")
	})
}

func TestFailuresCarryTheirStack(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		s := &server{}
		start(t, standard, s).Handle(run("a", "fail"))
		synctest.Wait()
		if got := s.batches[0][0].Stacktrace; !strings.Contains(got, "fail/1") {
			t.Errorf("stack %q, want the frame fail/1", got)
		}
	})
}

func TestFalsyResultsArriveAsTheyAre(t *testing.T) {
	t.Parallel()
	for _, v := range []string{`0`, `false`, `""`, `[]`, `{}`, `null`} {
		bubble(t, v, func(t *testing.T) {
			s := &server{}
			m := start(t, pipelines{"p": func(context.Context, engine.Input) (engine.Output, error) {
				return engine.Output{Result: json.RawMessage(v)}, nil
			}}, s)
			m.Handle(run("a", "p"))
			s.expect(t, "a/1 OK "+v)
		})
	}
}

func TestVariablesAreNotTrusted(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		var got engine.Input
		s := &server{}
		m := start(t, pipelines{"p": func(_ context.Context, in engine.Input) (engine.Output, error) {
			got = in
			return engine.Output{}, nil
		}}, s)
		m.Handle(run("a", "p"))
		synctest.Wait()
		if got.Trusted || string(got.Variables) != `{}` || got.Log == nil || got.Observer == nil {
			t.Errorf("the engine was given %+v, want the packet's variables, not trusted, a log and an observer", got)
		}
	})
}

func TestStopping(t *testing.T) {
	t.Parallel()
	lost := func(fence int64) []api.Held { return []api.Held{{Cookie: "a", Fence: fence}} }
	for _, tt := range []struct {
		name     string
		pipeline string
		timeout  time.Duration
		stop     func(m *manager.Manager) // after a second
		want     string
		after    time.Duration
	}{
		{"a run whose time is over", "wait", 5 * time.Second, nil, "TIMEOUT CancelledException: told to stop", 5 * time.Second},
		{"a run whose lease is lost goes back", "wait", 0, func(m *manager.Manager) { m.Leases(lost(1), nil) }, "WORKER_WENT_AWAY CancelledException: told to stop", time.Second},
		{"another lease that is lost is not its", "minute", 0, func(m *manager.Manager) { m.Leases(lost(2), nil) }, `OK "done"`, time.Minute},
		{"a stubborn run that is cancelled is abandoned", "stubborn", 0, func(m *manager.Manager) { m.Handle(cancel("a")) },
			"CANCELLED abandoned: it did not stop within 10s: cancelled", time.Second + grace},
		{"a stubborn run whose time is over is abandoned", "stubborn", 5 * time.Second, nil,
			"TIMEOUT abandoned: it did not stop within 10s: the run's time is over", 5*time.Second + grace},
		{"a stubborn run whose lease is lost is abandoned", "stubborn", 0, func(m *manager.Manager) { m.Leases(lost(1), nil) },
			"WORKER_WENT_AWAY abandoned: it did not stop within 10s: the lease is lost", time.Second + grace},
		{"the reason of a CANCEL is told", "stubborn", 0, func(m *manager.Manager) {
			p := cancel("a")
			p.Reason = "ann does not need it"
			m.Handle(p)
		}, "CANCELLED abandoned: it did not stop within 10s: ann does not need it", time.Second + grace},
		{"the first cause counts", "stubborn", 0, func(m *manager.Manager) { m.Handle(cancel("a")); m.Leases(lost(1), nil) },
			"CANCELLED abandoned: it did not stop within 10s: cancelled", time.Second + grace},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			s := &server{}
			m := start(t, standard, s)
			p := run("a", tt.pipeline)
			p.TimeoutMS = tt.timeout.Milliseconds()
			m.Handle(p)
			time.Sleep(time.Second)
			if tt.stop != nil {
				tt.stop(m)
			}
			if tt.after > time.Second {
				time.Sleep(tt.after - time.Second - 1)
				s.expect(t)
				time.Sleep(time.Nanosecond)
			}
			s.expect(t, "a/1 "+tt.want)
			if m.InUse() != 0 || len(m.Holding()) != 0 {
				t.Errorf("%d slots and %v are still held", m.InUse(), m.Holding())
			}
			time.Sleep(2 * time.Hour) // an abandoned engine ends, and is not heard
			s.expect(t, "a/1 "+tt.want)
		})
	}
}

func TestARunThatFinishesAllTheSameHasFinished(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		s := &server{}
		m := start(t, pipelines{"p": after(5 * time.Second)}, s)
		m.Handle(run("a", "p"))
		synctest.Wait()
		m.Handle(cancel("a"))
		if got, want := holding(m), []string{"a/1 cancelling"}; !slices.Equal(got, want) {
			t.Errorf("holding %q, want %q", got, want)
		}
		time.Sleep(5 * time.Second)
		s.expect(t, `a/1 OK "done"`)
	})
}

func TestAtMostOnceWaitsForItsClaim(t *testing.T) {
	t.Parallel()
	claimed := []api.Held{{Cookie: "a", Fence: 1}}
	for _, tt := range []struct {
		name   string
		then   func(m *manager.Manager)
		starts int
		want   string
		held   string
	}{
		{"it does not start by itself", func(m *manager.Manager) {}, 0, "", "a/1 claim"},
		{"it starts when the server has recorded it", func(m *manager.Manager) { m.Leases(nil, claimed) }, 1, "a/1 OK {}", ""},
		{"a claim that is told twice", func(m *manager.Manager) { m.Leases(nil, claimed); m.Leases(nil, claimed) }, 1, "a/1 OK {}", ""},
		{"another lease's claim is not its", func(m *manager.Manager) { m.Leases(nil, []api.Held{{Cookie: "a", Fence: 2}}) }, 0, "", "a/1 claim"},
		{"a lease that is lost before", func(m *manager.Manager) { m.Leases(claimed, nil) }, 0, "a/1 WORKER_WENT_AWAY the lease is lost", ""},
		{"CANCEL before", func(m *manager.Manager) { m.Handle(cancel("a")) }, 0, "a/1 CANCELLED cancelled", ""},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			var starts atomic.Int64
			s := &server{}
			m := start(t, pipelines{"p": func(ctx context.Context, in engine.Input) (engine.Output, error) {
				starts.Add(1)
				return echo(ctx, in)
			}}, s)
			p := run("a", "p")
			p.Delivery = api.AtMostOnce
			m.Handle(p)
			time.Sleep(time.Minute)
			tt.then(m)
			synctest.Wait()
			if got := strings.Join(s.results(), ", "); got != tt.want || int(starts.Load()) != tt.starts {
				t.Errorf("result %q after %d starts, want %q after %d", got, starts.Load(), tt.want, tt.starts)
			}
			if got := strings.Join(holding(m), ", "); got != tt.held {
				t.Errorf("holding %q, want %q", got, tt.held)
			}
		})
	}
}

func TestTombstones(t *testing.T) {
	t.Parallel()
	bubble(t, "are of one database", func(t *testing.T) {
		s := &server{}
		m := start(t, standard, s)
		m.Registered(api.Registered{Store: "before"})
		m.Handle(cancel("a"))
		synctest.Wait()
		m.Registered(api.Registered{Store: "after"})
		m.Handle(run("a", "echo"))
		s.expect(t, "a/1 COOKIE_NOT_FOUND this worker does not hold the run", "a/1 OK {}")
	})
	bubble(t, "last five minutes", func(t *testing.T) {
		s := &server{}
		m := start(t, standard, s)
		m.Handle(cancel("a"))
		m.Handle(cancel("b"))
		time.Sleep(5 * time.Minute)
		m.Handle(run("a", "echo"))
		time.Sleep(time.Nanosecond)
		m.Handle(run("b", "echo"))
		s.expect(t, "a/1 COOKIE_NOT_FOUND this worker does not hold the run", "b/1 COOKIE_NOT_FOUND this worker does not hold the run",
			"a/1 CANCELLED cancelled before it arrived", "b/1 OK {}")
	})
	bubble(t, "are at most 1024", func(t *testing.T) {
		s := &server{}
		m := start(t, standard, s)
		for i := range 1025 {
			m.Handle(cancel(fmt.Sprint("c", i)))
			synctest.Wait() // it is answered
		}
		m.Handle(run("c0", "echo"))
		m.Handle(run("c1", "echo"))
		synctest.Wait()
		got := s.results()[1025:]
		slices.Sort(got)
		if want := []string{"c0/1 OK {}", "c1/1 CANCELLED cancelled before it arrived"}; !slices.Equal(got, want) {
			t.Errorf("results %q, want %q", got, want)
		}
	})
}

func TestShutdownIsPassedOnOnce(t *testing.T) {
	t.Parallel()
	var reasons []string
	m := manager.New(manager.Config{Capacity: 1, OnShutdown: func(reason string) { reasons = append(reasons, reason) }},
		standard, (&server{}).report, slog.New(slog.DiscardHandler))
	for _, reason := range []string{"upgrade", "again"} {
		m.Handle(api.Packet{PacketType: api.PacketShutdown, Reason: reason})
	}
	if !slices.Equal(reasons, []string{"upgrade"}) {
		t.Errorf("OnShutdown was called with %q, want once, with the first reason", reasons)
	}
}

func TestHoldingNamesTheSpan(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		m := start(t, standard, &server{})
		p := run("a", "wait")
		p.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		m.Handle(p)
		if got := m.Holding()[0].TraceParent; !strings.HasPrefix(got, "00-0af7651916cd43dd8448eb211c80319c-") {
			t.Errorf("TraceParent %q, want a span of the packet's trace", got)
		}
	})
}
