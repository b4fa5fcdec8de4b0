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
	key, from, to string // secrets are masked, and may look the same
	source        string
}

// changes compares settings with those that are read anew: what can be changed
// while the process runs, and what wants a restart.
func changes(old, new configs.Sources, live func(key string) bool) (now, later []change) {
	before := make(map[string]configs.Source, len(old))
	for _, s := range old {
		before[s.Key] = s
	}
	for _, s := range new {
		if was := before[s.Key]; !s.Same(was) {
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
		c.tell(log, slog.LevelInfo, "setting is changed")
	}
	for _, c := range later {
		c.tell(log, slog.LevelWarn, "setting has changed in its place, and is not changed here before a restart")
	}
	log.Info("settings are read anew", "changed", len(now), "restart", len(later))
}

// tell says what has changed, and of a secret no more than that it has.
func (c change) tell(log *slog.Logger, level slog.Level, what string) {
	ctx := context.Background()
	if c.from == c.to {
		log.Log(ctx, level, what, "setting", c.key, "source", c.source)
		return
	}
	log.Log(ctx, level, what, "setting", c.key, "from", c.from, "to", c.to, "source", c.source)
}
