package store

import (
	"fmt"
	"time"
)

// mover carries a run through one event.
type mover struct {
	Run
	now    time.Time
	timing Timing
	ended  *Attempt
	ready  time.Time // when a run that was put back for a while is queued
}

func (m *mover) offer(e event) bool {
	if m.State != Queued || m.Blocked || m.passed(m.QueuedAt, m.QueueTimeout) {
		return false
	}
	m.State = Offered
	m.Fence++
	m.Worker, m.Session, m.WorkerDigest, m.OfferedAt = e.worker, e.session, e.digest, m.now
	return true
}

// comeBack offers the run to the worker that had it last, before anybody else
// gets it and without the wait of a run whose worker was lost.
func (m *mover) comeBack(e event) bool {
	if m.Fence != e.fence {
		return false
	}
	if m.State == Scheduled && m.Concurrency.Key == "" { // with a key it would have to wait for a slot first
		m.enqueue()
	}
	return m.offer(e)
}

// reoffer gives a lost offer more time. A run that is to be cancelled ends
// instead: the worker has just said that it does not have it.
func (m *mover) reoffer() bool {
	if m.State != Offered {
		return false
	}
	if !m.CancelAt.IsZero() {
		m.endCancelled()
		return true
	}
	m.Due = time.Time{}
	return true
}

func (m *mover) accept(e event) bool {
	switch {
	case m.State == Offered:
		m.State = Running
		m.AcceptedAt = m.now
		m.Attempts++
		m.Span = "" // that of the attempt before, until now
	case e.span == "" || e.span == m.Span:
		return false
	}
	if e.span != "" {
		m.Span = e.span
	}
	return true
}

func (m *mover) adopt(e event) bool {
	changed := m.accept(e)
	if m.Session == e.session {
		return changed
	}
	m.Session = e.session
	return true
}

func (m *mover) claim() bool {
	if m.Delivery != AtMostOnce || !m.ClaimedAt.IsZero() || !m.CancelAt.IsZero() {
		return false
	}
	m.accept(event{})
	m.ClaimedAt = m.now
	return true
}

// finish ends the run with the worker's result, unless it is one after which the
// run is tried again. A result that comes before the poll that would have named
// the run accepts the offer as well: the run began at some time since then.
func (m *mover) finish(e event) bool {
	if m.accept(event{}) {
		m.AcceptedAt = m.OfferedAt
	}
	state := Failed
	switch e.rc {
	case rcOK:
		state = Succeeded
	case rcCancelled:
		state = Cancelled
	case rcTimeout:
		state = TimedOut
	}
	if state == Cancelled {
		m.Stop = e.stop
	}
	m.endAttempt(Settled, brief(e.errText), e.rc)
	m.fail(state, e.rc, e.errText)
	return true
}

func (m *mover) release(e event) bool {
	reason := "handed back by worker"
	if e.reason != "" {
		reason += ": " + brief(e.reason)
	}
	claimed := !m.ClaimedAt.IsZero()
	if m.State == Running {
		m.endAttempt(Released, reason, "")
		m.Attempts--
	}
	switch {
	case !m.CancelAt.IsZero():
		m.endCancelled()
	case claimed:
		m.end(Dead, rcWorkerWentAway, reason+" after an at-most-once start")
	default:
		m.requeue()
	}
	return true
}

func (m *mover) expire() bool {
	switch {
	case m.State == Offered && m.CancelAt.IsZero():
		m.requeue()
		return true
	case !m.State.Leased():
		return false
	}
	m.endAttempt(Expired, "lease lost", "")
	lost := fmt.Sprintf("worker %q lost its lease on attempt %d of %d", m.Worker, m.lost(), m.MaxAttempts)
	switch {
	case !m.CancelAt.IsZero():
		if m.State == Running {
			m.Stop = StopAbandoned
		}
		m.endCancelled()
	case m.passed(m.AcceptedAt, m.RunTimeout):
		m.fail(TimedOut, rcTimeout, m.overran())
	case !m.ClaimedAt.IsZero():
		m.end(Dead, rcWorkerWentAway, lost+" after an at-most-once start")
	case m.lost() >= m.MaxAttempts:
		m.end(Dead, rcWorkerWentAway, lost)
	default:
		m.redeliver()
	}
	return true
}

func (m *mover) cancel(e event) bool {
	if !m.CancelAt.IsZero() {
		return false
	}
	m.CancelAt, m.CancelBy, m.CancelReason = m.now, e.by, e.reason
	if !m.State.Leased() {
		m.endCancelled()
	}
	return true
}

// tell notes that the worker is sent the cancellation, the first time.
func (m *mover) tell() bool {
	if m.CancelAt.IsZero() || !m.CancelToldAt.IsZero() {
		return false
	}
	m.CancelToldAt = m.now
	return true
}

// heed notes that the worker has told the run to stop, the first time.
func (m *mover) heed() bool {
	if m.CancelAt.IsZero() || !m.CancelHeededAt.IsZero() {
		return false
	}
	m.tell()
	m.CancelHeededAt = m.now
	return true
}

