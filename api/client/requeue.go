package client

import (
	"context"
	"net/http"

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
