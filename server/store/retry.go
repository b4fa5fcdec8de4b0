package store

import (
	"encoding/binary"
	"hash/fnv"
	"slices"
	"strings"
	"time"
)

// Retry says which results do not end a run, but have it tried again.
type Retry struct {
	Max        int           `json:"max,omitempty"`     // how often; zero is never
	Backoff    time.Duration `json:"backoff,omitempty"` // wait before the first retry, doubled for each that follows
	MaxBackoff time.Duration `json:"max_backoff,omitempty"`
	On         []string      `json:"on,omitempty"` // result codes
}

// What a run waits that does not say itself.
const (
	firstBackoff   = time.Second
	longestBackoff = 5 * time.Minute
)

// maxReason bounds what an attempt keeps of its error.
const maxReason = 4 << 10

// fail ends the run, or puts it back for a while if it is to be tried again. An
// at-most-once run that was claimed never is.
func (m *mover) fail(s State, rc, errText string) {
	if !m.CancelAt.IsZero() || !m.ClaimedAt.IsZero() || m.Retries >= m.Retry.Max || !slices.Contains(m.Retry.On, rc) {
		m.end(s, rc, errText)
		return
	}
	m.Retries++
	m.schedule(m.backoff(m.Retries))
}

// redeliver puts a run back whose worker was lost. The first time it goes to
// another worker at once; a run that loses one after the other has to wait.
func (m *mover) redeliver() {
	if lost := m.lost(); lost > 1 {
		m.schedule(m.backoff(lost - 1))
	} else {
		m.requeue()
	}
}

// lost is how many workers were lost over the run.
func (m *mover) lost() int { return m.Attempts - m.Retries }

// schedule puts the run back until a wait is over.
func (m *mover) schedule(wait time.Duration) {
	m.requeue()
	m.State, m.QueuedAt = Scheduled, m.now
	m.ready = m.now.Add(wait)
}

// backoff is the wait before the nth retry: twice as long each time, less up to
// half of it, so that runs that failed together do not come back together. What
// is taken off depends on the run and the attempt alone.
func (m *mover) backoff(n int) time.Duration {
	wait, most := m.Retry.Backoff, m.Retry.MaxBackoff
	if wait <= 0 {
		wait = firstBackoff
	}
	if most <= 0 {
		most = longestBackoff
	}
	for ; n > 1 && wait < most; n-- {
		wait *= 2
	}
	wait = min(wait, most)
	h := fnv.New64a()
	_, _ = h.Write(binary.BigEndian.AppendUint64([]byte(m.Cookie), uint64(m.Attempts))) // a hash does not fail
	return (wait - time.Duration(h.Sum64()%uint64(wait/2+1))).Truncate(time.Microsecond)
}

// brief cuts text to what an attempt keeps of it.
func brief(text string) string {
	if len(text) > maxReason {
		return strings.ToValidUTF8(text[:maxReason], "")
	}
	return text
}
