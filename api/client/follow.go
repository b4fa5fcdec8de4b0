package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/pullrun/pullrun/api"
)

// Follow reads a run's stream of events until the run has ended, through
// outages, or until ctx ends, and returns the run as it ended. Each state that
// the run is seen in is shown, if show is not nil.
func (c *Client) Follow(ctx context.Context, cookie string, show func(api.Run)) (api.Run, error) {
	var run api.Run
	if !api.ValidCookie(cookie) {
		return run, api.Errorf(api.CodeInvalidRequest, "follow run %q: this is no cookie", cookie)
	}
	for attempt := 0; ; attempt++ {
		err := c.stream(ctx, cookie, func(kind, data string) error {
			if kind != "state" {
				return nil
			}
			var seen api.Run
			if err := json.Unmarshal([]byte(data), &seen); err != nil {
				return fmt.Errorf("read the stream: %w", err)
			}
			run, attempt = seen, -1
			if show != nil {
				show(run)
			}
			return nil
		})
		switch {
		case run.State != "" && run.State.Final():
			return run, nil
		case ctx.Err() != nil:
			return run, context.Cause(ctx)
		case err != nil && !Retryable(err):
			return run, errorf(err, "follow run %q", cookie)
		}
		select {
		case <-ctx.Done():
			return run, context.Cause(ctx)
		case <-time.After(pause(c.cfg.RetryMin, c.cfg.RetryMax, max(attempt, 0), 0)):
		}
	}
}

// silence is how long a stream may say nothing, not even that it is alive,
// before it is taken for dead.
const silence = 40 * time.Second

// stream reads server-sent events (https://html.spec.whatwg.org/#event-stream-interpretation)
// from one connection and hands each to event.
func (c *Client) stream(ctx context.Context, cookie string, event func(kind, data string) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := c.request(ctx, call{method: http.MethodGet, path: "/v1/runs/" + cookie + "/events"})
	if err != nil {
		return err
	}
	dead := time.AfterFunc(silence, func() { cancel(fmt.Errorf("nothing was heard for %s", silence)) })
	defer dead.Stop()
	req.Header.Set("Accept", "text/event-stream, application/problem+json")
	resp, err := c.streams.Do(req.Request)
	if err != nil {
		return c.explain(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return problem(resp)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxAnswer)
	var kind string
	var data []string
	for lines.Scan() {
		dead.Reset(silence)
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case lines.Text() == "":
			if len(data) > 0 {
				if err := event(kind, strings.Join(data, "\n")); err != nil {
					return err
				}
			}
			kind, data = "", nil
		case field == "event":
			kind = value
		case field == "data":
			data = append(data, value)
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, context.Canceled) {
		return c.explain(ctx, err)
	}
	return context.Cause(ctx)
}
