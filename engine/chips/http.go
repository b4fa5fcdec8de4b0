package chips

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/engine/expr"
)

// HTTPOptions set up the http chips.
type HTTPOptions struct {
	// RefusePrivate makes the chips refuse addresses of private networks
	// and of the machine itself. Link-local addresses and those where
	// clouds keep credentials are refused in any case.
	RefusePrivate bool

	// Timeout is how long a request may take that does not say. Zero means
	// the default of 30s.
	Timeout time.Duration

	// MaxBody is how many bytes the body of a response may have. Zero means
	// the default of 8 MiB.
	MaxBody int64

	// Proxy says which proxy a request goes through, if any. Nil means what
	// the environment variables HTTP_PROXY, HTTPS_PROXY and NO_PROXY say.
	Proxy func(*http.Request) (*url.URL, error)

	// Wrap is put around the transport, to trace requests. It may be nil.
	Wrap func(http.RoundTripper) http.RoundTripper

	// Resolver looks up host names. Nil means the system's.
	Resolver *net.Resolver
}

const maxRedirects = 10

func httpChips(opts HTTPOptions) []engine.Chip {
	c := newHTTPClient(opts)
	list := []engine.Chip{
		engine.NewChip("http.http_request", "Makes an HTTP request. What goes wrong is told in the status of the response.",
			func(ctx context.Context, r methodRequest) (httpResponse, error) {
				return c.do(ctx, r.Method, r.httpRequest)
			}),
		engine.NewChip("http.post_json_object", "Posts a map as JSON. What goes wrong is told in the status of the response.",
			func(ctx context.Context, r jsonObjectRequest) (httpResponse, error) {
				return c.do(ctx, http.MethodPost, httpRequest{
					URL: r.URL, Timeout: r.Timeout, Headers: r.Headers, FollowRedirects: true, JSON: r.json(),
				})
			}),
	}
	for _, method := range []string{"GET", "OPTIONS", "HEAD", "POST", "PUT", "DELETE", "PATCH"} {
		article := "a"
		if method == "OPTIONS" {
			article = "an"
		}
		list = append(list, engine.NewChip("http."+strings.ToLower(method),
			"Makes "+article+" "+method+" request. What goes wrong is told in the status of the response.",
			func(ctx context.Context, r httpRequest) (httpResponse, error) {
				return c.do(ctx, method, r)
			}))
	}
	for i := range list {
		list[i] = list[i].Answering()
	}
	return list
}

type (
	httpRequest struct {
		URL             string            `doc:"Where to, http or https." required:"true"`
		Timeout         *float64          `doc:"How many seconds the request may take. Null means the worker's setting, 30 unless changed."`
		Headers         map[string]string `doc:"Headers of the request."`
		Query           map[string]string `doc:"Added to the query of the URL."`
		Content         *[]byte           `doc:"The body, as bytes or text."`
		JSON            any               `doc:"A value to be sent as JSON, instead of content."`
		FollowRedirects bool              `doc:"Whether to follow redirects, at most 10." default:"true"`
	}

	methodRequest struct {
		Method string `doc:"The method." enum:"GET,OPTIONS,HEAD,POST,PUT,DELETE,PATCH" required:"true"`
		httpRequest
	}

	jsonObjectRequest struct {
		URL     string            `doc:"Where to, http or https." required:"true"`
		Timeout *float64          `doc:"How many seconds the request may take. Null means the worker's setting, 30 unless changed."`
		Headers map[string]string `doc:"Headers of the request."`
		Content any               `doc:"The map to post."`
	}

	httpResponse struct {
		Status       string            `doc:"OK if there was a response, whatever its code." enum:"OK,TIMEOUT_ERROR,NETWORK_ERROR,PROTOCOL_ERROR,PROXY_ERROR,UNSUPPORTED_PROTOCOL_ERROR,DECODING_ERROR,TOO_MANY_REDIRECTS,HTTP_STATUS_ERROR,INVALID_URL,COOKIE_CONFLICT,STREAM_ERROR,ERROR"`
		StatusCode   *int              `doc:"The code of the response, such as 200."`
		Headers      map[string]string `doc:"Headers of the response, their names in lower case."`
		Content      *[]byte           `doc:"The body as bytes."`
		Text         *string           `doc:"The body as text."`
		JSON         any               `doc:"The body as a value, if it is JSON."`
		URL          *string           `doc:"Where the response came from, after redirects."`
		ElapsedMs    float64           `doc:"How long it took, in milliseconds."`
		ErrorMessage *string           `doc:"What went wrong."`
	}
)

// json gives the content as what is sent.
func (r jsonObjectRequest) json() any { return r.Content }

// An httpClient makes the requests of all http chips.
type httpClient struct {
	transport http.RoundTripper
	timeout   time.Duration
	maxBody   int64
}

func newHTTPClient(opts HTTPOptions) *httpClient {
	c := &httpClient{timeout: opts.Timeout, maxBody: opts.MaxBody}
	if c.timeout <= 0 {
		c.timeout = 30 * time.Second
	}
	if c.maxBody <= 0 {
		c.maxBody = 8 << 20
	}
	c.transport = withoutBaggage{newTransport(opts)}
	if opts.Wrap != nil {
		c.transport = opts.Wrap(c.transport)
	}
	return c
}

// withoutBaggage keeps what a tracer knows about a run from third parties.
type withoutBaggage struct {
	next http.RoundTripper
}

func (t withoutBaggage) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Header.Get("Baggage") != "" {
		req = req.Clone(req.Context())
		req.Header.Del("Baggage")
	}
	return t.next.RoundTrip(req)
}

