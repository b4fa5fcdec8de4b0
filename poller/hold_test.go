package poller_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/pullrun/pullrun/api"
)

// cutting is a path that ends every poll after so long.
func cutting(after time.Duration, err error) *server {
	return &server{poll: func(ctx context.Context, _ int, in api.Poll) ([]api.Packet, error) {
		if hold(in) <= after {
			return nothing(ctx, in)
		}
		if gone := pass(ctx, after); gone != nil {
			return nil, gone
		}
		return nil, err
	}}
}

func TestHoldAdapts(t *testing.T) {
	t.Parallel()
	const full, half, quarter, least = 25 * time.Second, 12500 * time.Millisecond, 6250 * time.Millisecond, 5 * time.Second
	const shorter = "WARN polls are cut on the way, holding them shorter hold="
	page := api.Errorf(api.CodeUnavailable, `the answer "504 Gateway Timeout" did not come from a pullrun server`)
	for _, tt := range []struct {
		name   string
		server *server
		holds  []time.Duration // of the first polls
		lines  []string
	}{
		{"three cuts halve it, and it is said once", cutting(15*time.Second, errCut),
			[]time.Duration{full, full, full, half, half, half, half, half}, []string{shorter + "12.5s"}},
		{"a proxy's page is a cut", cutting(15*time.Second, page),
			[]time.Duration{full, full, full, half, half, half, half, half}, []string{shorter + "12.5s"}},
		{"again, if need be", cutting(10*time.Second, errCut),
			[]time.Duration{full, full, full, half, half, half, quarter, quarter, quarter, quarter}, []string{shorter + "12.5s", shorter + "6.25s"}},
		{"down to 5 s", cutting(5*time.Second, errCut),
			[]time.Duration{full, full, full, half, half, half, quarter, quarter, quarter, least, least, least, least},
			[]string{shorter + "12.5s", shorter + "6.25s", shorter + "5s"}},
		{"where that does not help, it is an outage", cutting(4*time.Second, errCut),
			[]time.Duration{full, full, full, half, half, half, quarter, quarter, quarter, least, least, least, full, full},
			[]string{shorter + "12.5s", shorter + "6.25s", shorter + "5s", "WARN contact with the server is lost"}},
		{"a server that cannot be reached is no cut, and then polls are not held", &server{poll: func(ctx context.Context, n int, in api.Poll) ([]api.Packet, error) {
			if err := pass(ctx, 10*time.Second); err != nil {
				return nil, err
			}
			return nil, &net.OpError{Op: "dial", Err: errCut}
		}}, []time.Duration{full, 0, 0, 0, 0, 0, 0, 0}, []string{"WARN contact with the server is lost"}},
		{"waiting in vain is no cut", cutting(10*time.Second, context.DeadlineExceeded),
			slices.Repeat([]time.Duration{full}, 8), []string{"WARN contact with the server is lost"}},
		{"a server that says when to come back is no cut", cutting(10*time.Second, &api.Error{Code: api.CodeUnavailable, RetryAfter: time.Second}),
			slices.Repeat([]time.Duration{full}, 8), []string{"WARN contact with the server is lost"}},
		{"an answer after the hold is no cut", &server{poll: func(ctx context.Context, n int, in api.Poll) ([]api.Packet, error) {
			if err := pass(ctx, hold(in)+10*time.Second); err != nil {
				return nil, err
			}
			return nil, errCut
		}}, slices.Repeat([]time.Duration{full}, 8), []string{"WARN contact with the server is lost"}},
		{"cuts that a held poll comes between do not add up", &server{poll: func(ctx context.Context, n int, in api.Poll) ([]api.Packet, error) {
			if n%3 == 2 {
				return nothing(ctx, in)
			}
			if err := pass(ctx, 10*time.Second); err != nil {
				return nil, err
			}
			return nil, errCut
		}}, slices.Repeat([]time.Duration{full}, 12), nil},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			w := start(t, tt.server)
			for range 1000 {
				if _, polls, _ := w.counts(); polls > len(tt.holds) {
					break
				}
				time.Sleep(time.Second)
			}
			w.end()
			var holds []time.Duration
			for _, p := range w.polls[:min(len(w.polls), len(tt.holds))] {
				holds = append(holds, hold(p.in))
			}
			if !slices.Equal(holds, tt.holds) {
				t.Errorf("holds\n got %v\nwant %v", holds, tt.holds)
			}
			w.logged(t, append([]string{"INFO registered"}, tt.lines...)...)
		})
	}
}

// Each restart of a server cuts the parked poll; a worker that is busy has no
// whole hold in between.
func TestRestartsDoNotShortenTheHold(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		w := start(t, &server{poll: func(ctx context.Context, n int, in api.Poll) ([]api.Packet, error) {
			if err := pass(ctx, 10*time.Second); err != nil {
				return nil, err
			}
			switch n % 3 {
			case 0:
				return nil, errCut
			case 1:
				return nil, errRefused
			}
			return []api.Packet{{PacketType: api.PacketCancel, Cookie: fmt.Sprint(n), Fence: 1}}, nil
		}})
		time.Sleep(time.Hour)
		w.end()
		for n, p := range w.polls {
			want := holdTime
			if n%3 == 2 { // it is the first after a refusal
				want = 0
			}
			if hold(p.in) != want {
				t.Fatalf("poll %d asks for %s, want %s", n, hold(p.in), want)
			}
		}
	})
}

// What was learnt about the path and proven is not forgotten in an outage.
func TestAnOutageKeepsAProvenHold(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		cut := cutting(15*time.Second, errCut)
		w := start(t, &server{poll: func(ctx context.Context, n int, in api.Poll) ([]api.Packet, error) {
			if n >= 5 && n < 10 {
				return nil, errRefused
			}
			return cut.poll(ctx, n, in)
		}})
		time.Sleep(10 * time.Minute)
		w.end()
		if got := hold(w.polls[12].in); got != 12500*time.Millisecond {
			t.Errorf("after the outage polls ask for %s, want 12.5s", got)
		}
	})
}
