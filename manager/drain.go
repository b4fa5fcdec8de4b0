package manager

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// handBack is how long results and refusals may still take to be posted once the
// runs have stopped.
const handBack = 5 * time.Second

// Refuse takes no more runs: what the server sends from now on is handed back.
// Call it before the server is told of a drain, so that a run that is on its way
// meanwhile is not worked on here and elsewhere.
func (m *Manager) Refuse() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.draining = true
}

// Drain takes no more runs and waits for those that are held, until ctx is
// done. Then it stops them and hands them back to the server, and gives up what
// cannot be posted soon after; it stays in the outbox, if there is one. When it
// returns nothing is left but engines that do not stop; its error says what was
// not finished and what was not posted.
func (m *Manager) Drain(ctx context.Context) error {
	m.mu.Lock()
	m.draining = true
	m.leave()
	held := len(m.runs)
	m.rest()
	m.mu.Unlock()
	if held > 0 {
		m.log.InfoContext(ctx, "draining", "runs", held)
	}
	select {
	case <-m.empty:
	case <-ctx.Done():
	}
	m.mu.Lock()
	runs, stopped := slices.Collect(maps.Values(m.runs)), 0
	for _, r := range runs {
		if r.result == nil {
			stopped++
		}
	}
	m.mu.Unlock()
	m.stop(errStopping)
	for _, r := range runs {
		<-r.ended // it does, or is abandoned when the grace period is over
	}
	last := time.NewTimer(handBack)
	defer last.Stop()
	select {
	case <-m.drained:
	case <-last.C:
	}
	m.giveUp(errStopping)
	<-m.drained

	m.mu.Lock()
	defer m.mu.Unlock()
	var problems []error
	if stopped > 0 {
		problems = append(problems, fmt.Errorf("%d runs did not finish in time and were stopped", stopped))
	}
	if m.unposted > 0 {
		problems = append(problems, fmt.Errorf("%d results could not be posted", m.unposted))
	}
	if m.left > 0 {
		problems = append(problems, fmt.Errorf("%d results wait in the outbox for the next start", m.left))
	}
	return errors.Join(problems...)
}
