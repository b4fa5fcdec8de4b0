package poller_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/poller"
)

// Short runs that came together end before the next poll names them. What takes
// longer, and one run alone, is named soon.
func TestRunsThatCameTogetherHaveAMomentToEnd(t *testing.T) {
	t.Parallel()
	b := api.Packet{PacketType: api.PacketRun, Cookie: "b", Fence: 1}
	for _, tt := range []struct {
		name    string
		packets []api.Packet
		judged  []time.Duration // when the results are, in order
		want    time.Duration   // between the polls
		holding int             // named by the second
	}{
		{"one run is named at once", []api.Packet{run}, nil, 0, 1},
		{"so is one with a CANCEL", []api.Packet{run, {PacketType: api.PacketCancel, Cookie: "b", Fence: 1}}, nil, 0, 1},
		{"two are waited for", []api.Packet{run, b}, []time.Duration{2 * time.Millisecond, 5 * time.Millisecond}, 5 * time.Millisecond, 0},
		{"but not for long", []api.Packet{run, b}, []time.Duration{2 * time.Millisecond}, 20 * time.Millisecond, 1},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			s := &server{poll: func(ctx context.Context, n int, in api.Poll) ([]api.Packet, error) {
				if n == 0 {
					return tt.packets, nil
				}
				return nothing(ctx, in)
			}}
			w := &worker{}
			judged := make(chan struct{})
			p := poller.New(poller.Config{
				Register: api.Register{Name: "w", Capacity: 4},
				Judged:   func() <-chan struct{} { w.mu.Lock(); defer w.mu.Unlock(); return judged },
			}, s, w, slog.New(&journal{}))
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- p.Run(ctx) }()
			synctest.Wait()
			began := time.Now()
			for _, at := range tt.judged {
				time.Sleep(time.Until(began.Add(at)))
				w.mu.Lock()
				w.held = w.held[1:]
				close(judged)
				judged = make(chan struct{})
				w.mu.Unlock()
			}
			time.Sleep(time.Second)
			stop()
			if err := <-ended; err != nil {
				t.Errorf("Run() = %v", err)
			}
			if got := s.polls[1]; got.at.Sub(s.polls[0].at) != tt.want || len(got.in.Holding) != tt.holding {
				t.Errorf("the second poll came %s later and named %v, want it after %s with %d runs", got.at.Sub(s.polls[0].at), got.in.Holding, tt.want, tt.holding)
			}
		})
	}
}
