package poller_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/poller"
)

func TestOutages(t *testing.T) {
	t.Parallel()
	bubble(t, "an outage is waited out, and is two lines", func(t *testing.T) {
		var back time.Time
		w := start(t, &server{poll: func(ctx context.Context, n int, in api.Poll) ([]api.Packet, error) {
			if n < 12 {
				return nil, errRefused
			}
			if n == 12 {
				return []api.Packet{run}, nil
			}
			return nothing(ctx, in)
		}})
		time.Sleep(time.Hour)
		if err := w.end(); err != nil {
			t.Errorf("Run() = %v", err)
		}
		for n := range 12 {
			gap, ceiling := w.polls[n+1].at.Sub(w.polls[n].at), min(200*time.Millisecond<<n, 30*time.Second)
			if gap >= ceiling {
				t.Errorf("wait %d is %s, want less than %s", n, gap, ceiling)
			}
		}
		back = w.polls[12].at
		w.logged(t, "INFO registered", "WARN contact with the server is lost",
			"INFO contact with the server is back took="+back.Sub(w.polls[0].at).Round(time.Millisecond).String())
	})
	bubble(t, "its end is noticed with the first call that is answered", func(t *testing.T) {
		w := start(t, &server{poll: func(ctx context.Context, n int, in api.Poll) ([]api.Packet, error) {
			if n < 3 {
				return nil, errRefused
			}
			return nothing(ctx, in)
		}})
		time.Sleep(time.Minute)
		w.end()
		if first, next := w.polls[3], w.polls[4]; first.in.HoldMS != 0 || next.in.HoldMS != w.polls[0].in.HoldMS || next.at != first.at {
			t.Errorf("the polls after the outage are held for %d ms, and for %d ms after %s, want 0, and %d at once",
				first.in.HoldMS, next.in.HoldMS, next.at.Sub(first.at), w.polls[0].in.HoldMS)
		}
		w.logged(t, "INFO registered", "WARN contact with the server is lost",
			"INFO contact with the server is back took="+w.polls[3].at.Sub(w.polls[0].at).Round(time.Millisecond).String())
	})
	bubble(t, "so is one before the first registration", func(t *testing.T) {
		w := start(t, &server{register: func(n int, _ api.Register) (api.Registered, error) {
			if n < 100 {
				return api.Registered{}, errRefused
			}
			return registered(n), nil
		}})
		time.Sleep(time.Hour)
		if err := w.end(); err != nil || len(w.registers) != 101 || len(w.polls) == 0 {
			t.Errorf("Run() = %v after %d registrations and %d polls, want 101 and some", err, len(w.registers), len(w.polls))
		}
	})
	bubble(t, "what the server asks for is waited, up to the cap", func(t *testing.T) {
		w := start(t, &server{poll: func(ctx context.Context, n int, in api.Poll) ([]api.Packet, error) {
			if n < 2 {
				return nil, &api.Error{Status: 503, Code: api.CodeUnavailable, RetryAfter: []time.Duration{7 * time.Second, time.Hour}[n]}
			}
			return nothing(ctx, in)
		}})
		time.Sleep(time.Minute)
		w.end()
		for n, want := range []time.Duration{7 * time.Second, 30 * time.Second} {
			if gap := w.polls[n+1].at.Sub(w.polls[n].at); gap < want || gap > want+200*time.Millisecond {
				t.Errorf("wait %d is %s, want %s and a little", n, gap, want)
			}
		}
	})
	bubble(t, "the waits fill their range", func(t *testing.T) {
		w := start(t, &server{poll: func(context.Context, int, api.Poll) ([]api.Packet, error) { return nil, errRefused }})
		time.Sleep(2 * time.Hour)
		w.end()
		var low, high bool
		for n := 10; n < len(w.polls)-1; n++ {
			gap := w.polls[n+1].at.Sub(w.polls[n].at)
			low, high = low || gap < 3*time.Second, high || gap > 27*time.Second
		}
		if !low || !high {
			t.Errorf("%d waits never were short (%t) or long (%t)", len(w.polls), low, high)
		}
	})
}

