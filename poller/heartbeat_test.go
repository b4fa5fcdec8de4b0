package poller_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pullrun/pullrun/api"
)

// A large answer may take longer on its way than a session lasts.
func TestHeartbeatsWhileAnAnswerIsLate(t *testing.T) {
	t.Parallel()
	bubble(t, "keep the session of a worker that holds nothing yet", func(t *testing.T) {
		const slow = 5 * time.Minute
		w := start(t, &server{poll: func(ctx context.Context, n int, in api.Poll) ([]api.Packet, error) {
			if n == 0 {
				time.Sleep(slow)
				return nil, nil
			}
			return nothing(ctx, in)
		}})
		time.Sleep(slow + 10*time.Minute)
		w.end()
		last := w.polls[0].at
		for _, beat := range append(w.beats, seen[api.Heartbeat]{at: w.polls[0].at.Add(slow)}) {
			if beat.at.Sub(last) > leaseTime*2/3 {
				t.Errorf("nothing is heard of the worker from %s to %s", last, beat.at)
			}
			last = beat.at
		}
		if last.After(w.polls[0].at.Add(slow)) {
			t.Errorf("a heartbeat at %s, when nothing was late", last)
		}
	})
	bubble(t, "say nothing of an outage", func(t *testing.T) {
		w := start(t, &server{
			poll: func(ctx context.Context, n int, in api.Poll) ([]api.Packet, error) {
				if n == 0 {
					time.Sleep(holdTime + 10*time.Second)
					return nil, errRefused
				}
				return nothing(ctx, in)
			},
			heartbeat: func(context.Context, int, api.Heartbeat) (api.Beat, error) { return api.Beat{}, errRefused },
		})
		time.Sleep(10 * time.Minute)
		w.end()
		if len(w.beats) == 0 {
			t.Error("no heartbeat was sent")
		}
		w.logged(t, "INFO registered", "WARN contact with the server is lost",
			"INFO contact with the server is back took="+w.polls[1].at.Sub(w.polls[0].at).Round(time.Millisecond).String())
	})
}

