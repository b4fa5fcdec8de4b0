package poller_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/poller"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	bubble(t, "tells how the polls went and when the server answered", func(t *testing.T) {
		began := time.Now()
		w := start(t, &server{poll: func(ctx context.Context, n int, in api.Poll) ([]api.Packet, error) {
			switch n {
			case 1:
				return []api.Packet{run}, nil
			case 2:
				return nil, errRefused
			case 3:
				return nil, pass(ctx, time.Hour)
			}
			return nothing(ctx, in)
		}})
		synctest.Wait()
		want := poller.Status{Registered: true, Heard: began, Limit: holdTime + 10*time.Second, Hold: holdTime, Lease: leaseTime, Renew: renewTime}
		if got := w.p.Status(); got != want {
			t.Errorf("Status() = %+v, want %+v", got, want)
		}
		time.Sleep(10 * time.Second)
		w.stop() // the third poll fails only later
		<-w.done
	})
	bubble(t, "of an outage says since when", func(t *testing.T) {
		w := start(t, &server{poll: func(_ context.Context, n int, _ api.Poll) ([]api.Packet, error) { return nil, errRefused }})
		synctest.Wait()
		lost := time.Now()
		time.Sleep(time.Minute)
		got := w.p.Status()
		if !got.LostAt.Equal(lost) || got.Polls.Failed < 2 || got.Polls.Runs+got.Polls.Empty+got.Polls.Cut > 0 {
			t.Errorf("Status() = %+v, want it lost since %s", got, lost)
		}
		w.end()
	})
	bubble(t, "before the first registration is empty", func(t *testing.T) {
		w := start(t, &server{register: func(int, api.Register) (api.Registered, error) { return api.Registered{}, errRefused }})
		time.Sleep(time.Minute)
		if got := w.p.Status(); got.Registered || !got.Heard.IsZero() || got.LostAt.IsZero() {
			t.Errorf("Status() = %+v", got)
		}
		w.end()
	})
}

func TestStalled(t *testing.T) {
	t.Parallel()
	bubble(t, "is none of the loops that wait out an outage, or for a parked poll", func(t *testing.T) {
		for _, poll := range []func(context.Context, int, api.Poll) ([]api.Packet, error){
			func(context.Context, int, api.Poll) ([]api.Packet, error) { return nil, errRefused },
			func(ctx context.Context, _ int, in api.Poll) ([]api.Packet, error) { return nothing(ctx, in) },
		} {
			w := start(t, &server{poll: poll}, heldRun)
			for range 600 {
				time.Sleep(7 * time.Second)
				if got := w.p.Stalled(); got != nil {
					t.Fatalf("Stalled() = %q", got)
				}
			}
			w.end()
		}
	})
	bubble(t, "is a loop that does not come round again", func(t *testing.T) {
		w := start(t, &server{poll: func(_ context.Context, n int, _ api.Poll) ([]api.Packet, error) {
			time.Sleep(time.Hour) // whatever its context says
			return nil, nil
		}}, heldRun)
		time.Sleep(holdTime + 10*time.Second + api.Carry(api.MaxOffered) + time.Minute - time.Second)
		if got := w.p.Stalled(); got != nil {
			t.Errorf("Stalled() = %q before its time", got)
		}
		time.Sleep(2 * time.Second)
		if got := w.p.Stalled(); !slices.Equal(got, []string{"poll"}) {
			t.Errorf("Stalled() = %q, want poll", got)
		}
		w.end()
		if got := w.p.Stalled(); got != nil {
			t.Errorf("Stalled() = %q after Run", got)
		}
	})
}

