package manager

import (
	"context"
	"fmt"
	"time"
)

// handBack is how long results may still take to be posted once the runs have
// been told to stop.
const handBack = 5 * time.Second

// Drain takes no more runs and waits for those that are held, until ctx is
// done. Then it stops them, hands them back to the server, and says how many
// it was. It must be called once, and ends the manager.
func (m *Manager) Drain(ctx context.Context) error {
	m.mu.Lock()
	m.draining = true
	held := len(m.runs)
	m.checkDrained()
	m.mu.Unlock()
	defer m.giveUp(errStopping)
	defer m.stop(errStopping)

	if held > 0 {
		m.log.Info("draining", "runs", held)
	}
	select {
	case <-m.drained:
		return nil
	case <-ctx.Done():
	}
	m.mu.Lock()
	held = len(m.runs)
	m.mu.Unlock()
	m.stop(errStopping)
	last := time.NewTimer(m.cfg.Grace + handBack)
	defer last.Stop()
	select {
	case <-m.drained:
	case <-last.C:
	}
	return fmt.Errorf("%d runs did not finish in time and were handed back", held)
}

// checkDrained closes drained when nothing is left to do. The caller has
// locked mu.
func (m *Manager) checkDrained() {
	if !m.draining || len(m.runs) > 0 || m.reporter {
		return
	}
	select {
	case <-m.drained:
	default:
		close(m.drained)
	}
}