func TestIdling(t *testing.T) {
	t.Parallel()
	bubble(t, "a day costs a poll per hold and one line", func(t *testing.T) {
		w := start(t, &server{})
		time.Sleep(24 * time.Hour)
		_, polls, beats := w.counts()
		if most := int(24 * time.Hour / holdTime); polls > most+1 || polls < most || beats > 0 {
			t.Errorf("%d polls and %d heartbeats, want %d and none", polls, beats, most)
		}
		if err := w.end(); err != nil {
			t.Errorf("Run() = %v", err)
		}
		w.logged(t, "INFO registered")
	})
	bubble(t, "answers that come at once with nothing are no loop without a pause", func(t *testing.T) {
		w := start(t, &server{poll: func(context.Context, int, api.Poll) ([]api.Packet, error) { return nil, nil }})
		time.Sleep(time.Hour)
		if _, polls, _ := w.counts(); polls > 500 {
			t.Errorf("%d polls in an hour", polls)
		}
		w.end()
		w.logged(t, "INFO registered")
	})
}

// A server that goes on sending what the worker refuses is asked less and less
// often, but often enough to keep the session.
func TestPollsBackOffFromWhatIsRefused(t *testing.T) {
	t.Parallel()
	refused := api.Packet{PacketType: api.PacketRun, Cookie: "refused", Fence: 1, Pipeline: "p", Delivery: api.AtMostOnce}
	bubble(t, "", func(t *testing.T) {
		w := start(t, &server{
			poll: func(context.Context, int, api.Poll) ([]api.Packet, error) { return []api.Packet{refused}, nil },
			heartbeat: func(context.Context, int, api.Heartbeat) (api.Beat, error) {
				return api.Beat{Packets: []api.Packet{refused}}, nil
			},
		}, heldRun)
		time.Sleep(time.Hour)
		_, polls, beats := w.counts()
		if most := int(time.Hour / renewTime); polls > 4*most || polls < most || beats > 2*most {
			t.Errorf("%d polls and %d heartbeats in an hour", polls, beats)
		}
		w.end()
		w.logged(t, "INFO registered")
	})
	bubble(t, "one that is taken up ends that", func(t *testing.T) {
		w := start(t, &server{poll: func(ctx context.Context, n int, in api.Poll) ([]api.Packet, error) {
			switch {
			case n < 20:
				return []api.Packet{refused}, nil
			case n == 20:
				return []api.Packet{refused, run}, nil
			}
			return nothing(ctx, in)
		}})
		time.Sleep(10 * time.Minute)
		w.end()
		if last, next := w.polls[20].at, w.polls[21].at; next != last {
			t.Errorf("the poll after a run comes after %s, want it at once", next.Sub(last))
		}
	})
}