func TestHeartbeats(t *testing.T) {
	t.Parallel()
	bubble(t, "come every renew, give or take a fifth", func(t *testing.T) {
		w := start(t, &server{}, heldRun)
		time.Sleep(24 * time.Hour)
		w.end()
		least, most := time.Hour, time.Duration(0)
		for n := range len(w.beats) - 1 {
			gap := w.beats[n+1].at.Sub(w.beats[n].at)
			least, most = min(least, gap), max(most, gap)
		}
		if least < 12*time.Second || least > 12500*time.Millisecond || most > 18*time.Second || most < 17500*time.Millisecond {
			t.Errorf("heartbeats come every %s to %s, want 12s to 18s", least, most)
		}
		if len(w.lost) > 0 {
			t.Error("a lease was given up")
		}
	})
	bubble(t, "claim an at-most-once run at once", func(t *testing.T) {
		claim := run
		claim.Delivery = api.AtMostOnce
		w := start(t, &server{
			poll: func(ctx context.Context, n int, in api.Poll) ([]api.Packet, error) {
				if n == 0 {
					return []api.Packet{claim}, pass(ctx, 5*time.Second)
				}
				return nothing(ctx, in)
			},
			heartbeat: func(_ context.Context, _ int, in api.Heartbeat) (api.Beat, error) {
				return api.Beat{Claimed: in.Holding}, nil
			},
		})
		time.Sleep(5*time.Second + 1)
		synctest.Wait()
		if len(w.beats) != 1 || !w.beats[0].in.Holding[0].Claim || len(w.claimed) != 1 {
			t.Errorf("%d heartbeats and %d claims, want one of each at once", len(w.beats), len(w.claimed))
		}
		w.end()
	})
	bubble(t, "renew a lease that a long poll brought before it is due", func(t *testing.T) {
		for range 5 { // the heartbeat could be due by chance
			w := start(t, &server{
				register: func(n int, _ api.Register) (api.Registered, error) {
					out := registered(n)
					out.HoldMS = 54_000
					return out, nil
				},
				poll: func(ctx context.Context, n int, in api.Poll) ([]api.Packet, error) {
					if err := pass(ctx, hold(in)); err != nil || n > 0 {
						return nil, err
					}
					return []api.Packet{run}, nil
				},
			})
			time.Sleep(time.Hour)
			w.end()
			if len(w.lost) > 0 {
				t.Errorf("the lease was given up after %s", w.lost[0].at.Sub(w.polls[0].at))
			}
		}
	})
	bubble(t, "that fail are no outage once nothing is held", func(t *testing.T) {
		w := start(t, &server{heartbeat: func(context.Context, int, api.Heartbeat) (api.Beat, error) { return api.Beat{}, errRefused }}, heldRun)
		time.Sleep(20 * time.Second)
		w.worker.mu.Lock()
		w.held = nil
		w.worker.mu.Unlock()
		time.Sleep(time.Minute)
		w.end()
		if len(w.lines) != 3 || !strings.HasPrefix(w.lines[2], "INFO contact with the server is back") {
			t.Errorf("logged %q, want the end of the outage", w.lines)
		}
	})
	bubble(t, "that are not sent any more are no end of an outage", func(t *testing.T) {
		w := start(t, &server{
			heartbeat: func(context.Context, int, api.Heartbeat) (api.Beat, error) { return api.Beat{}, errRefused },
			poll:      func(ctx context.Context, _ int, _ api.Poll) ([]api.Packet, error) { return nil, pass(ctx, time.Hour) },
		}, heldRun)
		time.Sleep(20 * time.Second)
		w.worker.mu.Lock()
		w.held = nil
		w.worker.mu.Unlock()
		time.Sleep(time.Minute)
		w.end()
		w.logged(t, "INFO registered", "WARN contact with the server is lost")
	})
	bubble(t, "that fail are sent again soon, and are two lines", func(t *testing.T) {
		w := start(t, &server{heartbeat: func(_ context.Context, n int, _ api.Heartbeat) (api.Beat, error) {
			if n < 4 {
				return api.Beat{}, errRefused
			}
			return api.Beat{}, nil
		}, poll: func(ctx context.Context, _ int, in api.Poll) ([]api.Packet, error) {
			return nil, pass(ctx, time.Hour)
		}}, heldRun)
		time.Sleep(25 * time.Second)
		w.end()
		if len(w.beats) != 5 || len(w.lost) > 0 {
			t.Errorf("%d heartbeats and %d lost leases, want 5 and none", len(w.beats), len(w.lost))
		}
		w.logged(t, "INFO registered", "WARN contact with the server is lost",
			"INFO contact with the server is back took="+w.beats[4].at.Sub(w.polls[0].at).Round(time.Millisecond).String())
	})
}

