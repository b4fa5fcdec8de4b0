package poller

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// contact remembers when the server was last heard of, so that an outage is
// one line in the log and its end another.
type contact struct {
	mu sync.Mutex
	// Guarded by mu.
	at      time.Time // the beginning of the last call that was answered
	lostAt  time.Time // the first failure since then; zero when there is none
	failing bool
}

// made notes a call that was answered and began at the given time.
func (c *contact) made(ctx context.Context, log *slog.Logger, began time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if began.After(c.at) {
		c.at = began
	}
	if c.failing {
		c.failing = false
		log.InfoContext(ctx, "contact with the server is back", "took", time.Since(c.lostAt).Round(time.Millisecond))
	}
}

// lost notes a call that failed and reports whether it is the first.
func (c *contact) lost() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failing {
		return false
	}
	c.failing, c.lostAt = true, time.Now()
	return true
}

func (c *contact) last() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// LastContact is when the last call that the server answered began. It is zero
// before the first.
func (p *Poller) LastContact() time.Time { return p.contact.last() }
