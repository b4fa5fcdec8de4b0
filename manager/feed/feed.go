// Package feed tells the server what a worker's runs log, and where they are.
//
// The one idea: nothing here is ever waited for. A run puts its lines into a
// ring of bounded size and goes on; one loop takes what is there and posts it,
// a few times a second at most. What does not fit is dropped, the oldest
// first, and the numbers of the lines show how many those were. Where a run is
// comes from its open tasks and is looked at once a second, so that a run that
// is over sooner costs nothing.
//
// A [Feed] has a loop of its own, [Feed.Run], which ends with its context after
// a last, short attempt to post what is left.
package feed

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/pullrun/pullrun/api"
)

const (
	// pace is the least time between two posts, so that lines gather.
	pace = 250 * time.Millisecond
	// look is how often the runs' places are looked at, and how old a run must
	// be for that.
	look = time.Second
	// unwatched is how often a run's progress is told that nobody looks at.
	unwatched = 10 * time.Second
	// flushFor is how long the last posts may take.
	flushFor = 2 * time.Second

	retryMin = time.Second
	retryMax = 30 * time.Second
)

const (
	// ringLines and ringBytes bound what one run has waiting.
	ringLines = 2_000
	ringBytes = 1 << 20
	// allBytes bounds what all runs have waiting together.
	allBytes = 16 << 20
	// batchBytes bounds the data of one post, and share the lines of one run in
	// it while others wait.
	batchBytes = 256 << 10
	share      = 200
)

// A Post sends events to the server, once.
type Post func(ctx context.Context, events []api.RunEvent) (api.EventsTaken, error)

// A Feed is what a worker's runs have to tell. Its methods may be called
// concurrently.
type Feed struct {
	send   Post
	redact func(string) string
	log    *slog.Logger
	wake   chan struct{} // whoever adds a line sends; room for one

	mu sync.Mutex
	// Guarded by mu.
	runs    map[*Run]struct{} // that have not ended
	pending []*Run            // that have lines to post, in turn
	bytes   int               // of all lines that wait
	waiting int               // lines
	dropped int64             // since the start
}

// New makes a feed that posts with send. Each text passes redact on its way
// into it, which must take out what is secret.
func New(send Post, redact func(string) string, log *slog.Logger) *Feed {
	return &Feed{
		send: send, redact: redact, log: log.With("component", "feed"),
		wake: make(chan struct{}, 1), runs: make(map[*Run]struct{}),
	}
}

// Lines is how many lines wait to be posted, and how many were dropped since the
// start.
func (f *Feed) Lines() (waiting int, dropped int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.waiting, f.dropped
}

// Run posts until ctx is done, and then what is left, for two seconds at most.
// Call it once.
func (f *Feed) Run(ctx context.Context) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for ctx.Err() == nil {
		var batch []api.RunEvent
		select {
		case <-ctx.Done():
		case <-f.wake:
			batch = f.lines()
		case now := <-tick.C:
			batch = f.places(now)
		}
		if len(batch) > 0 {
			f.deliver(ctx, batch)
			sleep(ctx, pace)
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushFor)
	defer cancel()
	for batch := f.lines(); len(batch) > 0 && last.Err() == nil; batch = f.lines() {
		f.deliver(last, batch)
	}
	return nil
}

// deliver posts a batch until the server has it, will not have it, or ctx ends.
func (f *Feed) deliver(ctx context.Context, batch []api.RunEvent) {
	wait, began, warned := retryMin, time.Now(), false
	for {
		taken, err := f.send(ctx, batch)
		switch {
		case err == nil:
			if warned {
				f.log.InfoContext(ctx, "events are posted again", "took", time.Since(began))
			}
			f.watched(batch, taken.Watched)
			return
		case ctx.Err() != nil:
			return
		case refused(err):
			f.log.WarnContext(ctx, "events are dropped, the server refuses them", "count", len(batch), "err", err)
			f.drop(len(batch))
			return
		case !warned && ours(err):
			f.log.WarnContext(ctx, "events cannot be posted", "err", err, "retry_in", wait)
			warned = true
		default:
			f.log.DebugContext(ctx, "events cannot be posted", "err", err, "retry_in", wait)
		}
		sleep(ctx, wait/2+rand.N(wait/2))
		wait = min(2*wait, retryMax)
	}
}

// ours reports whether an error is of the events alone. That there is no server,
// or that it does not have this worker, the poller says.
func ours(err error) bool {
	switch api.CodeOf(err) {
	case "", api.CodeUnavailable, api.CodeUnauthorized, api.CodeForbidden:
		return false
	}
	return true
}

// drop counts events that were taken out of the rings in vain.
func (f *Feed) drop(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dropped += int64(n)
}

// refused reports whether sending the same again is useless.
func refused(err error) bool {
	var e *api.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code.Status() {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusNotFound:
		return true
	}
	return false
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// lines takes what is to be posted together: of each run that waits a share, in
// turn.
func (f *Feed) lines() (batch []api.RunEvent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	size := 0
	for len(f.pending) > 0 && len(batch) < api.MaxEventsInOne && size < batchBytes {
		r := f.pending[0]
		f.pending = f.pending[1:]
		n := 0
		for n < len(r.ring) && n < share && len(batch) < api.MaxEventsInOne && size < batchBytes {
			size += len(r.ring[n].Data)
			batch = append(batch, r.ring[n])
			n++
		}
		r.take(n)
		if r.queued = len(r.ring) > 0; r.queued {
			f.pending = append(f.pending, r)
		}
	}
	if len(f.pending) > 0 {
		f.rouse()
	}
	return batch
}

func (f *Feed) rouse() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// places takes where the runs are, of those that have something new to tell and
// are due.
func (f *Feed) places(now time.Time) (batch []api.RunEvent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for r := range f.runs {
		if now.Sub(r.began) < look || !r.watched && now.Sub(r.told) < unwatched || len(batch) == api.MaxEventsInOne {
			continue
		}
		if e, fresh := r.progress(now); fresh {
			batch = append(batch, e)
		}
	}
	return batch
}

// watched notes which of the runs somebody is looking at.
func (f *Feed) watched(batch []api.RunEvent, cookies []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for r := range f.runs {
		if slices.ContainsFunc(batch, func(e api.RunEvent) bool { return e.Kind == api.EventProgress && e.Cookie == r.lease.Cookie }) {
			r.watched = slices.Contains(cookies, r.lease.Cookie)
		}
	}
}