func TestPackets(t *testing.T) {
	t.Parallel()
	bubble(t, "the next poll names what was received, at once", func(t *testing.T) {
		w := start(t, &server{poll: func(ctx context.Context, n int, in api.Poll) ([]api.Packet, error) {
			if n == 0 {
				return []api.Packet{run, {PacketType: api.PacketCancel, Cookie: "b", Fence: 1}}, nil
			}
			return nothing(ctx, in)
		}})
		synctest.Wait()
		if got := w.polls[0].in.Holding; len(got) != 0 {
			t.Errorf("the first poll holds %v", got)
		}
		if got := w.polls[1]; !slices.Equal(got.in.Holding, []api.Held{heldRun}) || got.at != w.polls[0].at {
			t.Errorf("the second poll holds %v, %s later, want %v at once", got.in.Holding, got.at.Sub(w.polls[0].at), heldRun)
		}
		if want := []string{"RUN a", "CANCEL b"}; !slices.Equal(w.packets, want) {
			t.Errorf("packets %q, want %q", w.packets, want)
		}
		w.end()
	})
	bubble(t, "CANCEL comes by heartbeat too", func(t *testing.T) {
		w := start(t, &server{heartbeat: func(context.Context, int, api.Heartbeat) (api.Beat, error) {
			return api.Beat{Packets: []api.Packet{{PacketType: api.PacketCancel, Cookie: "a", Fence: 7}}, Lost: []api.Held{{Cookie: "b"}}}, nil
		}}, heldRun)
		time.Sleep(20 * time.Second)
		w.end()
		if !slices.Equal(w.packets, []string{"CANCEL a"}) || len(w.lost) != 1 || w.lost[0].in != "b" {
			t.Errorf("packets %q and lost %v, want CANCEL a and b", w.packets, w.lost)
		}
	})
	bubble(t, "SHUTDOWN is delivered once per receipt, and acknowledged", func(t *testing.T) {
		w := start(t, &server{poll: func(ctx context.Context, n int, in api.Poll) ([]api.Packet, error) {
			if n < 2 {
				return []api.Packet{{PacketType: api.PacketShutdown}}, nil
			}
			return nothing(ctx, in)
		}})
		time.Sleep(time.Minute)
		w.end()
		if !slices.Equal(w.packets, []string{"SHUTDOWN", "SHUTDOWN"}) {
			t.Errorf("packets %q, want SHUTDOWN for each receipt", w.packets)
		}
		if w.polls[0].in.Draining || !w.polls[1].in.Draining {
			t.Errorf("draining %t, then %t, want no, then yes", w.polls[0].in.Draining, w.polls[1].in.Draining)
		}
	})
}

func TestSessions(t *testing.T) {
	t.Parallel()
	for _, code := range []api.Code{api.CodeUnauthorized, api.CodeForbidden, api.CodeInvalidRequest, api.CodeSessionSuperseded} {
		refusal := fmt.Errorf("call: %w", api.Errorf(code, "no"))
		for where, s := range map[string]*server{
			"register":  {register: func(int, api.Register) (api.Registered, error) { return api.Registered{}, refusal }},
			"poll":      {poll: func(context.Context, int, api.Poll) ([]api.Packet, error) { return nil, refusal }},
			"heartbeat": {heartbeat: func(context.Context, int, api.Heartbeat) (api.Beat, error) { return api.Beat{}, refusal }},
		} {
			if where == "register" && code == api.CodeSessionSuperseded {
				continue
			}
			bubble(t, fmt.Sprintf("%s at %s ends it", code, where), func(t *testing.T) {
				w := start(t, s, heldRun)
				want, lost := refusal, 0
				if code == api.CodeSessionSuperseded {
					want, lost = poller.ErrSuperseded, 1
				}
				time.Sleep(20 * time.Second) // a heartbeat is due by then
				select {
				case err := <-w.done:
					if !errors.Is(err, want) {
						t.Errorf("Run() = %v, want %v", err, want)
					}
				default:
					t.Error("Run() goes on")
				}
				if len(w.lost) != lost {
					t.Errorf("%d leases are lost, want %d", len(w.lost), lost)
				}
			})
		}
	}
	bubble(t, "a registration that is too large ends it", func(t *testing.T) {
		w := start(t, &server{register: func(int, api.Register) (api.Registered, error) {
			return api.Registered{}, api.Errorf(api.CodeBodyTooLarge, "the body is larger than the limit of 7 bytes")
		}}, heldRun)
		synctest.Wait()
		select {
		case err := <-w.done:
			if want := "the server takes no registration with 0 pipelines and 1 leases: the body is larger than the limit of 7 bytes"; err == nil || err.Error() != want {
				t.Errorf("Run() = %v, want %s", err, want)
			}
		default:
			t.Error("Run() goes on")
		}
	})
	for _, code := range []api.Code{api.CodeSessionNotFound, api.CodeWorkerNotFound} {
		bubble(t, string(code)+" registers again, with what is held", func(t *testing.T) {
			w := start(t, &server{
				poll: func(ctx context.Context, n int, in api.Poll) ([]api.Packet, error) {
					if n == 0 {
						return []api.Packet{run}, nil
					}
					if in.Session == "s0" {
						return nil, api.Errorf(code, "who?")
					}
					return nothing(ctx, in)
				},
				register: func(n int, in api.Register) (api.Registered, error) {
					out := registered(n)
					out.Lost = in.Holding
					return out, nil
				},
			})
			time.Sleep(time.Minute)
			if _, session := w.p.Session(); session != "s1" {
				t.Errorf("session %q, want s1", session)
			}
			w.end()
			if len(w.registers) != 2 || !slices.Equal(w.registers[1].Holding, []api.Held{heldRun}) {
				t.Errorf("%d registrations, the last one holds %v, want 2 and %v", len(w.registers), w.registers[1].Holding, heldRun)
			}
			if len(w.lost) != 1 || w.lost[0].in != "a" {
				t.Errorf("lost %v, want what the server says", w.lost)
			}
		})
	}
	bubble(t, "a server that forgets every session is not stormed", func(t *testing.T) {
		w := start(t, &server{poll: func(context.Context, int, api.Poll) ([]api.Packet, error) {
			return nil, api.Errorf(api.CodeSessionNotFound, "who?")
		}})
		time.Sleep(time.Hour)
		if registers, _, _ := w.counts(); registers > 500 {
			t.Errorf("%d registrations in an hour", registers)
		}
		w.end()
	})
}

