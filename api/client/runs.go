package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/pullrun/pullrun/api"
)

// readWait is how long one read of a run waits for its end.
const readWait = 25 * time.Second

// Submit submits a run and returns it as the server has stored it. When the
// run has no cookie it is given one here, so that a submit whose answer was
// lost can be repeated without making a second run. With a wait, in whole
// seconds and at most 60, it returns when the run has ended or the wait is over.
func (c *Client) Submit(ctx context.Context, in api.Submit, wait time.Duration) (api.Run, error) {
	in.Cookie = cookieFor(in)
	var out api.Run
	submit := call{method: http.MethodPost, path: "/v1/runs", body: in, answer: into(&out, about(in.Cookie))}
	if err := c.do(ctx, c.quick, submit.held(wait)); err != nil {
		return out, errorf(err, "submit %q", in.Pipeline)
	}
	return out, nil
}

// SubmitBatch submits many runs in one call. Each is answered in its place.
// Those without a cookie are given one here, as [Client.Submit] does.
func (c *Client) SubmitBatch(ctx context.Context, runs []api.Submit) ([]api.SubmitResult, error) {
	in := api.SubmitBatch{Runs: slices.Clone(runs)}
	for i, run := range in.Runs {
		in.Runs[i].Cookie = cookieFor(run)
	}
	var out api.SubmitBatchResult
	err := c.do(ctx, c.quick, call{method: http.MethodPost, path: "/v1/runs/batch", body: in,
		answer: into(&out, func(got api.SubmitBatchResult) error { return oneEach(len(got.Results), len(runs)) })})
	if err != nil {
		return nil, errorf(err, "submit %d runs", len(runs))
	}
	return out.Results, nil
}

// cookieFor is the submit's cookie, or a new one.
func cookieFor(in api.Submit) string {
	if in.Cookie != "" {
		return in.Cookie
	}
	return uuid.Must(uuid.NewV7()).String() // the system's randomness does not fail
}

// about checks that an answer is about the run that was asked for.
func about(cookie string) func(api.Run) error {
	return func(run api.Run) error {
		if run.Cookie != cookie {
			return fmt.Errorf("it is about run %q", run.Cookie)
		}
		return nil
	}
}

// oneEach checks that an answer to a batch is whole.
func oneEach(got, want int) error {
	if got != want {
		return fmt.Errorf("it answers %d of %d", got, want)
	}
	return nil
}

// Get reads a run. With a wait, in whole seconds and at most 60, it returns
// when the run has ended or the wait is over.
func (c *Client) Get(ctx context.Context, cookie string, wait time.Duration) (api.Run, error) {
	var out api.Run
	if !api.ValidCookie(cookie) {
		return out, api.Errorf(api.CodeInvalidRequest, "read run %q: this is no cookie", cookie)
	}
	in := call{method: http.MethodGet, path: "/v1/runs/" + cookie, answer: into(&out, about(cookie))}
	if err := c.do(ctx, c.quick, in.held(wait)); err != nil {
		return out, errorf(err, "read run %q", cookie)
	}
	return out, nil
}

// held is the call with the wish that its answer waits for the run's end.
func (c call) held(wait time.Duration) call {
	if seconds := min(int(wait/time.Second), api.MaxWaitSeconds); seconds > 0 {
		c.header = map[string]string{"Prefer": "wait=" + strconv.Itoa(seconds)}
		c.timeout = time.Duration(seconds)*time.Second + heldMargin
	}
	return c
}

// Wait reads a run until it has ended, through outages, or until ctx ends.
func (c *Client) Wait(ctx context.Context, cookie string) (api.Run, error) {
	for attempt := 0; ; attempt++ {
		began := time.Now()
		run, err := c.Get(ctx, cookie, readWait)
		switch {
		case err == nil && run.State.Final():
			return run, nil
		case err == nil && time.Since(began) > readWait/2:
			attempt = -1 // it was held as asked, that is pace enough
			continue
		case err != nil && (ctx.Err() != nil || !Retryable(err)):
			return run, err
		}
		select {
		case <-ctx.Done():
			return run, context.Cause(ctx)
		case <-time.After(pause(c.cfg.RetryMin, c.cfg.RetryMax, attempt, 0)):
		}
	}
}

// A Filter says which runs to list. Empty fields do not filter.
type Filter struct {
	States    []api.State
	Pipeline  string
	Queue     string
	Worker    string
	Submitter string    // name of the token that submitted or requeued it
	Since     time.Time // submitted then or later
	Until     time.Time // submitted before
	Tags      map[string]string
	Limit     int    // runs in a page; zero is the server's default
	Cursor    string // Next of the page before
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
	for k, v := range map[string]string{
		"pipeline": f.Pipeline, "queue": f.Queue, "worker": f.Worker, "submitter": f.Submitter,
		"since": timestamp(f.Since), "until": timestamp(f.Until), "cursor": f.Cursor,
	} {
		if v != "" {
			q.Set(k, v)
		}
	}
	if f.Limit > 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	var out api.RunList
	if err := c.do(ctx, c.quick, call{method: http.MethodGet, path: "/v1/runs", query: q, answer: into(&out, nil)}); err != nil {
		return out, errorf(err, "list runs")
	}
	return out, nil
}

// timestamp is a time as a query has it. The zero time is left out.
func timestamp(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339Nano)
}

// Workers lists the workers with a live session.
func (c *Client) Workers(ctx context.Context) ([]api.Worker, error) {
	var out api.WorkerList
	if err := c.do(ctx, c.quick, call{method: http.MethodGet, path: "/v1/workers", answer: into(&out, nil)}); err != nil {
		return nil, errorf(err, "list workers")
	}
	return out.Workers, nil
}

// Shutdown asks a worker to finish what it has and end.
func (c *Client) Shutdown(ctx context.Context, worker string) error {
	if err := c.do(ctx, c.quick, call{method: http.MethodPost, path: "/v1/workers/" + url.PathEscape(worker) + "/shutdown"}); err != nil {
		return errorf(err, "shut down worker %q", worker)
	}
	return nil
}
