package poller_test

import (
	"context"
	"slices"
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
		time.Sleep(holdTime + 10*time.Second + time.Minute - time.Second)
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

func TestAnnounceOpensASessionThatTakesTheLeasesAlong(t *testing.T) {
	t.Parallel()
	bubble(t, "at once", func(t *testing.T) {
		w := start(t, &server{}, heldRun)
		time.Sleep(time.Second)
		w.p.Announce(api.Register{Name: "another", Capacity: 9, Queues: []string{"q"}})
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
}
