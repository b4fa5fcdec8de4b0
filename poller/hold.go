package poller

import (
	"sync"
	"time"
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
	limit time.Duration // zero until a cut has been seen often enough
	cuts  int           // in a row
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
	if took < asked*9/10 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cuts = 0
}

// cut judges a poll that failed, and reports whether it was held for a while
// and then cut on the way. One that failed at once, or only after its hold,
// says nothing about the path. The third cut in a row halves the hold.
func (h *hold) cut(took, asked time.Duration) bool {
	if took < asked/8 || took > asked {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cuts++
	if h.cuts == cutsToAdapt {
		h.cuts = 0
		h.limit = max(asked/2, min(shortestHold, asked))
	}
	return true
}
