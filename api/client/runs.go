package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/pullrun/pullrun/api"
)

// readWait is how long one read of a run waits for its end, in seconds.
const readWait = 25

// Submit submits a run and returns it as the server has stored it. When the
// run has no cookie it is given one here, so that a submit whose answer was
// lost can be repeated without making a second run.
func (c *Client) Submit(ctx context.Context, in api.Submit) (api.Run, error) {
	var out api.Run
	if in.Cookie == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return out, fmt.Errorf("make a cookie: %w", err)
		}
		in.Cookie = id.String()
	}
	_, _, err := c.do(ctx, c.quick, call{method: http.MethodPost, path: "/v1/runs", body: in}, &out)
	if err != nil {
		return out, errorf(err, "submit %q", in.Pipeline)
	}
	return out, nil
}

// SubmitBatch submits many runs in one call. Each is answered in its place.
func (c *Client) SubmitBatch(ctx context.Context, runs []api.Submit) ([]api.SubmitResult, error) {
	var out api.SubmitBatchResult
	_, _, err := c.do(ctx, c.quick, call{method: http.MethodPost, path: "/v1/runs/batch", body: api.SubmitBatch{Runs: runs}}, &out)
	if err != nil {
		return nil, errorf(err, "submit %d runs", len(runs))
	}
	return out.Results, nil
}

// Get reads a run. With a wait, in whole seconds, it returns when the run has
// ended or the wait is over.
func (c *Client) Get(ctx context.Context, cookie string, wait time.Duration) (api.Run, error) {
	var out api.Run
	in := call{method: http.MethodGet, path: "/v1/runs/" + cookie}
	if seconds := int(wait / time.Second); seconds > 0 {
		in.header = map[string]string{"Prefer": "wait=" + strconv.Itoa(seconds)}
		in.timeout = wait + pollMargin
	}
	_, _, err := c.do(ctx, c.quick, in, &out)
	if err != nil {
		return out, errorf(err, "read run %q", cookie)
	}
	return out, nil
}

// Wait reads a run until it has ended, through outages, or until ctx ends.
func (c *Client) Wait(ctx context.Context, cookie string) (api.Run, error) {
	for attempt := 0; ; attempt++ {
		run, err := c.Get(ctx, cookie, readWait*time.Second)
		switch {
		case err == nil && run.State.Final():
			return run, nil
		case err == nil:
			attempt = -1
			continue
		case ctx.Err() != nil || !Retryable(err):
			return run, err
		}
		select {
		case <-ctx.Done():
			return run, context.Cause(ctx)
		case <-time.After(Jitter(c.cfg.RetryMin, c.cfg.RetryMax, attempt)):
		}
	}
}

// A Filter says which runs to list. Empty fields do not filter.
type Filter struct {
	States   []api.State
	Pipeline string
	Queue    string
	Worker   string
	Tags     map[string]string
	Limit    int    // runs in a page; zero is the server's default
	Cursor   string // Next of the page before
}

// List lists runs, newest first.
func (c *Client) List(ctx context.Context, f Filter) (api.RunList, error) {
	q := url.Values{}
	for _, s := range f.States {
		q.Add("state", string(s))
	}
	for k, v := range f.Tags {
		q.Add("tag", k+"="+v)
	}
	for k, v := range map[string]string{"pipeline": f.Pipeline, "queue": f.Queue, "worker": f.Worker, "cursor": f.Cursor} {
		if v != "" {
			q.Set(k, v)
		}
	}
	if f.Limit > 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	var out api.RunList
	if _, _, err := c.do(ctx, c.quick, call{method: http.MethodGet, path: "/v1/runs", query: q}, &out); err != nil {
		return out, errorf(err, "list runs")
	}
	return out, nil
}

// Cancel asks for a run to be stopped and returns it as it then is: ended, or
// with CancelRequestedAt set.
func (c *Client) Cancel(ctx context.Context, cookie, reason string) (api.Run, error) {
	var out api.Run
	_, _, err := c.do(ctx, c.quick, call{method: http.MethodPost, path: "/v1/runs/" + cookie + "/cancel", body: api.Cancel{Reason: reason}}, &out)
	if err != nil {
		return out, errorf(err, "cancel run %q", cookie)
	}
	return out, nil
}

// Workers lists the workers with a live session.
func (c *Client) Workers(ctx context.Context) ([]api.Worker, error) {
	var out api.WorkerList
	if _, _, err := c.do(ctx, c.quick, call{method: http.MethodGet, path: "/v1/workers"}, &out); err != nil {
		return nil, errorf(err, "list workers")
	}
	return out.Workers, nil
}

// Shutdown asks a worker to finish what it has and end.
func (c *Client) Shutdown(ctx context.Context, worker string) error {
	if _, _, err := c.do(ctx, c.quick, call{method: http.MethodPost, path: "/v1/workers/" + worker + "/shutdown"}, nil); err != nil {
		return errorf(err, "shut down worker %q", worker)
	}
	return nil
}

// Queues lists the queues that have runs waiting or leased.
func (c *Client) Queues(ctx context.Context) ([]api.QueueStats, error) {
	var out api.QueueList
	if _, _, err := c.do(ctx, c.quick, call{method: http.MethodGet, path: "/v1/queues"}, &out); err != nil {
		return nil, errorf(err, "list queues")
	}
	return out.Queues, nil
}
