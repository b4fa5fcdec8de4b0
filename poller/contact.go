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
	lostAt  time.Time       // when the first of them did; zero while there is contact
	silence time.Time       // since when there was no answer by then
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

// rests notes that a kind of call does not fail any more. Contact is back when
// none does, and something has been heard since it was lost: a call that is not
// made any more says nothing about the server.
func (c *contact) rests(ctx context.Context, log *slog.Logger, call string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.failing, call)
	if c.lostAt.IsZero() || len(c.failing) > 0 || c.heard.Before(c.lostAt) {
		return
	}
	log.InfoContext(ctx, "contact with the server is back", "took", time.Since(c.silence).Round(time.Millisecond))
	c.lostAt = time.Time{}
}

// lost notes a call that failed and reports whether it is the first.
func (c *contact) lost(call string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := c.lostAt.IsZero()
	if first {
		c.failing, c.lostAt, c.silence = make(map[string]bool), time.Now(), c.heard
		if c.heard.IsZero() {
			c.silence = c.lostAt
		}
	}
	c.failing[call] = true
	return first
}

func (c *contact) isLost() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.lostAt.IsZero()
}

func (c *contact) heardAndLost() (heard, lost time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heard, c.lostAt
}

func (c *contact) last() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}