func TestDrain(t *testing.T) {
	t.Parallel()
	bubble(t, "the server is told, by Leave and by every poll and heartbeat", func(t *testing.T) {
		w := start(t, &server{poll: func(ctx context.Context, n int, in api.Poll) ([]api.Packet, error) {
			if n == 3 {
				return nil, api.Errorf(api.CodeSessionNotFound, "who?")
			}
			return nothing(ctx, in)
		}}, heldRun)
		time.Sleep(time.Second)
		if err := w.p.Drain(t.Context()); err != nil || !slices.Equal(w.left, []string{"w s0"}) {
			t.Errorf("Drain() = %v and left %q, want w s0", err, w.left)
		}
		time.Sleep(5 * time.Minute)
		w.end()
		for n, p := range w.polls {
			if p.in.Draining != (n > 0) {
				t.Errorf("poll %d of session %s says draining: %t", n, p.in.Session, p.in.Draining)
			}
		}
		for n, b := range w.beats {
			if !b.in.Draining {
				t.Errorf("heartbeat %d does not say draining", n)
			}
		}
		if len(w.beats) == 0 || w.polls[len(w.polls)-1].in.Session != "s1" {
			t.Error("no heartbeat, or no second session")
		}
	})
	bubble(t, "what has just arrived is named before the session is left", func(t *testing.T) {
		w := start(t, &server{poll: func(ctx context.Context, n int, in api.Poll) ([]api.Packet, error) {
			if n == 0 {
				return []api.Packet{{PacketType: api.PacketRun, Cookie: "c", Fence: 1}}, nil
			}
			return nothing(ctx, in)
		}})
		time.Sleep(time.Second)
		_, before, _ := w.counts()
		if err := w.p.Drain(t.Context()); err != nil {
			t.Errorf("Drain() = %v", err)
		}
		w.end()
		if w.polls[before].in.HoldMS != 0 || !slices.Equal(w.polls[before].in.Holding, []api.Held{{Cookie: "c", Fence: 1}}) {
			t.Errorf("the first poll of the drain is %+v, want one that names c/1 and is not held", w.polls[before].in)
		}
	})
	bubble(t, "a session that was left with nothing in hand is not opened again", func(t *testing.T) {
		left := make(chan struct{})
		w := start(t, &server{
			poll: func(ctx context.Context, _ int, in api.Poll) ([]api.Packet, error) {
				select {
				case <-left:
					return nil, api.Errorf(api.CodeSessionNotFound, "who?")
				case <-time.After(hold(in)):
					return nil, nil
				}
			},
			leave: func(context.Context) error { close(left); return nil },
		})
		time.Sleep(time.Second)
		if err := w.p.Drain(t.Context()); err != nil {
			t.Errorf("Drain() = %v", err)
		}
		time.Sleep(time.Minute)
		if registers, _, _ := w.counts(); registers != 1 {
			t.Errorf("it registered %d times, want once", registers)
		}
		if err := w.end(); err != nil {
			t.Errorf("Run() = %v", err)
		}
	})
	bubble(t, "a server that never answers is not waited for", func(t *testing.T) {
		silent := func(ctx context.Context) error { return pass(ctx, time.Hour) }
		w := start(t, &server{
			poll:  func(ctx context.Context, _ int, _ api.Poll) ([]api.Packet, error) { return nil, silent(ctx) },
			leave: silent,
		}, heldRun)
		synctest.Wait()
		for name, call := range map[string]struct {
			of   func(context.Context) error
			most time.Duration
		}{"Drain": {w.p.Drain, 6 * time.Second}, "Leave": {w.p.Leave, 3 * time.Second}} {
			began := time.Now()
			if err := call.of(t.Context()); err == nil || time.Since(began) > call.most {
				t.Errorf("%s() = %v after %s, want an error after %s at most", name, err, time.Since(began), call.most)
			}
		}
		w.end()
	})
	bubble(t, "before the first session there is nothing to leave", func(t *testing.T) {
		s := &server{}
		p := poller.New(poller.Config{}, s, &worker{}, slog.New(&journal{}))
		if err := p.Drain(t.Context()); err != nil || len(s.left) > 0 {
			t.Errorf("Drain() = %v and left %q, want nothing", err, s.left)
		}
	})
}

