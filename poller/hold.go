package poller

import (
	"errors"
	"net"
	"sync"
	"time"

	"github.com/pullrun/pullrun/api"
)

const (
	shortestHold = 5 * time.Second
	cutsToAdapt  = 3
)

// hold adapts how long polls are held to what the path allows: many proxies
// cut a connection that has been silent for 30 or 60 seconds.
type hold struct {
	mu sync.Mutex
	// Guarded by mu.
	limit  time.Duration // zero until cuts have been seen often enough
	proven bool          // a poll has been held for limit
	cuts   int           // in a row
}

// under is the hold to ask for, given what the server allows.
func (h *hold) under(server time.Duration) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.limit > 0 {
		return min(h.limit, server)
	}
	return server
}

// answered notes a poll that came back whole. Only one that was held for most
// of what was asked says anything about the path.
func (h *hold) answered(took, asked time.Duration) {
	if asked == 0 || took < asked*9/10 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cuts, h.proven = 0, true
}

// cut judges a poll that failed, and reports whether it was held for a while
// and then cut on the way. One that failed at once, or only after its hold,
// says nothing about the path. The third cut in a row halves the hold; where
// it cannot be shorter, a cut is a failure like any other.
func (h *hold) cut(took, asked time.Duration, err error) bool {
	if took < asked/8 || took > asked || !cutOff(err) {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cuts++
	switch {
	case h.cuts < cutsToAdapt:
		return true
	case asked <= shortestHold:
		return false
	}
	h.limit, h.proven, h.cuts = max(asked/2, shortestHold), false, 0
	return true
}

// failed notes a poll that did not get through. The cuts before it were the
// beginning of an outage, and so was what they taught unless it was proven.
func (h *hold) failed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cuts = 0
	if !h.proven {
		h.limit = 0
	}
}

// unreached reports whether a poll failed without having been held by anybody, so
// that a shorter one would have failed as well.
func unreached(took, hold time.Duration, err error) bool {
	var op *net.OpError
	return err != nil && (took < hold/8 || errors.As(err, &op) && op.Op == "dial")
}

// cutOff reports whether a call that reached the server, as far as its error
// tells, was ended by something in between.
func cutOff(err error) bool {
	var answered *api.Error
	var op *net.OpError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &answered):
		return answered.Code == api.CodeUnavailable && answered.RetryAfter == 0 // a server of ours says when
	case errors.As(err, &op) && op.Op != "read":
		return false
	case errors.As(err, &timeout) && timeout.Timeout():
		return false
	}
	return true
}
