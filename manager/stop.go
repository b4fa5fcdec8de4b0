package manager

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/manager/outbox"
	"github.com/pullrun/pullrun/otel/span"
)

// Why a run was told to stop: the causes of its context's end.
var (
	errCancelled = errors.New("cancelled")
	errTimeout   = errors.New("the run's time is over")
	errLeaseLost = errors.New("the lease is lost")
	errAbandoned = errors.New("abandoned") // what is added when it did not
	errStopping  = errors.New("interrupted: the worker is stopping")
)

// A cancellation is errCancelled with what the CANCEL packet gives as its
// reason, so that whoever reads the result knows who cancelled the run and why.
type cancellation struct{ reason string }

func (c cancellation) Error() string        { return cmp.Or(c.reason, errCancelled.Error()) }
func (c cancellation) Is(target error) bool { return target == errCancelled }

// codeOf is the result code of a run that stopped for this cause. A run that
// stopped for the worker's sake, not its own, goes back to its queue.
func codeOf(cause error) api.RC {
	switch {
	case errors.Is(cause, errCancelled):
		return api.RCCancelled
	case errors.Is(cause, errTimeout):
		return api.RCTimeout
	}
	return api.RCWorkerWentAway
}

// howItStopped tells how a run that was cancelled came to this error. The
// engine may give a run up a moment before this package does.
func howItStopped(out engine.Output, err, cause error) api.Stop {
	switch {
	case errors.Is(err, errAbandoned), errors.Is(err, engine.ErrLeftBehind):
		return api.StopAbandoned
	case out.Killed:
		return api.StopKilled
	case err == cause: // what stopped wraps its cause, what had not begun is it
		return ""
	}
	return api.StopCooperative
}

// cancel obeys a CANCEL packet. One for a run that is not here is remembered,
// in case its RUN comes after it, and answered. It reports whether a run is told
// to stop.
func (m *Manager) cancel(p api.Packet) bool {
	m.mu.Lock()
	r := m.held(p.Cookie, p.Fence)
	if r == nil {
		m.early.add(m.lease(p), time.Now())
		m.mu.Unlock()
		m.answer(p, api.RCCookieNotFound, "this worker does not hold the run")
		return false
	}
	late := r.cancelling || r.result != nil
	r.cancelling = true
	if !late {
		span.CancelRequested(r.process)
	}
	run := r.packet
	m.mu.Unlock()
	if !late {
		m.log.InfoContext(inTrace(run), "run is cancelled", "cookie", p.Cookie, "pipeline", run.Pipeline, "reason", cmp.Or(p.Reason, "none is given"))
		r.stop(cancellation{p.Reason})
	}
	return !late
}

const (
	// tombAge is longer than an answer with a RUN may be on its way. It is no
	// longer, for another run may have the cookie when the server has deleted
	// the one that was cancelled.
	tombAge  = 5 * time.Minute
	maxTombs = 1024
)

// tombstones remember leases that were cancelled before they arrived, oldest
// first.
type tombstones struct {
	leases []tombstone
}

type tombstone struct {
	lease outbox.Key
	at    time.Time
}

// lease names the lease of a packet. The caller has locked mu.
func (m *Manager) lease(p api.Packet) outbox.Key {
	return outbox.Key{Cookie: p.Cookie, Fence: p.Fence, Store: m.store}
}

func (t *tombstones) add(lease outbox.Key, now time.Time) {
	t.expire(now)
	if len(t.leases) == maxTombs {
		t.leases = t.leases[1:]
	}
	t.leases = append(t.leases, tombstone{lease, now})
}

func (t *tombstones) has(lease outbox.Key, now time.Time) bool {
	t.expire(now)
	return slices.ContainsFunc(t.leases, func(l tombstone) bool { return l.lease == lease })
}

func (t *tombstones) expire(now time.Time) {
	for len(t.leases) > 0 && now.Sub(t.leases[0].at) > tombAge {
		t.leases = t.leases[1:]
	}
}
