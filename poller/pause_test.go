package poller_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/poller"
)

// A worker that is paused says so with its polls, and wants no runs. It is not
// draining, so that the server can ask it to end. The server is told within
// seconds that a pause has begun or ended, not when the poll's hold is over.
func TestAPausedWorkerWantsNoRuns(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		var mu sync.Mutex
		var why string // guarded by mu
		pause := func(now string) {
			mu.Lock()
			defer mu.Unlock()
			why = now
		}
		s := &server{}
		p := poller.New(poller.Config{Register: api.Register{Name: "w", Capacity: 4}, Paused: func() string {
			mu.Lock()
			defer mu.Unlock()
			return why
		}}, s, &worker{held: []api.Held{heldRun}}, slog.New(&journal{}))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		began := time.Now()
		at := func(after time.Duration) { time.Sleep(time.Until(began.Add(after))) }
		at(11 * time.Second)
		pause("memory is short")
		at(51 * time.Second)
		pause("the outbox is full")
		at(56 * time.Second)
		pause("")
		at(80 * time.Second)
		stop()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		type said struct {
			After    time.Duration
			Paused   string
			Most     int // -1 for as many as there are slots
			Draining bool
		}
		var got []said
		for _, poll := range s.polls {
			most := -1
			if poll.in.MaxRuns != nil {
				most = *poll.in.MaxRuns
			}
			got = append(got, said{poll.at.Sub(began), poll.in.Paused, most, poll.in.Draining})
		}
		want := []said{
			{0, "", -1, false},
			{15 * time.Second, "memory is short", 0, false},
			{40 * time.Second, "memory is short", 0, false},
			{55 * time.Second, "the outbox is full", 0, false},
			{60 * time.Second, "", -1, false},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the polls say (-want +got):\n%s", diff)
		}
		if lost := p.LostFor(); lost > 0 {
			t.Errorf("contact is lost for %s, though only polls were given up", lost)
		}
	})
}
