package store_test

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/pullrun/pullrun/server/store"
)

// The benchmarks here compare a store that holds much with an empty one. Each
// fills its store once, which takes a while:
//
//	go test -run - -bench Scale -benchtime 5000x ./server/store
//
// PULLRUN_BENCH_FINISHED=1000000 has as many finished runs as a busy month, and
// takes minutes to fill.
var sizes = []struct {
	name             string
	queued, finished int
}{
	{"empty", 0, 0},
	{"queued=100k", 100_000, 0},
	{"finished=" + finishedText(), 0, finishedRuns()},
}

func finishedText() string {
	if text := os.Getenv("PULLRUN_BENCH_FINISHED"); text != "" {
		return text
	}
	return "50000"
}

func finishedRuns() (n int) {
	if _, err := fmt.Sscan(finishedText(), &n); err != nil {
		panic(err)
	}
	return n
}

// scale runs a benchmark on a store of each size.
func scale(b *testing.B, bench func(b *testing.B, w *world)) {
	b.Helper()
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			w := newWorld(b)
			w.fill(b, "waits", size.queued)
			w.fill(b, "ended", size.finished)
			w.register("filler", 1000)
			d := &drainer{w: w, name: "filler", finished: func(string) {}}
			for size.finished > 0 && d.turn(b) > 0 {
			}
			b.ResetTimer()
			bench(b, w)
		})
	}
}

// fill submits n runs to a queue that no worker takes, or, when they are to
// end, to the one that they do.
func (w *world) fill(b *testing.B, what string, n int) {
	b.Helper()
	var fill sync.WaitGroup
	for c := range 256 {
		fill.Go(func() {
			for i := c; i < n; i += 256 {
				w.submit(fmt.Sprint(what, "-", i), func(r *store.NewRun) {
					if what == "waits" {
						r.Queue = "nobody"
					}
					r.Tags = map[string]string{"customer": fmt.Sprint(i % 1000)}
				})
			}
		})
	}
	fill.Wait()
}

// BenchmarkScaleCycle submits, dispatches and ends one run after the other, 64
// at a time.
func BenchmarkScaleCycle(b *testing.B) {
	scale(b, func(b *testing.B, w *world) {
		for c := range 64 {
			w.register(fmt.Sprint("w", c), 10)
		}
		workers := make(chan *drainer, 64)
		for c := range 64 {
			workers <- &drainer{w: w, name: fmt.Sprint("w", c), finished: func(string) {}}
		}
		callers(b, 64, func(i int) {
			w.submit(fmt.Sprint("run-", i))
			d := <-workers
			d.turn(b)
			workers <- d
		})
	})
}

// BenchmarkScaleBacklog submits to the queue with the backlog and dispatches
// from its head.
func BenchmarkScaleBacklog(b *testing.B) {
	scale(b, func(b *testing.B, w *world) {
		register := func(n *store.NewSession) { n.Queues = []string{"nobody"} }
		workers := make(chan *drainer, 64)
		for c := range 64 {
			name := fmt.Sprint("w", c)
			w.register(name, 10, register)
			workers <- &drainer{w: w, name: name, slots: 1, finished: func(string) {}}
		}
		callers(b, 64, func(i int) {
			w.submit(fmt.Sprint("run-", i), func(r *store.NewRun) { r.Queue = "nobody" })
			d := <-workers
			d.turn(b)
			workers <- d
		})
	})
}

// BenchmarkScaleList reads pages as people ask for them.
func BenchmarkScaleList(b *testing.B) {
	for name, f := range map[string]store.Filter{
		"newest":   {},
		"failed":   {States: []store.State{store.Failed}},
		"pipeline": {Pipeline: "p", States: []store.State{store.Succeeded}},
		"tag":      {Tags: map[string]string{"customer": "7"}},
		"since":    {Since: t0.Add(-time.Hour)},
		"nothing":  {Pipeline: "none"},
	} {
		b.Run(name, func(b *testing.B) {
			scale(b, func(b *testing.B, w *world) {
				for b.Loop() {
					if _, _, err := w.List(b.Context(), f, 0, 50); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// BenchmarkScaleQueues is what an autoscaler asks for all the time.
func BenchmarkScaleQueues(b *testing.B) {
	scale(b, func(b *testing.B, w *world) {
		for b.Loop() {
			if _, err := w.Queues(b.Context(), w.now); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkScaleQueue is the same for one queue that is not the longest.
func BenchmarkScaleQueue(b *testing.B) {
	scale(b, func(b *testing.B, w *world) {
		for b.Loop() {
			if _, err := w.Queue(b.Context(), w.now, "q"); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkScaleOutdated looks for what need not be kept where all is kept,
// which reads most.
func BenchmarkScaleOutdated(b *testing.B) {
	scale(b, func(b *testing.B, w *world) {
		now := w.now.Add(48 * time.Hour) // the routes may be unused
		for b.Loop() {
			if _, err := w.Outdated(b.Context(), now, store.Retention{Succeeded: 1000 * time.Hour, Runs: finishedRuns()}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkScaleAudit reads the last hour of the audit, in which nothing was done.
func BenchmarkScaleAudit(b *testing.B) {
	scale(b, func(b *testing.B, w *world) {
		for b.Loop() {
			if _, _, err := w.Audit(b.Context(), store.AuditFilter{Since: w.now.Add(time.Hour)}, store.AuditCursor{}, 50); err != nil {
				b.Fatal(err)
			}
		}
	})
}
