package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/pullrun/pullrun/api"
)

// heldMargin is how much longer than it may be held a call may take.
const heldMargin = 10 * time.Second

// upkeep bounds the calls that a worker makes all the time.
const upkeep = 10 * time.Second

// Register opens a session for a worker. It is not repeated.
func (c *Client) Register(ctx context.Context, in api.Register) (api.Registered, error) {
	var out api.Registered
	err := c.do(ctx, c.once, call{method: http.MethodPost, path: "/v1/workers", body: in, answer: into(&out, func(got api.Registered) error {
		if got.WorkerID == "" || got.Session == "" || min(got.HoldMS, got.LeaseMS, got.RenewMS) <= 0 {
			return errors.New("it has no session, or no times to keep to")
		}
		if len(got.Store) > api.MaxValueBytes {
			return errors.New("the name of its store is too long")
		}
		return nil
	})})
	if err != nil {
		return out, errorf(err, "register worker %q", in.Name)
	}
	return out, nil
}

// Poll waits for packets. It returns none when the hold ran out, and is given
// up 10 s after that, and a second later for each 16 KiB that have come. It is not
// repeated.
func (c *Client) Poll(ctx context.Context, worker string, in api.Poll) ([]api.Packet, error) {
	in.Holding = present(in.Holding)
	var out api.Packets
	read := into(&out, nil)
	err := c.do(ctx, c.polls, call{
		method: http.MethodPost, path: "/v1/workers/" + worker + "/poll", body: in,
		timeout: time.Duration(in.HoldMS)*time.Millisecond + heldMargin,
		answer: func(resp *http.Response) error {
			if resp.StatusCode == http.StatusNoContent {
				return nil
			}
			return read(resp)
		},
	})
	if err != nil {
		return nil, errorf(err, "poll")
	}
	return out.Packets, nil
}

// Heartbeat renews the leases of a session. It is not repeated.
func (c *Client) Heartbeat(ctx context.Context, worker string, in api.Heartbeat) (api.Beat, error) {
	in.Holding = present(in.Holding)
	var out api.Beat
	err := c.do(ctx, c.once, call{
		method: http.MethodPost, path: "/v1/workers/" + worker + "/heartbeat", body: in, timeout: upkeep, answer: into(&out, nil),
	})
	if err != nil {
		return out, errorf(err, "heartbeat")
	}
	return out, nil
}

// present is the list that says "none" where nil would say "absent".
func present(held []api.Held) []api.Held {
	if held == nil {
		return []api.Held{}
	}
	return held
}

// PostResults posts finished runs, again and again until the server has judged
// them one by one, refuses them as a whole, or ctx ends. A server that does not
// accept the token, or that is not trusted, has not refused them.
func (c *Client) PostResults(ctx context.Context, worker string, in api.Results) ([]api.Verdict, error) {
	var out api.Verdicts
	err := c.do(ctx, c.until, call{
		method: http.MethodPost, path: "/v1/workers/" + worker + "/results", body: in,
		answer: into(&out, func(got api.Verdicts) error { return onEach(got.Verdicts, in.Results) }),
	})
	if err != nil {
		return nil, errorf(err, "post %d results", len(in.Results))
	}
	return out.Verdicts, nil
}

// onEach checks that verdicts are on these results, in their order.
func onEach(verdicts []api.Verdict, results []api.Result) error {
	if err := oneEach(len(verdicts), len(results)); err != nil {
		return err
	}
	for i, v := range verdicts {
		if r := results[i]; v.Verdict == "" || v.Fence != r.Fence || v.Cookie != r.Cookie && api.ValidCookie(r.Cookie) {
			return fmt.Errorf("verdict %d is on another result", i)
		}
	}
	return nil
}

// PostEvents adds lines to the history of runs. It is not repeated.
func (c *Client) PostEvents(ctx context.Context, worker string, in api.Events) (api.EventsTaken, error) {
	var out api.EventsTaken
	read := into(&out, nil)
	err := c.do(ctx, c.events, call{
		method: http.MethodPost, path: "/v1/workers/" + worker + "/events", body: in, timeout: upkeep,
		answer: func(resp *http.Response) error {
			if resp.Header.Get("Content-Type") == "" {
				return nil // the server of the version before says no more
			}
			return read(resp)
		},
	})
	if err != nil {
		return out, errorf(err, "post %d events", len(in.Events))
	}
	return out, nil
}

// Leave tells the server that the session takes nothing more.
func (c *Client) Leave(ctx context.Context, worker, session string) error {
	err := c.do(ctx, c.quick, call{
		method: http.MethodDelete, path: "/v1/workers/" + worker, query: url.Values{"session": {session}},
	})
	if err != nil {
		return errorf(err, "leave")
	}
	return nil
}

// WorkerStatus asks a worker how it stands. The client's URL is the worker's
// own, by its setting listen, and not a server's.
func (c *Client) WorkerStatus(ctx context.Context) (api.WorkerStatus, error) {
	var out api.WorkerStatus
	right := func(got api.WorkerStatus) error {
		if got.Worker == "" {
			return errors.New("it names no worker")
		}
		return nil
	}
	if err := c.do(ctx, c.once, call{method: http.MethodGet, path: "/v1/status", answer: into(&out, right)}); err != nil {
		return out, errorf(err, "ask a worker for its status")
	}
	return out, nil
}
