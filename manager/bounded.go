package manager

import "time"

// Room is how many more runs are begun, or -1 when there is no limit. What is
// sent beyond it is handed back.
func (m *Manager) Room() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.room()
}

// room is Room for callers that have locked mu.
func (m *Manager) room() int {
	if m.cfg.MaxRuns <= 0 {
		return -1
	}
	return m.cfg.MaxRuns - m.begun
}

// Through is closed when all the runs of MaxRuns have begun and ended, and their
// results have been judged. Without a limit it never is.
func (m *Manager) Through() <-chan struct{} { return m.through }

// Idle is how long there has been nothing to do, from the first Resume on: no
// run is under way, and no result on its way.
func (m *Manager) Idle() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.idle.IsZero() {
		return 0
	}
	return time.Since(m.idle)
}

// rest notes that no run is held, and that there is nothing to do, if that is so.
// The caller has locked mu.
func (m *Manager) rest() {
	if len(m.runs) > 0 {
		return
	}
	if m.draining {
		closeOnce(m.empty)
	}
	if m.reporter {
		return
	}
	if m.idle.IsZero() {
		m.idle = time.Now()
	}
	if m.room() == 0 {
		closeOnce(m.through)
	}
	if m.draining {
		closeOnce(m.drained)
	}
}

// closeOnce closes a channel that only callers that have locked mu close.
func closeOnce(c chan struct{}) {
	select {
	case <-c:
	default:
		close(c)
	}
}
