package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// Transport says how connections are made. The zero value verifies TLS
// against the system's certificates and takes the proxy from HTTPS_PROXY,
// HTTP_PROXY and NO_PROXY.
type Transport struct {
	// CAFile adds the certificates of a PEM file to the system's.
	CAFile string
	// Dial replaces the dialer. May be nil.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

func (t Transport) build() (*http.Transport, error) {
	dial := t.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext
	}
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("CA file: %w", err)
		}
		roots, err := x509.SystemCertPool()
		if err != nil {
			return nil, fmt.Errorf("read the system's certificates: %w", err)
		}
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("CA file %q holds no certificate in PEM form", t.CAFile)
		}
		tlsConfig.RootCAs = roots
	}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dial,
		TLSClientConfig:       tlsConfig,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConns:          64,
		MaxIdleConnsPerHost:   64,
		ForceAttemptHTTP2:     true,
		// A black hole is noticed by a ping, not by the end of a hold.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 5 * time.Second},
	}, nil
}

type attemptTimeout struct{}

// withAttemptTimeout asks the client's transport to bound each attempt, which
// the context alone cannot: it bounds all of them and the waits between.
func withAttemptTimeout(ctx context.Context, d time.Duration) context.Context {
	return context.WithValue(ctx, attemptTimeout{}, d)
}

// bounded gives each attempt its own deadline, from the first byte that is
// sent to the last that is read.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	d, _ := req.Context().Value(attemptTimeout{}).(time.Duration)
	if d <= 0 {
		return b.next.RoundTrip(req)
	}
	ctx, cancel := context.WithTimeoutCause(req.Context(), d, fmt.Errorf("no answer within %s", d))
	resp, err := b.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		cancel()
		return nil, err
	}
	resp.Body = &endingBody{ReadCloser: resp.Body, cancel: cancel}
	return resp, nil
}

// endingBody ends its attempt's deadline when it is closed.
type endingBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *endingBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}
