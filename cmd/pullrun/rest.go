package main

import (
	"context"
	"runtime/debug"
	"sync"
	"time"
)

// restAfter is how long a worker has nothing to do before it gives back the
// memory that it does not use, which it does as often from then on.
const restAfter = time.Minute

// resting gives memory back while a worker has nothing to do: what its runs
// needed, and the pages of the program's file that its start and its runs have
// used.
func resting(ctx context.Context, w *workplace) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var rests sync.WaitGroup
	rests.Go(func() {
		rest(ctx, w.manager.Idle, func() {
			debug.FreeOSMemory()
			if err := dropProgram(); err != nil {
				w.log.Debug("cannot give back pages of the program", "err", err)
			}
		})
	})
	return func() {
		cancel()
		rests.Wait()
	}
}

// rest calls giveBack each time that idle, which is how long there has been
// nothing to do, has grown by restAfter, until ctx ends.
func rest(ctx context.Context, idle func() time.Duration, giveBack func()) {
	next := restAfter
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(next):
		}
		next = restAfter
		if passed := idle(); passed >= restAfter {
			giveBack()
		} else {
			next -= passed
		}
	}
}