func TestStopping(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{0, 1, time.Second, holdTime, holdTime + 1, 31 * time.Second, leaseTime, time.Hour} {
		for name, s := range map[string]*server{
			"a quiet server": {},
			"an outage":      {poll: func(context.Context, int, api.Poll) ([]api.Packet, error) { return nil, errRefused }},
			"no server":      {register: func(int, api.Register) (api.Registered, error) { return api.Registered{}, errRefused }},
			"a black hole": {
				poll: func(ctx context.Context, _ int, in api.Poll) ([]api.Packet, error) {
					return nil, errors.Join(pass(ctx, hold(in)+10*time.Second), errCut)
				},
				heartbeat: func(ctx context.Context, _ int, _ api.Heartbeat) (api.Beat, error) {
					return api.Beat{}, errors.Join(pass(ctx, 10*time.Second), errCut)
				},
			},
		} {
			bubble(t, fmt.Sprintf("after %s of %s", d, name), func(t *testing.T) {
				w := start(t, s, heldRun)
				time.Sleep(d)
				began := time.Now()
				if err := w.end(); err != nil || time.Since(began) > 0 {
					t.Errorf("Run() = %v, %s after its end was asked for, want nil at once", err, time.Since(began))
				}
			})
		}
	}
	bubble(t, "before it starts", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := poller.New(poller.Config{}, &server{}, &worker{}, slog.New(&journal{})).Run(ctx); err != nil {
			t.Errorf("Run() = %v", err)
		}
	})
}

// Each registration says which of this process's it is, so that one which is
// delivered late supersedes nothing.
func TestRegistrationsAreNumbered(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		w := start(t, &server{register: func(n int, _ api.Register) (api.Registered, error) {
			if n < 2 {
				return api.Registered{}, errRefused
			}
			return registered(n), nil
		}})
		time.Sleep(time.Minute)
		w.end()
		process, _, _ := strings.Cut(w.registers[0].Session, ".")
		for n, r := range w.registers {
			if want := fmt.Sprintf("%s.%d", process, n+1); r.Session != want || len(process) < 16 {
				t.Errorf("registration %d is called %q, want %q", n, r.Session, want)
			}
		}
		if len(w.registers) != 3 {
			t.Errorf("%d registrations, want 3", len(w.registers))
		}
	})
}
