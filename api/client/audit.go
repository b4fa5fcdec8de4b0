package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/pullrun/pullrun/api"
)

// An AuditFilter says which entries to list. Empty fields do not filter.
type AuditFilter struct {
	Actor  string // name of the token
	Action api.AuditAction
	Target string // cookie of the run, name of the worker, or "database"
	Since  time.Time
	Limit  int    // entries in a page; zero is the server's default
	Cursor string // Next of the page before
}

// Audit lists who changed what, newest first.
func (c *Client) Audit(ctx context.Context, f AuditFilter) (api.AuditList, error) {
	q := url.Values{}
	for k, v := range map[string]string{"actor": f.Actor, "action": string(f.Action), "target": f.Target, "since": timestamp(f.Since), "cursor": f.Cursor} {
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
