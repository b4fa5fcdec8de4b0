package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/pullrun/pullrun/api"
)

// Requeue runs again what ended without success, and returns the new run. A
// repeated requeue is the same run.
func (c *Client) Requeue(ctx context.Context, cookie string) (api.Run, error) {
	var out api.Run
	if !api.ValidCookie(cookie) {
		return out, api.Errorf(api.CodeInvalidRequest, "requeue run %q: this is no cookie", cookie)
	}
	if err := c.do(ctx, c.quick, call{method: http.MethodPost, path: "/v1/runs/" + cookie + "/requeue", answer: into(&out, nil)}); err != nil {
		return out, errorf(err, "requeue run %q", cookie)
	}
	return out, nil
}

// RequeueAll runs again the runs that in selects. It may be repeated: what has
// been requeued is not selected again.
func (c *Client) RequeueAll(ctx context.Context, in api.Requeue) (api.RequeueResult, error) {
	var out api.RequeueResult
	if err := c.do(ctx, c.quick, call{method: http.MethodPost, path: "/v1/runs/requeue", body: in, answer: into(&out, nil)}); err != nil {
		return out, errorf(err, "requeue runs")
	}
	return out, nil
}

// An AuditFilter says which entries to list. Empty fields do not filter.
type AuditFilter struct {
	Actor  string // name of the token
	Target string // cookie of the run, or name of the worker
	Limit  int    // entries in a page; zero is the server's default
	Cursor string // Next of the page before
}

// Audit lists who changed what, newest first.
func (c *Client) Audit(ctx context.Context, f AuditFilter) (api.AuditList, error) {
	q := url.Values{}
	for k, v := range map[string]string{"actor": f.Actor, "target": f.Target, "cursor": f.Cursor} {
		if v != "" {
			q.Set(k, v)
		}
	}
	if f.Limit > 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	var out api.AuditList
	if err := c.do(ctx, c.quick, call{method: http.MethodGet, path: "/v1/audit", query: q, answer: into(&out, nil)}); err != nil {
		return out, errorf(err, "list the audit")
	}
	return out, nil
}
