package meter

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// A Worker is one reading of a worker.
type Worker struct {
	SlotsUsed, SlotsLimit int
	Runs                  map[string]int   // in hand, by state
	Polls                 map[string]int64 // since the start, by outcome
	Ready, Paused         bool
	Heard                 time.Time     // when the server last answered; zero before
	Hold                  time.Duration // of polls, in use

	OutboxEntries int
	OutboxBytes   int64
	OutboxOldest  time.Time // zero when nothing waits

	LinesWaiting int   // that runs logged
	LinesDropped int64 // since the start
}

// ObserveWorker measures a worker until stop is called.
func ObserveWorker(read func() Worker) (stop func() error, err error) {
	s := newSet()
	used := s.gauge("pullrun.worker.slots.used", "{slot}", "Slots that a run is in.")
	limit := s.gauge("pullrun.worker.slots.limit", "{slot}", "Slots that this worker has.")
	runs := s.gauge("pullrun.worker.runs", "{run}", "Runs that this worker holds.")
	ready := s.gauge("pullrun.worker.ready", "1", "Whether this worker can take work, 0 or 1.")
	paused := s.gauge("pullrun.worker.paused", "1", "Whether this worker takes nothing for the time being, 0 or 1: memory is short, or there is no room for results.")
	polls := s.counter("pullrun.worker.polls", "{poll}", "Polls that have ended.")
	contact := s.seconds("pullrun.worker.contact.age", "Time since the server last answered; 0 before the first answer.")
	hold := s.seconds("pullrun.worker.poll.hold", "How long polls are held, which the path may have lowered.")
	entries := s.gauge("pullrun.outbox.entries", "{result}", "Results that the server has not judged.")
	bytes := s.gauge("pullrun.outbox.size", "By", "Size of these results.")
	oldest := s.seconds("pullrun.outbox.oldest.age", "How long the oldest of these results has waited.")
	waiting := s.gauge("pullrun.feed.waiting", "{line}", "Lines that runs logged and that wait to be posted.")
	dropped := s.counter("pullrun.feed.dropped", "{line}", "Lines that runs logged and that were dropped here.")
	return s.observe(func(_ context.Context, o metric.Observer) error {
		w := read()
		o.ObserveInt64(waiting, int64(w.LinesWaiting))
		o.ObserveInt64(dropped, w.LinesDropped)
		o.ObserveInt64(used, int64(w.SlotsUsed))
		o.ObserveInt64(limit, int64(w.SlotsLimit))
		for state, n := range w.Runs {
			o.ObserveInt64(runs, int64(n), with(RunStateKey, state))
		}
		for outcome, n := range w.Polls {
			o.ObserveInt64(polls, n, with(OutcomeKey, outcome))
		}
		o.ObserveInt64(ready, truth(w.Ready))
		o.ObserveInt64(paused, truth(w.Paused))
		o.ObserveFloat64(contact, since(w.Heard))
		o.ObserveFloat64(hold, w.Hold.Seconds())
		o.ObserveInt64(entries, int64(w.OutboxEntries))
		o.ObserveInt64(bytes, w.OutboxBytes)
		o.ObserveFloat64(oldest, since(w.OutboxOldest))
		return nil
	})
}

// truth is 1 for what is so.
func truth(is bool) int64 {
	if is {
		return 1
	}
	return 0
}
