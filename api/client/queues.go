package client

import (
	"context"
	"fmt"
	"net/http"

	"github.com/pullrun/pullrun/api"
)

// Queues lists the queues that have runs which have not ended, by name.
func (c *Client) Queues(ctx context.Context) ([]api.QueueStats, error) {
	var out api.QueueList
	if err := c.do(ctx, c.quick, call{method: http.MethodGet, path: "/v1/queues", answer: into(&out, nil)}); err != nil {
		return nil, errorf(err, "list queues")
	}
	return out.Queues, nil
}

// Queue says how much work one queue has. One without runs has none.
func (c *Client) Queue(ctx context.Context, name string) (api.QueueStats, error) {
	var out api.QueueStats
	if !api.ValidName(name) {
		return out, api.Errorf(api.CodeInvalidRequest, "read queue %q: this is no name of a queue", name)
	}
	right := func(got api.QueueStats) error {
		if got.Queue != name {
			return fmt.Errorf("it is about queue %q", got.Queue)
		}
		return nil
	}
	if err := c.do(ctx, c.quick, call{method: http.MethodGet, path: "/v1/queues/" + name, answer: into(&out, right)}); err != nil {
		return out, errorf(err, "read queue %q", name)
	}
	return out, nil
}
