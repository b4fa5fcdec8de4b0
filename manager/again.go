package manager

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/otel/span"
)

// leasedAgain obeys a RUN packet for a run that is here, and reports whether
// that was all there is to do. If it was not, the run has to be started anew,
// when what is known of it has ended. A pipeline is never at work twice at the
// same time. The caller has locked mu.
func (m *Manager) leasedAgain(known *run, p api.Packet) (done bool, _ *api.PacketError) {
	switch {
	case m.another(known.store):
		return false, refusal(api.RCCookieCollision, "this worker still holds a run of this cookie from another server's database")
	case known.packet.Fence == p.Fence: // the acknowledgement has not arrived yet
		return true, nil
	case known.packet.Fence > p.Fence || !sameRun(known.packet, p):
		return false, refusal(api.RCCookieCollision, "this worker still holds fence %d of the run", known.packet.Fence)
	case m.answerAgain(known, p):
		return true, nil
	case known.result != nil || known.stopping():
		return false, nil
	}
	m.attach(known, p)
	return true, nil
}

// attach puts a run that goes on under a new lease. Its spans go on under a span
// of the new lease: the server has written the one before in its place. The
// caller has locked mu.
func (m *Manager) attach(r *run, p api.Packet) {
	r.store, r.packet.Fence, r.packet.Attempt, r.packet.TraceLinks = m.store, p.Fence, p.Attempt, p.TraceLinks
	if r.feed != nil {
		r.feed.Refence(r.lease())
	}
	m.beginProcess(m.running, r)
	m.log.InfoContext(inTrace(p), "run is under way here already, it goes on under its new lease", "cookie", p.Cookie, "fence", p.Fence, "pipeline", p.Pipeline, "attempt", p.Attempt)
}

// stopping reports whether the run was told to stop. The caller has locked mu.
func (r *run) stopping() bool {
	select {
	case <-r.told:
		return true
	default:
		return false
	}
}

// outcomeOf waits for an earlier lease's work to end, also where the run is told to
// stop meanwhile: one that did not wait would leave the work to a further lease,
// which knows nothing of it. The work was told to stop itself, so that it ends in
// time. outcomeOf returns its result if it has succeeded all the same.
func (m *Manager) outcomeOf(prior *run) *api.Result {
	<-prior.ended
	m.mu.Lock()
	defer m.mu.Unlock()
	if prior.result.RC != api.RCOK {
		return nil
	}
	result := *prior.result
	return &result
}

// answerAgain answers a further lease of a run that has succeeded here with the
// result that is on its way already. A failure is not repeated: the new lease
// may be the retry that was asked for after it. The caller has locked mu.
func (m *Manager) answerAgain(known *run, p api.Packet) bool {
	if known.result == nil || known.result.RC != api.RCOK || known.packet.Fence > p.Fence || !sameRun(known.packet, p) {
		return false
	}
	result := *known.result
	result.Fence, result.Store, result.LastEvent = p.Fence, m.store, 0 // its lines were the earlier lease's
	r := finished(p, result, known.at)
	m.beginProcess(m.running, r)
	m.runs[p.Cookie] = r
	m.log.InfoContext(inTrace(p), "run has succeeded here before, its result is sent again", "cookie", p.Cookie, "fence", p.Fence, "pipeline", p.Pipeline)
	go m.keep(answer{run: r, packet: p, result: result, trace: r.at})
	return true
}

// sameRun reports whether two leases are of one run, and not of two that had
// their cookie one after the other. The trace that the server sends along is a
// run's own.
func sameRun(a, b api.Packet) bool {
	return a.TraceParent != "" && a.TraceParent == b.TraceParent && a.Pipeline == b.Pipeline
}

// finished is a run that is held for its result alone.
func finished(p api.Packet, result api.Result, at trace.SpanContext) *run {
	c := span.Inject(trace.ContextWithSpanContext(context.Background(), at))
	r := &run{
		store: result.Store, packet: p, result: &result, since: time.Now(), at: at, trace: c.TraceParent, stop: func(error) {},
		ended: make(chan struct{}), over: make(chan struct{}),
	}
	close(r.ended)
	return r
}