// do makes a request. Its error is for what is wrong with the pipeline or
// the run; what is wrong with the other side is told in the response.
func (c *httpClient) do(ctx context.Context, method string, r httpRequest) (httpResponse, error) {
	req, err := newRequest(method, r)
	if err != nil {
		return failedResponse("INVALID_URL", err), nil
	}
	timeout := c.timeout
	if r.Timeout != nil {
		timeout = time.Duration(*r.Timeout * float64(time.Second))
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	began := time.Now()
	resp, err := c.send(req.WithContext(limited), r.FollowRedirects)
	resp.ElapsedMs = float64(time.Since(began).Microseconds()) / 1000
	var refused *RefusedError
	switch {
	case err == nil:
		return resp, nil
	case ctx.Err() != nil:
		return httpResponse{}, context.Cause(ctx)
	case errors.As(err, &refused):
		return httpResponse{}, &engine.Raised{Class: "AddressRefused", Message: refused.Error(), Err: err}
	}
	failed := failedResponse(statusOf(err), err)
	failed.ElapsedMs = resp.ElapsedMs
	return failed, nil
}

func newRequest(method string, r httpRequest) (*http.Request, error) {
	u, err := url.Parse(r.URL)
	switch {
	case err != nil:
		return nil, errors.New("the URL cannot be read") // its error would quote all of it
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("the URL wants http or https, not %q", u.Scheme)
	case u.Host == "":
		return nil, errors.New("the URL has no host")
	}
	if len(r.Query) > 0 {
		q := u.Query()
		for key, value := range r.Query {
			q.Set(key, value)
		}
		u.RawQuery = q.Encode()
	}
	var body []byte
	if r.Content != nil {
		body = *r.Content
	}
	if r.JSON != nil {
		if body, err = expr.ToJSON(r.JSON); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequest(method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body == nil {
		req.Body, req.GetBody = http.NoBody, nil
	}
	if r.JSON != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for key, value := range r.Headers {
		req.Header.Set(key, value)
		if http.CanonicalHeaderKey(key) == "Host" {
			req.Host = value
		}
	}
	return req, nil
}

var errRedirects = fmt.Errorf("more than %d redirects", maxRedirects)

// errScheme is a redirect to what is not HTTP.
type errScheme string

func (e errScheme) Error() string { return fmt.Sprintf("redirected to a URL of scheme %q", string(e)) }

// errTooLarge is a body beyond the limit.
type errTooLarge int64

func (e errTooLarge) Error() string {
	return fmt.Sprintf("the response is larger than %d bytes", int64(e))
}

func (c *httpClient) send(req *http.Request, follow bool) (httpResponse, error) {
	client := http.Client{
		Transport: c.transport,
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			switch {
			case !follow:
				return http.ErrUseLastResponse
			case len(via) > maxRedirects:
				return errRedirects
			case next.URL.Scheme != "http" && next.URL.Scheme != "https":
				return errScheme(next.URL.Scheme)
			case next.URL.Host != via[0].URL.Host:
				keepToOneself(next.Header)
			}
			return nil
		},
	}
	resp, err := client.Do(req)
	if err != nil {
		return httpResponse{}, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.maxBody+1))
	if closed := resp.Body.Close(); err == nil {
		err = closed
	}
	switch {
	case err != nil:
		return httpResponse{}, &bodyError{err}
	case int64(len(body)) > c.maxBody:
		return httpResponse{}, errTooLarge(c.maxBody)
	}
	if call, ok := modelCall(resp.Request.URL, body); ok {
		engine.UsedModel(req.Context(), call)
	}
	return response(resp, body), nil
}

// keepToOneself leaves only what any host may know in the headers of a
// request that was redirected to another one: a key may stand in any of the
// others.
func keepToOneself(h http.Header) {
	for name := range h {
		switch name {
		case "Accept", "Accept-Language", "Content-Type", "User-Agent":
		default:
			delete(h, name)
		}
	}
}

func response(resp *http.Response, body []byte) httpResponse {
	text := strings.ToValidUTF8(string(body), "\uFFFD")
	from := resp.Request.URL.Redacted()
	r := httpResponse{
		Status: "OK", StatusCode: &resp.StatusCode, Headers: map[string]string{},
		Content: &body, Text: &text, URL: &from,
	}
	for key, values := range resp.Header {
		r.Headers[strings.ToLower(key)] = strings.Join(values, ", ")
	}
	if v, err := expr.FromJSON(body); err == nil {
		r.JSON = v
	}
	return r
}

// A bodyError is a response that broke off.
type bodyError struct {
	err error
}

func (e *bodyError) Error() string { return "read the response: " + e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

func failedResponse(status string, err error) httpResponse {
	var u *url.Error // it quotes the URL, which may hold a secret
	if errors.As(err, &u) {
		err = u.Err
	}
	return httpResponse{Status: status, Headers: map[string]string{}, ErrorMessage: message(err)}
}

// statusOf says which status an error is.
func statusOf(err error) string {
	var scheme errScheme
	var large errTooLarge
	var body *bodyError
	var op *net.OpError
	var timeout net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "TIMEOUT_ERROR"
	case errors.Is(err, errRedirects):
		return "TOO_MANY_REDIRECTS"
	case errors.As(err, &scheme):
		return "UNSUPPORTED_PROTOCOL_ERROR"
	case errors.As(err, &large):
		return "ERROR"
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return "PROXY_ERROR"
	case errors.As(err, &body):
		return "STREAM_ERROR"
	case errors.As(err, &op), errors.As(err, new(*net.DNSError)), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "NETWORK_ERROR"
	}
	return "PROTOCOL_ERROR"
}
