package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"mime"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/pullrun/pullrun/api"
)

// retrying wraps transport so that a call is repeated up to max times.
func (c *Client) retrying(transport http.RoundTripper, max int) *retryablehttp.Client {
	r := retryablehttp.NewClient()
	r.HTTPClient = &http.Client{
		Transport:     bounded{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	r.Logger = nil // it would log URLs
	r.RetryMax = max
	r.RetryWaitMin, r.RetryWaitMax = c.cfg.RetryMin, c.cfg.RetryMax
	r.Backoff = backoff
	r.CheckRetry = checkRetry
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
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verification *tls.CertificateVerificationError
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return false
	case errors.As(err, &unknown), errors.As(err, &host), errors.As(err, &invalid), errors.As(err, &verification):
		return false
	}
	return true
}

// checkRetry is called after each attempt, and once more with the error of
// reading the answer. The error that it returns is the call's when no attempt
// follows.
func checkRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	switch {
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case err != nil:
		return Retryable(err), err
	case resp.StatusCode < 300:
		return false, nil
	}
	err = problem(resp)
	return Retryable(err), err
}

// problem reads what an answer that is not 2xx says.
func problem(resp *http.Response) error {
	e := &api.Error{}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if kind != "application/problem+json" || api.Decode(http.MaxBytesReader(nil, resp.Body, 1<<20), e) != nil || e.Code == "" {
		// It came from something in between, so it says nothing about the
		// call: whatever its status, another try may reach the server.
		e = api.Errorf(api.CodeUnavailable, "the answer %q (%s) did not come from a pullrun server", resp.Status, orNone(kind))
	}
	e.RetryAfter = retryAfter(resp)
	return e
}

func orNone(kind string) string {
	if kind == "" {
		return "no content type"
	}
	return kind
}

func retryAfter(resp *http.Response) time.Duration {
	if seconds, err := strconv.ParseInt(resp.Header.Get("Retry-After"), 10, 32); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	return 0
}

// backoff is the wait before repeat n (0 for the first): what the server asks
// for, up to most, or else anything from nothing to least doubled n times
// ("full jitter"), so that many clients that failed together do not come back
// together.
func backoff(least, most time.Duration, n int, resp *http.Response) time.Duration {
	if resp != nil {
		if after := retryAfter(resp); after > 0 {
			return min(after, most) + rand.N(least)
		}
	}
	return Jitter(least, most, n)
}

// Jitter is a random wait below least doubled n times, and below most.
func Jitter(least, most time.Duration, n int) time.Duration {
	ceiling := least << min(n, 30)
	if ceiling <= 0 || ceiling > most {
		ceiling = most
	}
	return rand.N(ceiling)
}

func isRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// errorf adds what was being done to an error of a call.
func errorf(err error, format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, err)...)
}
