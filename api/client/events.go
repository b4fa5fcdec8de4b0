package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/pullrun/pullrun/api"
)

// Events reads a page of a run's history: what comes after the number or, where
// tail is not nil, so many events from the end.
func (c *Client) Events(ctx context.Context, cookie string, after int64, tail *int) (api.EventList, error) {
	var out api.EventList
	if !api.ValidCookie(cookie) {
		return out, api.Errorf(api.CodeInvalidRequest, "read events of run %q: this is no cookie", cookie)
	}
	query := url.Values{"after": {strconv.FormatInt(after, 10)}}
	if tail != nil {
		query = url.Values{"tail": {strconv.Itoa(*tail)}}
	}
	err := c.do(ctx, c.quick, call{method: http.MethodGet, path: "/v1/runs/" + cookie + "/events", query: query, answer: into(&out, nil)})
	if err != nil {
		return out, errorf(err, "read events of run %q", cookie)
	}
	return out, nil
}
