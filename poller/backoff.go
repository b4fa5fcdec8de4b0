package poller

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/pullrun/pullrun/api"
)

// backoff is the growing, jittered wait of one loop after its failures in a
// row. The zero value is for the first.
type backoff struct {
	failures int
	wait     time.Duration
}

// next chooses the wait after one more failure: what the server asked for, up
// to RetryMax, and a little more; or else anything below RetryMin doubled for
// each failure before it, and below RetryMax.
func (b *backoff) next(cfg Config, err error) time.Duration {
	var answered *api.Error
	ceiling := cfg.RetryMax
	if b.failures < 30 && cfg.RetryMin<<b.failures > 0 {
		ceiling = min(cfg.RetryMin<<b.failures, cfg.RetryMax)
	}
	b.failures++
	if errors.As(err, &answered) && answered.RetryAfter > 0 {
		b.wait = min(answered.RetryAfter, cfg.RetryMax) + rand.N(cfg.RetryMin)
	} else {
		b.wait = rand.N(ceiling)
	}
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
