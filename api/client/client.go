// Package client calls a pullrun server: it submits and reads runs for people
// and programs, and registers, polls and reports for workers.
//
// Every call of the protocol is one method. Calls that may be repeated are,
// by go-retryablehttp with a jittered and capped wait; what may be tried again
// is decided in retry.go and nowhere else. What a worker does all the time is
// never repeated here, for the poller keeps its own pace, and polls have
// connections of their own: a result or a heartbeat never waits behind a parked
// poll. An answer that makes no sense for its call came from something in
// between, and is tried again like one that was cut.
//
// A [Client] is safe for concurrent use. The token goes into the Authorization
// header and nowhere else; redirects are not followed, so it is never sent to
// another host.
package client

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
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
	// Replacing reports whether the server has been asked, perhaps by an earlier
	// process, to take another token in the place of this one, and the outcome is
	// not known. That it does not know this one any more is to be tried again
	// then, as if it had been out of reach. Nil is never.
	Replacing func() bool
	// UserAgent names the caller in the server's log.
	UserAgent string
	// Timeout bounds one attempt of a call that is not held by the server,
	// besides the time that large bodies take on a slow path. Zero is 30 s.
	Timeout time.Duration
	// Retries is how often a call for a person is repeated before its error
	// is given up. Results are repeated until their context ends.
	Retries int
	// RetryMin and RetryMax bound the wait before a repeat: full jitter,
	// doubling. Zero is 200 ms and 30 s.
	RetryMin, RetryMax time.Duration
	// Transport says how to connect. The zero value is right for most.
	Transport Transport
	// Wrap is put around the transport of results and of the calls for a
	// person, for tracing. What a worker does all the time is not traced. May
	// be nil.
	Wrap func(http.RoundTripper) http.RoundTripper
}

// A Client calls one server.
type Client struct {
	base    *url.URL
	cfg     Config
	polls   *retryablehttp.Client // not repeated, on connections of their own
	once    *retryablehttp.Client // not repeated: the caller does that
	events  *retryablehttp.Client // not repeated, and as polls: nothing else waits behind them
	quick   *retryablehttp.Client // for somebody who waits
	until   *retryablehttp.Client // until the context ends
	streams *http.Client          // event streams, which end when they end
	exports *http.Transport       // telemetry, which is in nobody's way
	pools   []*http.Transport
}

// New checks cfg and makes a client. It opens no connection.
func New(cfg Config) (*Client, error) {
	base, err := url.Parse(strings.TrimRight(cfg.URL, "/"))
	switch {
	case err != nil, base.Scheme != "http" && base.Scheme != "https", base.Host == "", base.RawQuery != "", base.Fragment != "":
		// The parser's error would repeat what may be a password.
		return nil, fmt.Errorf("server URL %q must look like https://host or http://host:port", redact(cfg.URL))
	case base.User != nil:
		return nil, fmt.Errorf("server URL %q must not hold a user or password: set the token instead", redact(cfg.URL))
	}
	cfg.Timeout = cmpOr(cfg.Timeout, 30*time.Second)
	cfg.RetryMin = cmpOr(cfg.RetryMin, 200*time.Millisecond)
	cfg.RetryMax = cmpOr(cfg.RetryMax, 30*time.Second)
	if cfg.Replacing == nil {
		cfg.Replacing = func() bool { return false }
	}

	calls, err := cfg.Transport.Build()
	if err != nil {
		return nil, err
	}
	polls, events, exports := calls.Clone(), calls.Clone(), calls.Clone()
	c := &Client{base: base, cfg: cfg, exports: exports, pools: []*http.Transport{calls, polls, events, exports}}
	var traced http.RoundTripper = calls
	if cfg.Wrap != nil {
		traced = cfg.Wrap(traced)
	}
	c.streams = direct(polls)
	c.polls = c.retrying(polls, 0, Retryable)
	c.once = c.retrying(calls, 0, Retryable)
	c.events = c.retrying(events, 0, Retryable)
	c.quick = c.retrying(traced, cfg.Retries, Retryable)
	c.until = c.retrying(traced, math.MaxInt32, untilRefused)
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
	method, path string // the path is escaped
	query        url.Values
	header       map[string]string
	body         any
	timeout      time.Duration // of one attempt, besides what bodies take on their way; zero is the client's
	// answer reads an answer below 300. Nil is for answers without a body.
	answer func(*http.Response) error
}