func TestAnnounce(t *testing.T) {
	t.Parallel()
	another := api.Register{Name: "another", Capacity: 9, Queues: []string{"q"}}
	bubble(t, "opens a session that takes the leases along, at once", func(t *testing.T) {
		w := start(t, &server{}, heldRun)
		time.Sleep(time.Second)
		if err := w.p.Announce(t.Context(), another, func() {}); err != nil {
			t.Errorf("Announce() = %v", err)
		}
		synctest.Wait()
		if len(w.registers) != 2 {
			t.Fatalf("%d registrations, want 2", len(w.registers))
		}
		if r := w.registers[1]; r.Name != "w" || r.Capacity != 9 || len(r.Holding) != 1 || r.Holding[0] != heldRun {
			t.Errorf("registered %+v", r)
		}
		if last := w.polls[len(w.polls)-1].in.Session; last != "s1" {
			t.Errorf("the last poll is of session %q, want s1", last)
		}
		if err := w.end(); err != nil || len(w.lost) > 0 {
			t.Errorf("Run() = %v, lost %v", err, w.lost)
		}
		w.logged(t, "INFO registered", "INFO registered")
	})
	for _, code := range []api.Code{api.CodeForbidden, api.CodeUnauthorized, api.CodeInvalidRequest, api.CodeBodyTooLarge} {
		bubble(t, string(code)+" keeps the session, and what it said of the worker", func(t *testing.T) {
			var wrong atomic.Bool // what the worker shows
			w := start(t, &server{
				register: func(n int, r api.Register) (api.Registered, error) {
					if r.Capacity == 9 {
						return api.Registered{}, api.Errorf(code, "no")
					}
					return registered(n), nil
				},
				poll: func(ctx context.Context, n int, in api.Poll) ([]api.Packet, error) {
					if wrong.Load() {
						return nil, api.Errorf(api.CodeUnauthorized, "who?")
					}
					if n == 10 { // the server has forgotten the session
						return nil, api.Errorf(api.CodeSessionNotFound, "who?")
					}
					return nothing(ctx, in)
				},
			}, heldRun)
			time.Sleep(time.Second)
			wrong.Store(true)
			undo := func() {
				time.Sleep(time.Second)
				wrong.Store(false)
			}
			if err := w.p.Announce(t.Context(), another, undo); api.CodeOf(err) != code {
				t.Errorf("Announce() = %v, want %s", err, code)
			}
			time.Sleep(10 * time.Minute)
			ended := w.end()
			if len(w.registers) != 3 || w.registers[2].Capacity != 4 {
				t.Fatalf("registrations %+v, want a third that is as the first", w.registers)
			}
			if ended != nil || len(w.lost) > 0 || len(w.beats) < 30 {
				t.Errorf("Run() = %v, lost %v and sent %d heartbeats, want the leases to be renewed", ended, w.lost, len(w.beats))
			}
		})
	}
	bubble(t, "refused when its answer was lost, it goes on as what it was, in a session that nothing has superseded", func(t *testing.T) {
		var taken atomic.Int64 // the newest session's number
		w := start(t, &server{
			register: func(n int, r api.Register) (api.Registered, error) {
				switch {
				case r.Capacity != 9:
				case n == 1:
					taken.Store(1)
					return api.Registered{}, errCut
				default:
					return api.Registered{}, api.Errorf(api.CodeForbidden, "not any more")
				}
				taken.Store(int64(n))
				return registered(n), nil
			},
			poll: func(ctx context.Context, n int, in api.Poll) ([]api.Packet, error) {
				if in.Session != registered(int(taken.Load())).Session {
					return nil, api.Errorf(api.CodeSessionSuperseded, "a newer session has the name")
				}
				return nothing(ctx, in)
			},
		}, heldRun)
		time.Sleep(time.Second)
		if err := w.p.Announce(t.Context(), another, func() {}); api.CodeOf(err) != api.CodeForbidden {
			t.Errorf("Announce() = %v, want %s", err, api.CodeForbidden)
		}
		time.Sleep(10 * time.Minute)
		if err := w.end(); err != nil || len(w.lost) > 0 || len(w.registers) != 4 || w.registers[3].Capacity != 4 {
			t.Errorf("Run() = %v, lost %v, registrations %+v, want a fourth that is as the first", err, w.lost, w.registers)
		}
	})
	bubble(t, "waits out an outage, or is given up", func(t *testing.T) {
		w := start(t, &server{register: func(n int, r api.Register) (api.Registered, error) {
			if n > 0 && n < 20 {
				return api.Registered{}, errRefused
			}
			return registered(n), nil
		}})
		time.Sleep(time.Second)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.p.Announce(short, another, func() {}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Announce() = %v in an outage, want that its time was over", err)
		}
		err := w.p.Announce(t.Context(), another, func() {})
		w.end()
		if err != nil || len(w.registers) != 21 {
			t.Errorf("Announce() = %v after %d registrations, want none after 21", err, len(w.registers))
		}
	})
}

func TestLeasesEnd(t *testing.T) {
	t.Parallel()
	bubble(t, "a margin before the server takes the leases back", func(t *testing.T) {
		began := time.Now()
		w := start(t, &server{heartbeat: func(context.Context, int, api.Heartbeat) (api.Beat, error) {
			return api.Beat{}, api.Errorf(api.CodeUnauthorized, "who?")
		}}, heldRun)
		if err := <-w.done; err == nil {
			t.Error("Run() = nil, want the refusal")
		}
		if got, want := w.p.LeasesEnd(), began.Add(leaseTime-5*time.Second); !got.Equal(want) {
			t.Errorf("LeasesEnd() = %s, want %s", got, want)
		}
	})
	bubble(t, "is not known before the first registration", func(t *testing.T) {
		if got := poller.New(poller.Config{}, &server{}, &worker{}, slog.New(&journal{})).LeasesEnd(); !got.IsZero() {
			t.Errorf("LeasesEnd() = %s", got)
		}
	})
}
