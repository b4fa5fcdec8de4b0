package faults

import (
	"context"
	"log/slog"
	"testing"

	"github.com/pullrun/pullrun/server"
	"github.com/pullrun/pullrun/server/store"
	"github.com/pullrun/pullrun/server/store/storetest"
)

// TestPromisesHoldInAStorm has many clients and workers call one server of this
// process, whose races would be found, all at once: submits, reads that wait,
// cancellations, workers that supersede each other, leave and come back, and
// connections that are cut.
func TestPromisesHoldInAStorm(t *testing.T) {
	t.Parallel()
	seed := newSeed(t)
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	st, err := store.Open(t.Context(), storetest.URL(t), store.Options{Log: log, Timing: quick})
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(config(), st, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1) // Run sends its end
	go func() { ended <- s.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run() = %v", err)
		}
		if err := st.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	}()

	b := newBalancer(t, seed)
	b.serve(s.Addr().String())
	l := &load{t: t, url: b.url(), seed: seed, clients: 16, workers: 16, history: newHistory()}
	rounds := 4
	if long() {
		rounds = 400
	}
	h := l.run(func() {
		for range rounds {
			l.history.goOn(t, 1000)
		}
	})
	report(t, h, 50)
}
