package poller_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/poller"
)

func TestOpenedComesBeforeTheFirstPollOfEachSession(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		var calls []string
		s := &server{poll: func(ctx context.Context, n int, in api.Poll) ([]api.Packet, error) {
			calls = append(calls, "poll")
			if n == 0 {
				return nil, api.Errorf(api.CodeSessionNotFound, "no such session")
			}
			return nothing(ctx, in)
		}}
		var p *poller.Poller
		p = poller.New(poller.Config{Register: api.Register{Name: "w", Capacity: 4}, Opened: func(api.Registered) {
			_, session := p.Session()
			calls = append(calls, "opened "+session)
		}}, s, &worker{}, slog.New(&journal{}))
		ctx, stop := context.WithTimeout(t.Context(), holdTime)
		defer stop()
		if err := p.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if want := []string{"opened s0", "poll", "opened s1", "poll"}; !slices.Equal(calls, want) {
			t.Errorf("called %q, want %q", calls, want)
		}
	})
}
