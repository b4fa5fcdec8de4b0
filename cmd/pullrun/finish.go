package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/poller"
)

// A pollerEnd is how a worker's poller has ended.
type pollerEnd struct {
	over chan struct{} // closed when it has
	err  error         // to be read after that
}

// refusal is why the server does not have this worker. That there is nothing to
// do is no refusal.
func (e *pollerEnd) refusal() error {
	if api.CodeOf(e.err) == api.CodeRunEnded {
		return nil
	}
	return e.err
}

// announce tells the server that this worker takes nothing more, beside what is
// in hand, and leave that it has nothing left.
func (w *workplace) announce(now context.Context) (leave func()) {
	w.manager.Refuse()
	var telling sync.WaitGroup
	telling.Go(func() {
		if err := w.poller.Drain(now); err != nil && now.Err() == nil {
			w.log.Warn("the server could not be told that this worker is draining", "err", err)
		}
	})
	return func() {
		telling.Wait()
		_ = w.poller.Leave(context.WithoutCancel(now)) // the lease ends by itself otherwise
	}
}

// finish waits for what is in hand until patience is over or ctx ends, and hands
// back what is left. When the server refuses this worker, nobody renews the
// leases of that, and it has no longer than they last.
func (w *workplace) finish(ctx context.Context, patience time.Duration, polling *pollerEnd) error {
	within, cancel := context.WithTimeout(ctx, patience)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	watching.Go(func() {
		select {
		case <-polling.over:
		case <-within.Done():
			return
		}
		held := len(w.manager.Holding())
		if held == 0 || polling.refusal() == nil {
			return
		}
		if errors.Is(polling.err, poller.ErrSuperseded) {
			w.log.Error("another worker has this one's name and its leases now, what is in hand is stopped", "worker", w.name, "runs", held)
			return
		}
		deadline, _ := within.Deadline()
		if end := w.poller.LeasesEnd(); end.Before(deadline) {
			deadline = end
		}
		left := max(0, time.Until(deadline))
		w.log.Error("the server refuses this worker: what is in hand may finish while its leases last, and is stopped then",
			"addr", w.settings().Server.URL.String(), "err", polling.err, "runs", held, "lease", left.Round(time.Millisecond))
		over := time.NewTimer(left)
		defer over.Stop()
		select {
		case <-over.C:
			cancel()
		case <-within.Done():
		}
	})
	return w.manager.Drain(within)
}
