package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/pullrun/pullrun/api"
)

// pollMargin is how much longer than its hold a poll may take.
const pollMargin = 10 * time.Second

// Register opens a session for a worker. It is not repeated.
func (c *Client) Register(ctx context.Context, in api.Register) (api.Registered, error) {
	var out api.Registered
	_, _, err := c.do(ctx, c.once, call{method: http.MethodPost, path: "/v1/workers", body: in}, &out)
	if err != nil {
		return out, errorf(err, "register worker %q", in.Name)
	}
	return out, nil
}

// Poll waits for packets. It returns none when the hold ran out, and is given
// up 10 s after that. It is not repeated.
func (c *Client) Poll(ctx context.Context, worker string, in api.Poll) ([]api.Packet, error) {
	var out api.Packets
	_, _, err := c.do(ctx, c.once, call{
		method: http.MethodPost, path: "/v1/workers/" + worker + "/poll", body: in,
		timeout: time.Duration(in.HoldMS)*time.Millisecond + pollMargin,
	}, &out)
	if err != nil {
		return nil, errorf(err, "poll")
	}
	return out.Packets, nil
}

// Heartbeat renews the leases of a session. It is not repeated.
func (c *Client) Heartbeat(ctx context.Context, worker string, in api.Heartbeat) (api.Beat, error) {
	var out api.Beat
	_, _, err := c.do(ctx, c.once, call{
		method: http.MethodPost, path: "/v1/workers/" + worker + "/heartbeat", body: in, timeout: pollMargin,
	}, &out)
	if err != nil {
		return out, errorf(err, "heartbeat")
	}
	return out, nil
}

// PostResults posts finished runs, again and again until the server has judged
// them, refuses the call as a whole, or ctx ends.
func (c *Client) PostResults(ctx context.Context, worker string, in api.Results) ([]api.Verdict, error) {
	var out api.Verdicts
	_, _, err := c.do(ctx, c.until, call{
		method: http.MethodPost, path: "/v1/workers/" + worker + "/results", body: in,
	}, &out)
	if err != nil {
		return nil, errorf(err, "post %d results", len(in.Results))
	}
	return out.Verdicts, nil
}

// PostEvents adds lines to the history of runs. It is not repeated.
func (c *Client) PostEvents(ctx context.Context, worker string, in api.Events) error {
	_, _, err := c.do(ctx, c.once, call{
		method: http.MethodPost, path: "/v1/workers/" + worker + "/events", body: in, timeout: pollMargin,
	}, nil)
	if err != nil {
		return errorf(err, "post %d events", len(in.Events))
	}
	return nil
}

// Leave tells the server that the session takes nothing more.
func (c *Client) Leave(ctx context.Context, worker, session string) error {
	_, _, err := c.do(ctx, c.quick, call{
		method: http.MethodDelete, path: "/v1/workers/" + worker, query: url.Values{"session": {session}},
	}, nil)
	if err != nil {
		return errorf(err, "leave")
	}
	return nil
}
