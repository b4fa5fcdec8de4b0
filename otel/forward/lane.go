package forward

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// mostAtOnce is about how many bytes are sent in one request. What came
	// in one is not divided.
	mostAtOnce = 1 << 20

	// patience is how long a request is tried.
	patience = 5 * time.Minute

	firstWait, longestWait = time.Second, 30 * time.Second
)

// A lane is the queue of one signal and what empties it.
type lane struct {
	to      *collector
	limit   int // of bytes that wait
	log     *slog.Logger
	dropped atomic.Int64 // items

	mu      sync.Mutex // guards what follows
	waiting []batch
	bytes   int

	ready chan struct{} // put sends, and run receives; has room for one

	// Of run alone.
	failing time.Time // since when the collector takes nothing; zero when it does
	lost    int64     // dropped when it began
}

func newLane(to *collector, limit int, log *slog.Logger) *lane {
	return &lane{to: to, limit: limit, log: log, ready: make(chan struct{}, 1)}
}

// put returns how many items found no room.
func (l *lane) put(b batch) (rejected int) {
	if b.items == 0 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bytes+len(b.body) > l.limit {
		l.dropped.Add(int64(b.items))
		return b.items
	}
	l.waiting = append(l.waiting, b)
	l.bytes += len(b.body)
	select {
	case l.ready <- struct{}{}:
	default: // run has been told
	}
	return 0
}

// take removes what is to be sent next, in one.
func (l *lane) take() []batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, size := 0, 0
	for n < len(l.waiting) && (n == 0 || size+len(l.waiting[n].body) <= mostAtOnce) {
		size += len(l.waiting[n].body)
		n++
	}
	next := slices.Clone(l.waiting[:n])
	clear(l.waiting[:n])
	l.waiting = l.waiting[n:]
	l.bytes -= size
	return next
}

// run sends until ctx ends, and then what is left, each once.
func (l *lane) run(ctx context.Context) {
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		select {
		case <-time.After(FlushTimeout):
			cancel()
		case <-sending.Done():
		}
	})()
	for {
		next := l.take()
		switch {
		case len(next) > 0:
			l.deliver(ctx, sending, next)
			continue
		case ctx.Err() != nil:
			return
		}
		select {
		case <-l.ready:
		case <-ctx.Done():
		}
	}
}

// deliver sends batches in one request, again and again where that makes sense.
// Once ctx has ended it has one more try. No try goes on when sending has ended.
//
// Where the collector refuses for good, it may be for one of them: a Prometheus
// takes nothing of a request with one sample that is too old. So each is sent
// by itself then.
func (l *lane) deliver(ctx, sending context.Context, all []batch) {
	b := join(all)
	giveUp := time.Now().Add(patience)
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		last := ctx.Err() != nil
		err := l.to.send(sending, b.body)
		var refused refusal
		final := errors.As(err, &refused) && !refused.temporary()
		switch {
		case err == nil:
			l.recovered(ctx)
			return
		case final && len(all) > 1:
			for i := range all {
				l.deliver(ctx, sending, all[i:i+1])
			}
			return
		case final, last, time.Now().After(giveUp):
			l.dropped.Add(int64(b.items))
			l.failed(ctx, b, err)
			return
		}
		l.failed(ctx, b, err)
		pause := time.NewTimer(max(wait/2+rand.N(wait/2), min(refused.after, longestWait)))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
		}
	}
}

// failed logs the first of a row of failures.
func (l *lane) failed(ctx context.Context, b batch, err error) {
	log := l.log
	if b.from != "" {
		log = log.With("worker", b.from)
	}
	if !l.failing.IsZero() {
		log.DebugContext(ctx, "the collector still does not take what workers export", "err", err)
		return
	}
	l.failing, l.lost = time.Now(), l.dropped.Load()
	log.WarnContext(ctx, "the collector does not take what workers export", "err", err)
}

// recovered logs the end of a row of failures.
func (l *lane) recovered(ctx context.Context) {
	if l.failing.IsZero() {
		return
	}
	l.log.InfoContext(ctx, "the collector takes what workers export again", "took", time.Since(l.failing), "dropped", l.dropped.Load()-l.lost)
	l.failing = time.Time{}
}
