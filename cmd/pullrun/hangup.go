package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync"

	"github.com/pullrun/pullrun/configs"
)

// onHangup calls again for each of the signals, one at a time, until ctx ends.
func onHangup(ctx context.Context, hangups chan os.Signal, again func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			select {
			case <-hangups:
				again(ctx)
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		signal.Stop(hangups)
		cancel()
		watching.Wait()
	}
}

// A change of settings that are read anew.
type change struct {
	key, from, to string // secrets are masked
	source        string
}

// changes compares settings with those that are read anew: what can be changed
// while the process runs, and what wants a restart. A
// secret that is another is told by nobody but its place.
func changes(old, new configs.Sources, live func(key string) bool) (now, later []change) {
	before := make(map[string]configs.Source, len(old))
	for _, s := range old {
		before[s.Key] = s
	}
	for _, s := range new {
		if was := before[s.Key]; was.Value != s.Value {
			c := change{s.Key, was.Value, s.Value, s.From}
			if live(s.Key) {
				now = append(now, c)
			} else {
				later = append(later, c)
			}
		}
	}
	return now, later
}

// tellChanges says what has changed, and what would have.
func tellChanges(log *slog.Logger, now, later []change) {
	for _, c := range now {
		log.Info("setting is changed", "setting", c.key, "from", c.from, "to", c.to, "source", c.source)
	}
	for _, c := range later {
		log.Warn("setting has changed in its place, and is not changed here before a restart", "setting", c.key, "from", c.from, "to", c.to, "source", c.source)
	}
	log.Info("settings are read anew", "changed", len(now), "restart", len(later))
}
