package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/pullrun/pullrun/api"
)

// maxProblem bounds how much of a problem is read, in bytes.
const maxProblem = 1 << 20

// retrying wraps transport so that a call is repeated up to max times while
// again says so of its error.
func (c *Client) retrying(transport http.RoundTripper, max int, again func(error) bool) *retryablehttp.Client {
	r := retryablehttp.NewClient()
	r.HTTPClient = direct(bounded{transport})
	r.Logger = nil // it would log URLs
	r.RetryMax = max
	r.RetryWaitMin, r.RetryWaitMax = c.cfg.RetryMin, c.cfg.RetryMax
	r.Backoff = backoff
	r.CheckRetry = checkRetry(again)
	r.ErrorHandler = func(resp *http.Response, err error, _ int) (*http.Response, error) {
		if resp != nil {
			resp.Body.Close()
		}
		return nil, err
	}
	r.PrepareRetry = func(req *http.Request) error {
		c.authorize(req) // the token may have changed
		return nil
	}
	return r
}

// direct is a client that follows no redirect, so that the token never goes to
// another host.
func direct(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Retryable reports whether the call that ended with err may be sent again: it
// got no answer, or one that says "later", or one that did not come from a
// pullrun server but from something in between.
func Retryable(err error) bool {
	var answered *api.Error
	if errors.As(err, &answered) {
		switch answered.Status {
		case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusInsufficientStorage:
			return true
		}
		return answered.Status >= 500 && answered.Status != http.StatusNotImplemented
	}
	var untrusted *tls.CertificateVerificationError
	return err != nil && !errors.Is(err, context.Canceled) && !errors.As(err, &untrusted)
}

// untilRefused is Retryable for results, which nothing but the server's
// judgement may end: a token or a certificate that is not accepted says nothing
// about them, and may be mended.
func untilRefused(err error) bool {
	switch api.CodeOf(err) {
	case "":
		return !errors.Is(err, context.Canceled)
	case api.CodeUnauthorized, api.CodeForbidden:
		return true
	}
	return Retryable(err)
}

// replaced is the refusal of a token that is about to be replaced, as one that may
// be tried again.
func replaced(refusal error) error {
	return api.Errorf(api.CodeUnavailable, "the token is about to be replaced: %v", refusal)
}

// checkRetry is called with the error of each attempt, and then, if it got an
// answer, with the error of reading that. The error that it returns is the
// call's when no attempt follows.
func checkRetry(again func(error) bool) retryablehttp.CheckRetry {
	return func(ctx context.Context, _ *http.Response, err error) (bool, error) {
		switch {
		case ctx.Err() != nil:
			return false, context.Cause(ctx)
		case err == nil:
			return false, nil
		}
		return again(err), err
	}
}

// problem reads what an answer that is not 2xx says.
func problem(resp *http.Response) error {
	e := &api.Error{}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if kind == "application/problem+json" && api.Decode(io.LimitReader(resp.Body, maxProblem), e) == nil && e.Code != "" {
		e.Status = resp.StatusCode
	} else {
		// It came from something in between, so it says nothing about the
		// call: whatever its status, another try may reach the server. But one
		// that is too large for a proxy is so the next time.
		code, why := api.CodeUnavailable, ""
		if resp.StatusCode == http.StatusRequestEntityTooLarge {
			code, why = api.CodeBodyTooLarge, ": what stands before it takes no body of this size"
		}
		e = api.Errorf(code, "the answer %q%s did not come from a pullrun server%s", resp.Status, described(resp, kind), why)
	}
	e.RetryAfter = retryAfter(resp)
	return e
}

// described says of an answer what may tell a person who sent it.
func described(resp *http.Response, kind string) string {
	if to, err := resp.Location(); err == nil {
		return fmt.Sprintf(", a redirect to %s://%s,", to.Scheme, to.Host)
	}
	if kind == "" {
		return ""
	}
	return fmt.Sprintf(" (%s)", kind)
}

func retryAfter(resp *http.Response) time.Duration {
	if seconds, err := strconv.ParseInt(resp.Header.Get("Retry-After"), 10, 32); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	return 0
}

// backoff is [pause] as go-retryablehttp asks for it.
func backoff(least, most time.Duration, n int, resp *http.Response) time.Duration {
	if resp == nil {
		return pause(least, most, n, 0)
	}
	return pause(least, most, n, retryAfter(resp))
}

// pause is the wait before repeat n (0 for the first): what the server asks
// for, up to most, and a little more; or else anything below least doubled n
// times, and below most ("full jitter"), so that many clients that failed
// together do not come back together.
func pause(least, most time.Duration, n int, asked time.Duration) time.Duration {
	if asked > 0 {
		return min(asked, most) + rand.N(least)
	}
	ceiling := most
	if n < 30 && least<<n > 0 {
		ceiling = min(least<<n, most)
	}
	return rand.N(ceiling)
}

// errorf adds what was being done to an error of a call.
func errorf(err error, format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, err)...)
}