func TestLeasesAreGivenUp(t *testing.T) {
	t.Parallel()
	for name, outage := range map[string]time.Duration{"calls that fail at once": 0, "calls that hang": 10 * time.Second} {
		bubble(t, name, func(t *testing.T) {
			const slow = 2 * time.Second // it took the last answer to come
			over := time.Now().Add(10 * time.Minute)
			s := &server{
				poll: func(ctx context.Context, n int, in api.Poll) ([]api.Packet, error) {
					if time.Now().After(over) {
						return nothing(ctx, in)
					}
					if err := pass(ctx, outage); err != nil {
						return nil, err
					}
					return nil, errRefused
				},
				heartbeat: func(ctx context.Context, n int, _ api.Heartbeat) (api.Beat, error) {
					if n < 3 || time.Now().After(over) {
						return api.Beat{}, pass(ctx, slow)
					}
					if err := pass(ctx, outage); err != nil {
						return api.Beat{}, err
					}
					return api.Beat{}, errRefused
				},
			}
			w := start(t, s, heldRun)
			time.Sleep(12 * time.Minute)
			w.end()
			if len(w.lost) != 1 {
				t.Fatalf("leases were given up %d times, want once", len(w.lost))
			}
			last := w.beats[2].at
			if after := w.lost[0].at.Sub(last); after != leaseTime-5*time.Second {
				t.Errorf("leases were given up %s after the last contact began, want lease - 5s", after)
			}
			var after int
			for _, b := range w.beats {
				if b.at.After(w.lost[0].at) && b.at.Before(over) {
					after++
				}
			}
			if after < 20 {
				t.Errorf("only %d heartbeats asked for the end of the outage", after)
			}
			if !strings.Contains(w.lines[len(w.lines)-1], "is back took=1") {
				t.Errorf("the last line is %q, want the end of the outage", w.lines[len(w.lines)-1])
			}
			w.lines = w.lines[:len(w.lines)-1]
			w.logged(t, "INFO registered", "WARN contact with the server is lost", "WARN no contact for as long as leases last, giving them up")
		})
	}
	bubble(t, "while the worker registers again, in vain", func(t *testing.T) {
		over := time.Now().Add(10 * time.Minute)
		w := start(t, &server{register: func(n int, _ api.Register) (api.Registered, error) {
			if n > 0 && time.Now().Before(over) {
				return api.Registered{}, errRefused
			}
			return registered(n), nil
		}}, heldRun)
		time.Sleep(time.Second)
		if err := w.p.Announce(t.Context(), api.Register{Capacity: 9}, func() {}); err != nil {
			t.Errorf("Announce() = %v", err)
		}
		w.end()
		contact := w.polls[0].at // which is when it registered
		if len(w.lost) != 1 || w.lost[0].at.Sub(contact) != leaseTime-5*time.Second {
			t.Fatalf("leases were given up so: %v, want once, lease - 5s after %s", w.lost, contact)
		}
		w.logged(t, "INFO registered", "WARN contact with the server is lost", "WARN no contact for as long as leases last, giving them up",
			w.lines[3], "INFO registered")
	})
	bubble(t, "while it waits to register again with a server that forgets", func(t *testing.T) {
		var registered []time.Time
		w := start(t, &server{
			register: func(n int, _ api.Register) (api.Registered, error) {
				registered = append(registered, time.Now())
				return api.Registered{WorkerID: "w", Session: "s", HoldMS: 1000, LeaseMS: 20_000, RenewMS: 5_000}, nil
			},
			poll: func(context.Context, int, api.Poll) ([]api.Packet, error) {
				return nil, api.Errorf(api.CodeSessionNotFound, "register again")
			},
		}, heldRun)
		time.Sleep(time.Hour)
		over := time.Now()
		w.end()
		var want []time.Time
		for n, at := range append(slices.Clone(registered[1:]), over) {
			if end := registered[n].Add(18 * time.Second); at.After(end) {
				want = append(want, end)
			}
		}
		var got []time.Time
		for _, l := range w.lost {
			got = append(got, l.at)
		}
		if len(want) == 0 || !slices.EqualFunc(got, want, time.Time.Equal) {
			t.Errorf("leases were given up at %v, want %v", got, want)
		}
	})
	bubble(t, "at once, when the worker itself was away for so long", func(t *testing.T) {
		w := start(t, &server{
			poll: func(ctx context.Context, n int, in api.Poll) ([]api.Packet, error) {
				return nil, fmt.Errorf("never: %w", pass(ctx, time.Hour))
			},
			heartbeat: func(ctx context.Context, n int, _ api.Heartbeat) (api.Beat, error) {
				return api.Beat{}, fmt.Errorf("in vain: %w", pass(ctx, 10*time.Second))
			},
		}, heldRun)
		synctest.Wait()
		w.worker.mu.Lock()
		w.pause = 2 * time.Minute // as after SIGSTOP
		w.worker.mu.Unlock()
		time.Sleep(3 * time.Minute)
		w.end()
		if len(w.lost) != 1 || w.lost[0].at.After(w.beats[0].at) {
			t.Errorf("leases were given up %d times, want once, before the heartbeat that was in vain", len(w.lost))
		}
	})
	bubble(t, "each silence anew", func(t *testing.T) {
		w := start(t, &server{
			poll: func(ctx context.Context, n int, in api.Poll) ([]api.Packet, error) {
				return nil, fmt.Errorf("never: %w", pass(ctx, 24*time.Hour))
			},
			heartbeat: func(ctx context.Context, n int, _ api.Heartbeat) (api.Beat, error) {
				if time.Now().Minute()%10 < 5 {
					return api.Beat{}, nil
				}
				return api.Beat{}, errRefused
			},
		}, heldRun)
		time.Sleep(time.Hour)
		w.end()
		if len(w.lost) != 6 {
			t.Errorf("leases were given up %d times, want 6", len(w.lost))
		}
	})
}