func (m *mover) due() bool {
	if m.Due.IsZero() || m.now.Before(m.Due) {
		return false
	}
	switch m.State {
	case Scheduled:
		m.enqueue()
	case Queued:
		m.end(TimedOut, rcTimeout, fmt.Sprintf("waited longer than %v in queue %q", m.QueueTimeout, m.Queue))
	case Offered:
		return m.expire()
	case Running:
		m.endAttempt(Abandoned, "no result in time", "")
		if !m.CancelAt.IsZero() {
			m.Stop = StopAbandoned
			m.endCancelled()
		} else {
			m.fail(TimedOut, rcTimeout, m.overran())
		}
	}
	return true
}

// resume gives a leased run its wait anew, or one that is longer, because its worker
// could not do in time what was expected of it: it did not reach the server, or the
// answer is large.
func (m *mover) resume(more time.Duration) bool {
	if m.Due.IsZero() || !m.State.Leased() {
		return false
	}
	fresh := m.now.Add(m.timing.Grace)
	switch {
	case m.State == Offered:
		fresh = m.now.Add(m.timing.Offer)
	case !m.CancelAt.IsZero():
		fresh = m.now.Add(m.timing.Cancel)
	}
	if fresh = fresh.Add(more); !fresh.After(m.Due) {
		return false
	}
	m.Due = fresh
	return true
}

// setDue works out when the run has to be looked at again, once per change of
// what that depends on, so that a wait that resume prolonged stays prolonged.
func (m *mover) setDue(before Run) {
	cancelled := m.State == Running && !m.CancelAt.Equal(before.CancelAt)
	if m.State == before.State && !cancelled && !m.Due.IsZero() {
		return
	}
	m.Due = time.Time{}
	switch {
	case m.State == Scheduled && !m.ready.IsZero():
		m.Due = m.ready
	case m.State == Scheduled:
		m.Due = m.NotBefore
	case m.State == Queued && m.QueueTimeout > 0:
		m.Due = m.QueuedAt.Add(m.QueueTimeout)
	case m.State == Offered:
		m.Due = m.now.Add(m.timing.Offer)
	case m.State == Running && !m.CancelAt.IsZero():
		m.Due = m.CancelAt.Add(m.timing.Cancel)
	case m.State == Running && m.RunTimeout > 0:
		m.Due = m.AcceptedAt.Add(m.RunTimeout + m.timing.Grace)
	}
}

// grant gives the run a slot of its key, if it waits for one and there is one.
func (m *mover) grant(e event) bool {
	if m.State != Queued || !m.Blocked || e.held >= m.Concurrency.Limit {
		return false
	}
	m.Blocked = false
	return true
}

// enqueue puts the run into its queue. One of a key waits for a slot there.
func (m *mover) enqueue() {
	m.State, m.QueuedAt, m.Blocked = Queued, m.now, m.Concurrency.Key != ""
}

// requeue puts the run back. An offer that nobody accepted leaves the time
// since when it waits as it was.
func (m *mover) requeue() {
	if !m.AcceptedAt.IsZero() {
		m.QueuedAt = m.now
	}
	m.State = Queued
	m.Worker, m.Session, m.WorkerDigest = "", "", ""
	m.OfferedAt, m.AcceptedAt, m.ClaimedAt = time.Time{}, time.Time{}, time.Time{}
}

func (m *mover) endCancelled() {
	m.end(Cancelled, rcCancelled, cancelledBy(m.CancelBy, m.CancelReason))
}

// cancelledBy says who cancelled a run, and why, to its worker and in its error.
func cancelledBy(who, why string) string {
	text := fmt.Sprintf("cancelled by %q", who)
	if why != "" {
		text += ": " + why
	}
	return text
}

func (m *mover) end(s State, rc, errText string) {
	m.State, m.RC, m.Error, m.FinishedAt = s, rc, errText, m.now
	m.Blocked = false
}

// endAttempt records the attempt. An offer that was never accepted is none.
func (m *mover) endAttempt(o Outcome, reason, rc string) {
	if m.AcceptedAt.IsZero() {
		return
	}
	m.ended = &Attempt{
		Number: m.Attempts, Fence: m.Fence, Worker: m.Worker, Session: m.Session, Span: m.Span, Digest: m.WorkerDigest,
		QueuedAt: m.QueuedAt, OfferedAt: m.OfferedAt, AcceptedAt: m.AcceptedAt, ClaimedAt: m.ClaimedAt,
		EndedAt: m.now, Outcome: o, RC: rc, Reason: reason,
	}
}

func (m *mover) passed(since time.Time, limit time.Duration) bool {
	return limit > 0 && !since.IsZero() && !m.now.Before(since.Add(limit))
}

func (m *mover) overran() string { return fmt.Sprintf("ran longer than %v", m.RunTimeout) }