// do sends the call with the given patience and reads its answer.
func (c *Client) do(ctx context.Context, with *retryablehttp.Client, in call) error {
	req, err := c.request(ctx, in)
	if err != nil {
		return err
	}
	req.SetResponseHandler(func(resp *http.Response) error {
		switch {
		case resp.StatusCode >= 300:
			return problem(resp)
		case in.answer != nil:
			return in.answer(resp)
		}
		_, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
		return err
	})
	shown := req.Header.Get("Authorization")
	resp, err := with.Do(req)
	if api.CodeOf(err) == api.CodeUnauthorized {
		replacing := c.cfg.Replacing() // before the token is looked at, or the end of that would be missed
		switch {
		case c.bearer() != shown: // it was replaced while the call was on its way
			return c.do(ctx, with, in)
		case replacing:
			return replaced(err)
		}
	}
	if err != nil {
		return c.explain(ctx, err)
	}
	return resp.Body.Close()
}

// into decodes an answer into out, afresh for each attempt. An answer that the
// check finds wrong is none. The check may be nil.
func into[T any](out *T, check func(T) error) func(*http.Response) error {
	return func(resp *http.Response) error {
		var got T
		var large *http.MaxBytesError
		switch err := api.Decode(http.MaxBytesReader(nil, resp.Body, maxAnswer), &got); {
		case errors.As(err, &large):
			return fmt.Errorf("read the answer: it is larger than %d bytes", large.Limit)
		case err != nil:
			return fmt.Errorf("read the answer: %w", err)
		}
		if check != nil {
			if err := check(got); err != nil {
				return fmt.Errorf("read the answer: %w", err)
			}
		}
		*out = got
		return nil
	}
}

func (c *Client) request(ctx context.Context, in call) (*retryablehttp.Request, error) {
	target := c.base.String() + in.path
	if len(in.query) > 0 {
		target += "?" + in.query.Encode()
	}
	var body any // nil is no body
	timeout := cmpOr(in.timeout, c.cfg.Timeout)
	if in.body != nil {
		raw, err := api.Marshal(in.body)
		if err != nil {
			return nil, fmt.Errorf("encode %T: %w", in.body, err)
		}
		body = bytes.NewReader(raw)
		timeout += api.Carry(int64(len(raw)))
	}
	req, err := retryablehttp.NewRequestWithContext(withAttemptTimeout(ctx, timeout), in.method, target, body)
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
	req.Header.Del("Authorization")
	if bearer := c.bearer(); bearer != "" {
		req.Header.Set("Authorization", bearer)
	}
}

// bearer is what the token of now looks like in a header.
func (c *Client) bearer() string {
	if c.cfg.Token == nil {
		return ""
	}
	if token := c.cfg.Token(); token != "" {
		return "Bearer " + token
	}
	return ""
}

// NoAnswer is the error of a call that no server has answered.
type NoAnswer struct{ err error }

func (e *NoAnswer) Error() string { return e.err.Error() }

// Unwrap returns what kept the answer away.
func (e *NoAnswer) Unwrap() error { return e.err }

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
	return &NoAnswer{c.remedy(err)}
}

// remedy adds to an error of a connection what may help.
func (c *Client) remedy(err error) error {
	var authority x509.UnknownAuthorityError
	var op *net.OpError
	switch {
	case errors.As(err, &op) && op.Op == "remote error": // a TLS alert, whose type is not exported
		if strings.Contains(op.Err.Error(), "certificate required") {
			return fmt.Errorf("server %s: %w; the server wants a certificate of this client: server.cert_file and server.key_file", c.base, err)
		}
		if strings.Contains(op.Err.Error(), "certificate") {
			return fmt.Errorf("server %s: %w; the server does not accept the certificate in server.cert_file", c.base, err)
		}
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return c.explainProxy(op.Err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("server %s: %w; is it running?", c.base, err)
	case err.Error() == "http2: client conn could not be established": // net/http's, when it has not read the alert
		return fmt.Errorf("server %s: %w; does the server want another certificate of this client than server.cert_file?", c.base, err)
	case errors.As(err, &authority):
		return fmt.Errorf("server %s: %w; a private authority wants its CA file", c.base, err)
	}
	return fmt.Errorf("server %s: %w", c.base, err)
}

// explainProxy says which proxy was not reached, and who named it.
func (c *Client) explainProxy(err error) error {
	proxy, why := "", ""
	if chosen, err := c.cfg.Transport.ProxyFor(c.base); err == nil && chosen.URL != nil {
		proxy, why = " "+chosen.URL.Host, " ("+chosen.Why+")"
	}
	remedy := ""
	if errors.Is(err, syscall.ECONNREFUSED) {
		remedy = "; is the proxy running?"
	}
	return fmt.Errorf("server %s: proxy%s%s: %w%s", c.base, proxy, why, err, remedy)
}

func cmpOr(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

// redact hides what may be a secret in a URL that is refused.
func redact(raw string) string {
	if at := strings.LastIndex(raw, "@"); at >= 0 {
		raw = "..." + raw[at:]
	}
	if end := strings.IndexAny(raw, "?#"); end >= 0 {
		raw = raw[:end+1] + "..."
	}
	return raw
}
