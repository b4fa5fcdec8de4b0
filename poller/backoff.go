package poller

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff is the growing, jittered wait of one loop after its failures in a
// row. The zero value is for the first.
type backoff struct {
	failures int
	wait     time.Duration
}

// next chooses the wait after one more failure: anything from nothing to
// RetryMin doubled for each failure before it, at most RetryMax.
func (b *backoff) next(cfg Config) time.Duration {
	ceiling := cfg.RetryMin << min(b.failures, 30)
	if ceiling <= 0 || ceiling > cfg.RetryMax {
		ceiling = cfg.RetryMax
	}
	b.failures++
	b.wait = rand.N(ceiling)
	return b.wait
}

// sleep waits as chosen and reports whether ctx is still alive after it.
func (b *backoff) sleep(ctx context.Context) bool {
	timer := time.NewTimer(b.wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
