package client

import (
	"net/http"
	"net/url"
)

// Exports returns the address at which the server takes what the worker
// exports, to which OTLP/HTTP adds the path of a signal, and an HTTP client
// that is let in there. It is not traced, repeats nothing and has connections
// of its own: a result or a heartbeat never waits behind telemetry.
func (c *Client) Exports(worker string) (endpoint string, through *http.Client) {
	return c.base.String() + "/v1/workers/" + url.PathEscape(worker) + "/otlp", direct(bearing{c})
}

// bearing shows the client's token.
type bearing struct{ client *Client }

func (b bearing) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	b.client.authorize(r)
	return b.client.exports.RoundTrip(r)
}
