package client

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/pullrun/pullrun/api"
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

// Ping asks who this client is for the server, and has it wait for so long, in
// whole seconds, before it answers. It goes the way that polls go, and is not
// repeated.
func (c *Client) Ping(ctx context.Context, wait time.Duration) (api.Ping, error) {
	var out api.Ping
	in := call{method: http.MethodGet, path: "/v1/ping", timeout: wait + heldMargin, answer: into(&out, func(got api.Ping) error {
		if got.Token == "" {
			return errors.New("it does not say who is asking")
		}
		return nil
	})}
	if seconds := min(int(wait/time.Second), api.MaxPingSeconds); seconds > 0 {
		in.header = map[string]string{"Prefer": "wait=" + strconv.Itoa(seconds)}
	}
	if err := c.do(ctx, c.polls, in); err != nil {
		return out, errorf(err, "ping")
	}
	return out, nil
}
