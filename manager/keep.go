package manager

import (
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/manager/outbox"
	"github.com/pullrun/pullrun/otel/span"
)

// keepMin and keepMax bound the wait before the outbox is tried again.
const (
	keepMin = 200 * time.Millisecond
	keepMax = 5 * time.Second
)

// keep puts the answer of a run into the outbox, frees the run's slot, and
// posts it. While the outbox does not take it, it is posted all the same, which
// may save it as well, but the slot stays in use and nothing new is taken.
func (m *Manager) keep(a answer) {
	err := m.put(a)
	m.mu.Lock()
	if err == nil {
		a.run.kept = m.cfg.Outbox != nil
		m.free(a.run)
	} else {
		m.unkept++
	}
	m.finished = append(m.finished, a)
	m.postFinished()
	m.mu.Unlock()
	if err != nil {
		m.log.ErrorContext(a.context(), "result cannot be kept on disk, taking nothing more until it can or has arrived", "cookie", a.packet.Cookie, "err", err)
		m.keepTrying(a)
	} else if m.cfg.Outbox != nil {
		m.log.DebugContext(a.context(), "result is kept", "cookie", a.packet.Cookie)
	}
}

// keepTrying ends when the outbox has taken the answer, or when nobody waits
// for that any more.
func (m *Manager) keepTrying(a answer) {
	began := time.Now()
	kept := false
	for wait := keepMin; !kept; wait = min(2*wait, keepMax) {
		timer := time.NewTimer(wait/2 + rand.N(wait/2))
		select {
		case <-timer.C:
			kept = m.put(a) == nil
			continue
		case <-a.run.over:
		}
		timer.Stop()
		break
	}
	m.mu.Lock()
	m.unkept--
	a.run.kept = kept
	judged := a.run.judged
	m.free(a.run)
	m.mu.Unlock()
	if kept && judged { // it came there after it had been taken out
		m.cfg.Outbox.Judged(a.key())
	}
	if !kept && !judged {
		return // given up, which has been said
	}
	m.log.InfoContext(a.context(), "result is safe, taking runs again", "cookie", a.packet.Cookie, "took", time.Since(began).Round(time.Millisecond))
}

// key names the answer in the outbox.
func (a answer) key() outbox.Key {
	return outbox.Key{Cookie: a.packet.Cookie, Fence: a.packet.Fence, Store: a.result.Store}
}

// put writes an answer to the outbox, if there is one.
func (m *Manager) put(a answer) error {
	if m.cfg.Outbox == nil {
		return nil
	}
	c := span.Inject(trace.ContextWithSpanContext(m.posting, a.trace))
	return m.cfg.Outbox.Put(outbox.Entry{
		Packet: a.packet, Result: a.result, TraceParent: c.TraceParent, TraceState: c.TraceState,
		StartedAt: a.run.began, EndedAt: time.Now(),
	})
}

// unkeep takes answers that the server has judged out of the outbox.
func (m *Manager) unkeep(batch []answer) {
	if m.cfg.Outbox == nil {
		return
	}
	var keys []outbox.Key
	m.mu.Lock()
	for _, a := range batch {
		if a.run != nil {
			a.run.judged = true
			keys = append(keys, a.key())
		}
	}
	m.mu.Unlock()
	if len(keys) > 0 {
		m.cfg.Outbox.Judged(keys...)
	}
}

// setAside has the outbox set aside what the server has rejected, which may be
// another than the one that the results are for, and returns the other answers.
func (m *Manager) setAside(batch []answer, verdicts []api.Verdict) (others []answer) {
	var keys []outbox.Key
	m.mu.Lock()
	for i, a := range batch {
		if verdicts[i].Verdict == api.VerdictRejected && a.run != nil && a.run.kept {
			keys = append(keys, a.key())
		} else {
			others = append(others, a)
		}
	}
	m.mu.Unlock()
	if len(keys) == 0 {
		return others
	}
	if file, err := m.cfg.Outbox.SetAside(keys...); err != nil {
		m.log.Error("results of runs that the server does not know stay in the outbox for the next start; is this the server that they are for?", "count", len(keys), "err", err)
	} else {
		m.log.Error("results of runs that the server does not know are set aside; if they are another server's, send them there, as the worker's documentation tells", "count", len(keys), "file", file)
	}
	return others
}

// giveUpOn lets go of an answer that the server has not seen. One that refuses a
// packet is nobody's result: what was offered goes back to its queue without it.
func (m *Manager) giveUpOn(a answer) {
	m.mu.Lock()
	refusal, kept := a.run == nil, a.run != nil && a.run.kept
	switch {
	case refusal:
	case kept:
		m.left++
	default:
		m.unposted++
	}
	m.mu.Unlock()
	switch {
	case refusal:
		m.log.DebugContext(a.context(), "refusal is not posted, the worker is ending", "cookie", a.packet.Cookie, "rc", a.result.RC)
	case kept:
		m.log.WarnContext(a.context(), "result waits in the outbox for the next start", "cookie", a.packet.Cookie, "rc", a.result.RC)
	default:
		m.log.ErrorContext(a.context(), "result is not posted, the worker is ending", "cookie", a.packet.Cookie, "rc", a.result.RC)
	}
	m.forget(a)
}

// takeOver holds what an earlier process left in the outbox.
func (m *Manager) takeOver() {
	if m.cfg.Outbox == nil {
		return
	}
	for _, e := range m.cfg.Outbox.Entries() {
		c := span.Carrier{TraceParent: e.TraceParent, TraceState: e.TraceState}
		at := trace.SpanContextFromContext(c.Context(m.posting))
		r := finished(e.Packet, e.Result, at)
		r.began, r.kept = e.StartedAt, true
		if known := m.runs[e.Packet.Cookie]; known == nil || known.packet.Fence < e.Packet.Fence {
			m.runs[e.Packet.Cookie] = r
		}
		m.finished = append(m.finished, answer{run: r, packet: e.Packet, result: e.Result, trace: at})
	}
	if len(m.finished) > 0 {
		m.log.Info("results of an earlier start wait to be posted", "count", len(m.finished))
	}
}

// Resume posts what an earlier process left in the outbox. Call it when results
// can be posted. Further calls do nothing.
func (m *Manager) Resume() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.finished) > 0 {
		m.postFinished()
	}
	m.rest()
}

// Paused says why runs are refused for the time being: there is no room for them,
// for their results, or for more refusals. It is empty when they are taken.
func (m *Manager) Paused() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.paused()
}

// paused is Paused for callers that have locked mu.
func (m *Manager) paused() string {
	switch {
	case m.unkept > 0:
		return "a result cannot be written to the outbox"
	case m.cfg.Outbox != nil && m.cfg.Outbox.Full():
		return "the outbox is full"
	case m.cfg.Tight != nil && m.cfg.Tight():
		return "memory is short"
	case m.refused == maxRefused:
		return "refusals wait for the server"
	}
	return ""
}

// leave gives up what Resume was never called for, which stays in the outbox.
// The caller has locked mu.
func (m *Manager) leave() {
	if m.reporter {
		return
	}
	m.left += len(m.finished)
	for _, a := range m.finished {
		delete(m.runs, a.packet.Cookie)
	}
	m.finished = nil
}

// remember keeps a success that came too late for a further lease of its run.
func (m *Manager) remember(a answer) {
	if a.run == nil || a.result.RC != api.RCOK {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.late.add(a.run, time.Now())
}

// free gives a run's slot back, if it has one. The caller has locked mu.
func (m *Manager) free(r *run) {
	if r.slot {
		r.slot = false
		m.busy--
	}
}
