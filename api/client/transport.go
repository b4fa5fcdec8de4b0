package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/fresh"
)

// Transport says how connections are made. The zero value verifies TLS
// against the system's certificates and takes the proxy from HTTPS_PROXY,
// HTTP_PROXY and NO_PROXY.
type Transport struct {
	// CAFile adds the certificates of a PEM file to the system's.
	CAFile string
	// CertFile and KeyFile are the certificate and key, in PEM form, that the
	// client shows to a server which asks for one. They are read again for
	// each connection once they have changed.
	CertFile, KeyFile string
	// Proxy is the address of the proxy, or [NoProxy]. Empty takes it from the
	// environment.
	Proxy string
	// ProxyUser and what ProxyPassword returns are shown to the proxy, unless its
	// address has its own. The password is asked for with each request, so that one
	// that changes is picked up. Nil is an empty one.
	ProxyUser     string
	ProxyPassword func() string
	// Log is told when a new certificate cannot be used. Nil tells nobody.
	Log *slog.Logger
	// Dial replaces the dialer. May be nil.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Build makes the transport that a [Client] has its connections from.
func (t Transport) Build() (*http.Transport, error) {
	dial := t.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext
	}
	tlsConfig, err := t.TLS()
	if err != nil {
		return nil, err
	}
	proxy, err := t.proxyFunc()
	if err != nil {
		return nil, err
	}
	return &http.Transport{
		Proxy:                  func(r *http.Request) (*url.URL, error) { return proxy(r.URL) },
		OnProxyConnectResponse: proxyAnswered,
		DialContext:            dial,
		TLSClientConfig:        tlsConfig,
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConns:           64,
		MaxIdleConnsPerHost:    64,
		ForceAttemptHTTP2:      true,
		// A black hole is noticed by a ping, not by the end of a hold.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 5 * time.Second},
	}, nil
}

// TLS says whom the client trusts and what it shows of itself.
func (t Transport) TLS() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CAFile != "" {
		system, err := x509.SystemCertPool()
		if err != nil {
			return nil, fmt.Errorf("read the system's certificates: %w", err)
		}
		roots, err := fresh.Pool(t.CAFile, system)
		if err != nil {
			return nil, fmt.Errorf("CA file: %w", err)
		}
		config.RootCAs, _ = roots.Get() // it has just been read
	}
	if t.CertFile != "" {
		pair, err := fresh.KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("client certificate: %w", err)
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			cert, err := pair.Get()
			if err != nil && t.Log != nil {
				t.Log.Warn("the new certificate cannot be used, showing the one before it", "err", err)
			}
			return cert, nil
		}
	}
	return config, nil
}

type attemptTimeout struct{}

// withAttemptTimeout asks the client's transport to bound each attempt, which
// the context alone cannot: it bounds all of them and the waits between.
func withAttemptTimeout(ctx context.Context, d time.Duration) context.Context {
	return context.WithValue(ctx, attemptTimeout{}, d)
}

// noAnswer is the error of an attempt that took too long. It is a [net.Error].
type noAnswer time.Duration

func (e noAnswer) Error() string { return fmt.Sprintf("no answer within %s", time.Duration(e)) }
func (noAnswer) Timeout() bool   { return true }
func (noAnswer) Temporary() bool { return true }

// bounded gives each attempt its own deadline, from the first byte that is
// sent to the last that is read. What comes of the answer moves it, so that a
// large one arrives on a slow path, and one that does not come is given up in time.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	d, _ := req.Context().Value(attemptTimeout{}).(time.Duration)
	if d <= 0 {
		return b.next.RoundTrip(req)
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	began := time.Now()
	over := time.AfterFunc(d, func() { cancel(noAnswer(d)) })
	end := func() {
		over.Stop()
		cancel(nil)
	}
	resp, err := b.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		end()
		return nil, err
	}
	resp.Body = &arrivingBody{ReadCloser: resp.Body, ctx: ctx, deadline: began.Add(d), over: over, end: end}
	return resp, nil
}

// arrivingBody moves its attempt's deadline by what is read, and ends it when it is
// closed. It is for one goroutine.
type arrivingBody struct {
	io.ReadCloser
	ctx      context.Context
	deadline time.Time
	over     *time.Timer
	read     int64
	end      func()
}

func (b *arrivingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	before := api.Carry(b.read)
	b.read += int64(n)
	if more := api.Carry(b.read) - before; more > 0 && b.over.Stop() {
		b.deadline = b.deadline.Add(more)
		b.over.Reset(time.Until(b.deadline))
	}
	if err != nil && err != io.EOF && b.ctx.Err() != nil {
		err = context.Cause(b.ctx)
	}
	return n, err
}

func (b *arrivingBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}
