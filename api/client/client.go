// Package client calls a pullrun server: it submits and reads runs for people
// and programs, and registers, polls and reports for workers.
//
// Every call of the protocol is one method. Calls that may be repeated are,
// by go-retryablehttp with a jittered and capped wait; what may be tried again
// is decided in retry.go and nowhere else. Polls have a connection pool of
// their own and are never repeated here, so that a result or a heartbeat never
// waits behind a parked poll and the poller keeps its own pace.
//
// A [Client] is safe for concurrent use. The token goes into the Authorization
// header and nowhere else; redirects are not followed, so it is never sent to
// another host.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/pullrun/pullrun/api"
)

// maxAnswer bounds how much of an answer is read, in bytes.
const maxAnswer = 64 << 20

// Config says which server to call, and how.
type Config struct {
	// URL is the server's base, such as "https://pullrun.example.com".
	URL string
	// Token gives the bearer token for each request, so that a token that
	// changes is picked up. Nil or "" sends none.
	Token func() string
	// UserAgent names the caller in the server's log.
	UserAgent string
	// Timeout bounds one attempt of a call that is not held by the server.
	// Zero is 30 s.
	Timeout time.Duration
	// Retries is how often a call for a person is repeated before its error
	// is given up. Results are repeated until their context ends.
	Retries int
	// RetryMin and RetryMax bound the wait before a repeat. Zero is 200 ms
	// and 30 s.
	RetryMin, RetryMax time.Duration
	// Transport says how to connect. The zero value is right for most.
	Transport Transport
	// Wrap is put around the connections of everything but polls and
	// heartbeats, for tracing. May be nil.
	Wrap func(http.RoundTripper) http.RoundTripper
}

// A Client calls one server.
type Client struct {
	base  *url.URL
	cfg   Config
	once  *retryablehttp.Client // polls and heartbeats: the caller repeats
	quick *retryablehttp.Client // for somebody who waits
	until *retryablehttp.Client // until the context ends
	pools []*http.Transport
}

// New checks cfg and makes a client. It opens no connection.
func New(cfg Config) (*Client, error) {
	base, err := url.Parse(strings.TrimRight(cfg.URL, "/"))
	if err != nil {
		return nil, fmt.Errorf("server URL %q: %w", redact(cfg.URL), err)
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, fmt.Errorf("server URL %q must look like https://host or http://host:port", redact(cfg.URL))
	}
	if base.User != nil {
		return nil, fmt.Errorf("server URL %q must not hold a user or password: set the token instead", base.Redacted())
	}
	cfg.Timeout = cmpOr(cfg.Timeout, 30*time.Second)
	cfg.RetryMin = cmpOr(cfg.RetryMin, 200*time.Millisecond)
	cfg.RetryMax = cmpOr(cfg.RetryMax, 30*time.Second)

	calls, err := cfg.Transport.build()
	if err != nil {
		return nil, err
	}
	polls := calls.Clone()
	c := &Client{base: base, cfg: cfg, pools: []*http.Transport{calls, polls}}
	var traced http.RoundTripper = calls
	if cfg.Wrap != nil {
		traced = cfg.Wrap(traced)
	}
	c.once = c.retrying(polls, 0)
	c.quick = c.retrying(traced, cfg.Retries)
	c.until = c.retrying(traced, math.MaxInt32)
	return c, nil
}

// Close closes idle connections.
func (c *Client) Close() {
	for _, p := range c.pools {
		p.CloseIdleConnections()
	}
}

// A call is one request of the protocol.
type call struct {
	method, path string
	query        url.Values
	header       map[string]string
	body         any
	timeout      time.Duration // of one attempt; zero is the client's
}

// do sends the call with the given patience and decodes the answer into out,
// unless out is nil or the answer has no body. It returns the status of the
// answer, which is below 300 when the error is nil.
func (c *Client) do(ctx context.Context, with *retryablehttp.Client, in call, out any) (status int, header http.Header, err error) {
	req, err := c.request(ctx, in)
	if err != nil {
		return 0, nil, err
	}
	req.SetResponseHandler(func(resp *http.Response) error {
		status, header = resp.StatusCode, resp.Header
		body := http.MaxBytesReader(nil, resp.Body, maxAnswer)
		if out == nil || resp.StatusCode == http.StatusNoContent {
			_, err := io.Copy(io.Discard, body)
			return err
		}
		if err := api.Decode(body, out); err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		return nil
	})
	resp, err := with.Do(req)
	if err != nil {
		return 0, nil, c.explain(ctx, err)
	}
	return status, header, resp.Body.Close()
}

func (c *Client) request(ctx context.Context, in call) (*retryablehttp.Request, error) {
	u := *c.base
	u.Path += in.path
	u.RawQuery = in.query.Encode()
	var body any // nil is no body
	if in.body != nil {
		raw, err := json.Marshal(in.body)
		if err != nil {
			return nil, fmt.Errorf("encode %T: %w", in.body, err)
		}
		body = bytes.NewReader(raw)
	}
	timeout := cmpOr(in.timeout, c.cfg.Timeout)
	req, err := retryablehttp.NewRequestWithContext(withAttemptTimeout(ctx, timeout), in.method, u.String(), body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json, application/problem+json")
	if c.cfg.UserAgent != "" {
		req.Header.Set("User-Agent", c.cfg.UserAgent)
	}
	for k, v := range in.header {
		req.Header.Set(k, v)
	}
	c.authorize(req.Request)
	return req, nil
}

func (c *Client) authorize(req *http.Request) {
	if c.cfg.Token == nil {
		return
	}
	if token := c.cfg.Token(); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
}

// explain says which server did not answer, and what may help.
func (c *Client) explain(ctx context.Context, err error) error {
	var answered *api.Error
	switch {
	case errors.As(err, &answered):
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // what u adds, its URL, is said here without the query
	}
	if isRefused(err) {
		return fmt.Errorf("server %s: %w; is it running?", c.base, err)
	}
	return fmt.Errorf("server %s: %w", c.base, err)
}

func cmpOr(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

// redact hides what may be a password in a URL that did not parse.
func redact(raw string) string {
	if at := strings.LastIndex(raw, "@"); at >= 0 {
		return "..." + raw[at:]
	}
	return raw
}
