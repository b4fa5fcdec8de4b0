package feed_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/manager/feed"
)

// What a run costs that logs nothing, and what a line costs.
func BenchmarkFeed(b *testing.B) {
	post := func(context.Context, []api.RunEvent) (api.EventsTaken, error) { return api.EventsTaken{}, nil }
	f := feed.New(post, func(text string) string { return text }, slog.New(slog.DiscardHandler))
	b.Run("run", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r := f.Begin(api.Held{Cookie: "c", Fence: 1}, nowhere)
			r.Log(quiet(), taskOf)
			r.End()
		}
	})
	b.Run("line", func(b *testing.B) {
		b.ReportAllocs()
		log := f.Begin(api.Held{Cookie: "c", Fence: 1}, nowhere).Log(quiet(), taskOf)
		for b.Loop() {
			log.Info("print", "pipeline", "p", "text", "a line of usual length, as people write them")
		}
	})
}
