package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/pullrun/pullrun/api"
)

// progress is one line about a run that is waited for, kept up to date while
// somebody watches. Where nobody does, it is silent.
type progress struct {
	t       terminal
	on      bool
	stop    chan struct{} // closed by clear
	stopped sync.WaitGroup

	mu sync.Mutex
	// Guarded by mu.
	run api.Run
}

const progressEvery = 100 * time.Millisecond

func newProgress(t terminal, run api.Run) *progress {
	p := &progress{t: t, on: t.interactive(), stop: make(chan struct{}), run: run}
	if !p.on {
		return p
	}
	p.stopped.Go(func() {
		began := time.Now()
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-p.stop:
				return
			case now := <-tick.C:
				p.draw(now.Sub(began))
			}
		}
	})
	return p
}

// show notes what is known of the run now.
func (p *progress) show(run api.Run) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.run = run
}

func (p *progress) draw(elapsed time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line := fmt.Sprintf("%s %s %s", p.run.Pipeline, strings.ToLower(string(p.run.State)), took(elapsed.Truncate(progressEvery)))
	if p.run.Worker != "" {
		line += " on " + p.run.Worker
	}
	if p.run.Attempt > 1 {
		line += fmt.Sprintf(", attempt %d of %d", p.run.Attempt, p.run.MaxAttempts)
	}
	fmt.Fprintf(p.t.err, "\r\x1b[K%s", line)
}

// clear takes the line away.
func (p *progress) clear() {
	if !p.on {
		return
	}
	close(p.stop)
	p.stopped.Wait()
	fmt.Fprint(p.t.err, "\r\x1b[K")
}
