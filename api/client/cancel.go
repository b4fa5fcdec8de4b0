package client

import (
	"context"
	"net/http"

	"github.com/pullrun/pullrun/api"
)

// Cancel asks for a run to be stopped and returns it as it then is: ended, or
// with CancelRequestedAt set.
func (c *Client) Cancel(ctx context.Context, cookie, reason string) (api.Run, error) {
	var out api.Run
	if !api.ValidCookie(cookie) {
		return out, api.Errorf(api.CodeInvalidRequest, "cancel run %q: this is no cookie", cookie)
	}
	err := c.do(ctx, c.quick, call{method: http.MethodPost, path: "/v1/runs/" + cookie + "/cancel",
		body: api.Cancel{Reason: reason}, answer: into(&out, about(cookie))})
	if err != nil {
		return out, errorf(err, "cancel run %q", cookie)
	}
	return out, nil
}

// CancelAll asks for the runs that in selects to be stopped. It may be repeated:
// what has been cancelled is not selected again.
func (c *Client) CancelAll(ctx context.Context, in api.CancelRuns) (api.CancelRunsResult, error) {
	var out api.CancelRunsResult
	if err := c.do(ctx, c.quick, call{method: http.MethodPost, path: "/v1/runs/cancel", body: in, answer: into(&out, nil)}); err != nil {
		return out, errorf(err, "cancel runs")
	}
	return out, nil
}
