package store_test

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pullrun/pullrun/server/store"
)

// BenchmarkScale compares a store that holds much with an empty one, in
// everything that must not take longer then:
//
//	go test -run - -bench Scale -benchtime 3000x -timeout 1h ./server/store
//
// It fills each store once. With PULLRUN_BENCH_FINISHED=1000000, as many finished
// runs as a busy month leaves, that takes minutes.
func BenchmarkScale(b *testing.B) {
	finished := 50_000
	if text := os.Getenv("PULLRUN_BENCH_FINISHED"); text != "" {
		if _, err := fmt.Sscan(text, &finished); err != nil {
			b.Fatal(err)
		}
	}
	for _, size := range []struct{ queued, finished int }{{0, 0}, {100_000, 0}, {0, finished}} {
		b.Run(fmt.Sprintf("queued=%d,finished=%d", size.queued, size.finished), func(b *testing.B) {
			s := &scale{world: newWorld(b)}
			s.fill(size.queued, "long")
			s.fill(size.finished, "q")
			s.drain()
			b.Run("cycle", func(b *testing.B) { s.cycle(b, "q") })
			b.Run("backlog", func(b *testing.B) { s.cycle(b, "long") })
			b.Run("list", s.lists)
			b.Run("look", s.looks)
		})
	}
}

// scale is a store that is being compared.
type scale struct {
	*world
	runs    atomic.Int64 // submitted
	workers int
}

// submitTo submits one more run.
func (s *scale) submitTo(queue string) {
	i := s.runs.Add(1)
	s.submit(fmt.Sprint("run-", i), func(r *store.NewRun) {
		r.Queue = queue
		r.Tags = map[string]string{"customer": fmt.Sprint(i % 1000)}
	})
}

func (s *scale) fill(n int, queue string) {
	var fill sync.WaitGroup
	for c := range 256 {
		fill.Go(func() {
			for i := c; i < n; i += 256 {
				s.submitTo(queue)
			}
		})
	}
	fill.Wait()
}

// worker registers one more, with a slot for each run that it asks for.
func (s *scale) worker(queue string, slots int) *drainer {
	s.workers++
	name := fmt.Sprint("w", s.workers)
	s.register(name, slots, func(n *store.NewSession) { n.Queues = []string{queue} })
	return &drainer{w: s.world, name: name, slots: slots, finished: func(string) {}}
}

// drain ends what waits in the queue "q".
func (s *scale) drain() {
	var drain sync.WaitGroup
	for range 8 {
		d := s.worker("q", 200)
		drain.Go(func() {
			for d.turn(s.t) > 0 {
			}
		})
	}
	drain.Wait()
}

// cycle submits, dispatches and ends one run after the other, 64 at a time. In a
// queue with a backlog the runs that end are those at its head.
func (s *scale) cycle(b *testing.B, queue string) {
	workers := make(chan *drainer, 64)
	for range cap(workers) {
		workers <- s.worker(queue, 1)
	}
	callers(b, cap(workers), func(int) {
		s.submitTo(queue)
		d := <-workers
		d.turn(b)
		workers <- d
	})
}

// lists reads pages as people ask for them.
func (s *scale) lists(b *testing.B) {
	for _, page := range []struct {
		name   string
		filter store.Filter
	}{
		{"newest", store.Filter{}},
		{"failed", store.Filter{States: []store.State{store.Failed}}},
		{"pipeline", store.Filter{Pipeline: "p", States: []store.State{store.Succeeded}}},
		{"tag", store.Filter{Tags: map[string]string{"customer": "7"}}},
		{"since", store.Filter{Since: t0.Add(-time.Hour)}},
		{"nothing", store.Filter{Pipeline: "none"}},
		{"worker", store.Filter{Worker: "w1"}},
		{"no worker", store.Filter{Worker: "none"}},
		{"queued", store.Filter{States: []store.State{store.Scheduled, store.Queued}}},
		{"running", store.Filter{States: []store.State{store.Running}}},
		{"queue", store.Filter{Queue: "q"}},
		{"no queue", store.Filter{Queue: "none", States: []store.State{store.Succeeded}}},
		{"failed pipeline", store.Filter{Pipeline: "none", States: []store.State{store.Failed}}},
	} {
		b.Run(page.name, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := s.List(b.Context(), page.filter, 0, 50); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// looks are what autoscalers and the server itself ask for all the time.
func (s *scale) looks(b *testing.B) {
	for _, look := range []struct {
		name string
		do   func() error
	}{
		{"queues", func() error { _, err := s.Queues(b.Context(), s.now); return err }},
		{"queue", func() error { _, err := s.Queue(b.Context(), s.now, "q"); return err }},
		{"outdated", func() error { // where all is kept, which reads most
			keep := store.Retention{Runs: map[store.State]store.Keep{store.Succeeded: {Age: 1000 * time.Hour, Count: 1 << 40}}}
			_, err := s.Outdated(b.Context(), s.now.Add(48*time.Hour), keep)
			return err
		}},
		{"audit", func() error { // of an hour in which nothing was done
			_, _, err := s.Audit(b.Context(), store.AuditFilter{Since: s.now.Add(time.Hour)}, store.AuditCursor{}, 50)
			return err
		}},
	} {
		b.Run(look.name, func(b *testing.B) {
			for b.Loop() {
				if err := look.do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
