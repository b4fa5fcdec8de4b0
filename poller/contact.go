package poller

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// contact remembers when the server was last heard of, so that an outage is
// one line in the log and its end another, whichever calls notice it.
type contact struct {
	mu sync.Mutex
	// Guarded by mu.
	at      time.Time       // the beginning of the last call that was answered
	heard   time.Time       // when that was
	failing map[string]bool // kinds of calls whose last one failed
	lostAt  time.Time       // when the first of them did
}

// made notes a call that was answered and began at the given time.
func (c *contact) made(ctx context.Context, log *slog.Logger, call string, began time.Time) {
	c.mu.Lock()
	if began.After(c.at) {
		c.at = began
	}
	c.heard = time.Now()
	c.mu.Unlock()
	c.rests(ctx, log, call)
}

// rests notes that a kind of call does not fail any more.
func (c *contact) rests(ctx context.Context, log *slog.Logger, call string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.failing[call] {
		return
	}
	delete(c.failing, call)
	if len(c.failing) == 0 {
		log.InfoContext(ctx, "contact with the server is back", "took", time.Since(c.lostAt).Round(time.Millisecond))
	}
}

// lost notes a call that failed and reports whether it is the first.
func (c *contact) lost(call string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := len(c.failing) == 0
	if first {
		c.failing, c.lostAt = make(map[string]bool), time.Now()
	}
	c.failing[call] = true
	return first
}

func (c *contact) isLost() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.failing) > 0
}

func (c *contact) heardAndLost() (heard, lost time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.failing) > 0 {
		lost = c.lostAt
	}
	return c.heard, lost
}

func (c *contact) last() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}
