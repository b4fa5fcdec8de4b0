package client

import (
	"context"
	"net/http"
	"time"
)

// Ready asks whether the server takes work, for as long as it does not and the
// wait is not over.
func (c *Client) Ready(ctx context.Context, wait time.Duration) error {
	over := time.Now().Add(wait)
	for attempt := 0; ; attempt++ {
		err := c.do(ctx, c.once, call{method: http.MethodGet, path: "/readyz"})
		if err == nil || !Retryable(err) || !time.Now().Before(over) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause(c.cfg.RetryMin, time.Second, attempt, 0)):
		}
	}
}
