package client_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
	"github.com/pullrun/pullrun/api/fresh/freshtest"
	"github.com/pullrun/pullrun/poller/faultproxy"
)

// overTLS starts a server that speaks HTTP/2 with a certificate of its own, and
// writes that to a file.
func overTLS(t *testing.T, h http.HandlerFunc) (url, caFile string) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that do not trust it go away
	s.StartTLS()
	t.Cleanup(s.Close)
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	raw := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(caFile, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return s.URL, caFile
}

func TestCAFile(t *testing.T) {
	t.Parallel()
	url, caFile := overTLS(t, answer(200, ended))
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("its authority is trusted", func(t *testing.T) {
		c := newClient(t, client.Config{URL: url, Transport: client.Transport{CAFile: caFile}})
		if err := submit(t.Context(), c); err != nil {
			t.Error(err)
		}
	})
	t.Run("another authority is not, and asking again does not help", func(t *testing.T) {
		err := submit(t.Context(), newClient(t, client.Config{URL: url, Retries: 100}))
		var authority x509.UnknownAuthorityError
		if !errors.As(err, &authority) || !strings.HasSuffix(err.Error(), "; a private authority wants its CA file") || client.Retryable(err) {
			t.Errorf("Submit() = %v, want an unknown authority, explained", err)
		}
	})
	for file, want := range map[string]string{
		empty:                 `CA file: "` + empty + `" holds no certificate in PEM form`,
		caFile + ".not-there": "CA file: open " + caFile + ".not-there: no such file or directory",
	} {
		_, err := client.New(client.Config{URL: url, Transport: client.Transport{CAFile: file}})
		if err == nil || err.Error() != want {
			t.Errorf("New() = %v, want %s", err, want)
		}
	}
}

// Over HTTP/2 all calls to a host share a connection unless they are kept
// apart, and a parked poll that is cut would take the others with it.
func TestPollsHaveConnectionsOfTheirOwn(t *testing.T) {
	t.Parallel()
	const polls = 100
	var mu sync.Mutex
	parked := make(chan struct{}, polls)
	conns := make(map[string]map[string]bool) // by the last part of the path
	url, caFile := overTLS(t, func(w http.ResponseWriter, r *http.Request) {
		kind := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		mu.Lock()
		if conns[kind] == nil {
			conns[kind] = make(map[string]bool)
		}
		conns[kind][r.RemoteAddr] = true
		mu.Unlock()
		switch kind {
		case "poll":
			parked <- struct{}{}
			hang(w, r)
		case "results":
			answer(200, api.Verdicts{Verdicts: []api.Verdict{{Cookie: "c", Fence: 1, Verdict: api.VerdictAccepted}}})(w, r)
		case "heartbeat":
			answer(200, api.Beat{Packets: []api.Packet{}})(w, r)
		}
	})
	c := newClient(t, client.Config{URL: url, Transport: client.Transport{CAFile: caFile}})
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range polls {
		all.Go(func() {
			_, _ = c.Poll(ctx, "w", api.Poll{Session: "s", HoldMS: 60_000}) // it ends with the test
		})
	}
	for range polls {
		<-parked
	}
	if _, err := c.PostResults(t.Context(), "w", oneResult); err != nil {
		t.Errorf("PostResults() = %v", err)
	}
	if _, err := c.Heartbeat(t.Context(), "w", api.Heartbeat{}); err != nil {
		t.Errorf("Heartbeat() = %v", err)
	}
	stop()
	all.Wait()
	for _, kind := range []string{"results", "heartbeat"} {
		for conn := range conns[kind] {
			if conns["poll"][conn] {
				t.Errorf("%s went over a connection of the polls", kind)
			}
		}
	}
}

// Calls for a person and results are traced, what a worker does all the time is
// not.
func TestWrap(t *testing.T) {
	t.Parallel()
	url, caFile := overTLS(t, func(w http.ResponseWriter, r *http.Request) { answer(200, struct{}{})(w, r) })
	var traced []string
	c := newClient(t, client.Config{URL: url, Transport: client.Transport{CAFile: caFile}, Wrap: func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			traced = append(traced, r.Method+" "+r.URL.Path)
			return next.RoundTrip(r)
		})
	}})
	_, _ = c.Poll(t.Context(), "w", api.Poll{})           // only its way matters
	_, _ = c.Heartbeat(t.Context(), "w", api.Heartbeat{}) // only its way matters
	_, _ = c.Queues(t.Context())                          // only its way matters
	if len(traced) != 1 || traced[0] != "GET /v1/queues" {
		t.Errorf("traced %q, want the call for a person only", traced)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A client shows its certificate, and a new one once there is one.
func TestClientCertificate(t *testing.T) {
	t.Parallel()
	authority, other := freshtest.NewAuthority(t, "ours"), freshtest.NewAuthority(t, "other")
	var mu sync.Mutex
	var shown []string // guarded by mu
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		shown = append(shown, r.TLS.PeerCertificates[0].Subject.CommonName)
		mu.Unlock()
		answer(200, ended)(w, r)
	}))
	pool := x509.NewCertPool()
	raw, err := os.ReadFile(authority.File)
	if err != nil {
		t.Fatal(err)
	}
	pool.AppendCertsFromPEM(raw)
	certFile, keyFile := authority.Issue(t, "127.0.0.1")
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that are refused
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)

	mine, key := authority.Issue(t, "first")
	c := newClient(t, client.Config{URL: s.URL, Transport: client.Transport{CAFile: authority.File, CertFile: mine, KeyFile: key}})
	for n, name := range []string{"first", "second"} {
		if n > 0 {
			authority.IssueInto(t, mine, key, time.Hour, name)
			c.Close() // the connections before it go on
		}
		if err := submit(t.Context(), c); err != nil || shown[n] != name {
			t.Errorf("Submit() = %v, the server saw %q, want %q", err, shown, name)
		}
	}
	// What cannot be used is told once, and the one before it is shown.
	var said bytes.Buffer
	c = newClient(t, client.Config{URL: s.URL, Transport: client.Transport{
		CAFile: authority.File, CertFile: mine, KeyFile: key, Log: slog.New(slog.NewTextHandler(&said, nil)),
	}})
	if err := os.WriteFile(mine, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := submit(t.Context(), c); err != nil || shown[len(shown)-1] != "second" {
			t.Errorf("Submit() = %v, the server saw %q, want the second", err, shown)
		}
		c.Close()
	}
	if n := strings.Count(said.String(), "level=WARN msg=\"the new certificate cannot be used, showing the one before it\""); n != 1 {
		t.Errorf("logged %q, want one line", said.String())
	}
	authority.IssueInto(t, mine, key, time.Hour, "third")
	wrong, wrongKey := other.Issue(t, "wrong")
	for _, tt := range []struct{ name, cert, key, want string }{
		{"none", "", "", "; the server wants a certificate of this client: server.cert_file and server.key_file"},
		{"one of an authority that the server does not know", wrong, wrongKey, "; the server does not accept the certificate in server.cert_file"},
	} {
		c := newClient(t, client.Config{URL: s.URL, Transport: client.Transport{CAFile: authority.File, CertFile: tt.cert, KeyFile: tt.key}})
		// TLS 1.3 has the client done before the server has looked, so that a
		// request may meet a closed connection before the reason is read.
		var err error
		for range 100 {
			if err = submit(t.Context(), c); err == nil || strings.HasSuffix(err.Error(), tt.want) {
				break
			}
			if strings.HasSuffix(err.Error(), "could not be established") {
				t.Errorf("with %s, Submit() = %v, want what may be wrong", tt.name, err)
			}
		}
		if err == nil || !strings.HasSuffix(err.Error(), tt.want) {
			t.Errorf("with %s, Submit() = %v, want %q", tt.name, err, tt.want)
		}
	}
	_, err = client.New(client.Config{URL: s.URL, Transport: client.Transport{CertFile: mine, KeyFile: wrongKey}})
	if err == nil || !strings.HasPrefix(err.Error(), "client certificate: certificate ") {
		t.Errorf("New() with the key of another = %v", err)
	}
}

// Over HTTP/2 a path that swallows everything is noticed by a ping, long before
// the poll's time is over, and the next call does not go there.
func TestBlackHoleIsNoticed(t *testing.T) {
	t.Parallel()
	authority := freshtest.NewAuthority(t, "ours")
	cert, key := authority.Issue(t, "server.test")
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	for name, versions := range map[string][]string{"HTTP/2": {"h2", "http/1.1"}, "HTTP/1.1": {"http/1.1"}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inner, outer := faultproxy.NewPipes(), faultproxy.NewPipes()
				s := &http.Server{TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: versions}, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if strings.HasSuffix(r.URL.Path, "/poll") {
						_, _ = io.Copy(io.Discard, r.Body) // or it would not know of the end
						hang(w, r)
						return
					}
					answer(200, ended)(w, r)
				}), ErrorLog: log.New(io.Discard, "", 0)}
				var served sync.WaitGroup
				served.Go(func() { _ = s.ServeTLS(inner, "", "") }) // it ends with the test
				proxy := faultproxy.New(faultproxy.Config{Listener: outer, Dial: func(ctx context.Context) (net.Conn, error) {
					return inner.Dial(ctx, "", "")
				}})
				c, err := client.New(client.Config{URL: "https://server.test", Transport: client.Transport{CAFile: authority.File, Dial: outer.Dial}})
				if err != nil {
					t.Fatal(err)
				}
				polled := make(chan error, 1)
				go func() {
					_, err := c.Poll(t.Context(), "w", api.Poll{Session: "s", HoldMS: 55_000})
					polled <- err
				}()
				synctest.Wait()
				time.Sleep(3 * time.Second)
				proxy.Block(true)
				began := time.Now()
				err = <-polled
				limit := 65 * time.Second // an HTTP/1.1 connection has no pings: the poll has its deadline
				if name == "HTTP/2" {
					limit = 20 * time.Second
				}
				if took := time.Since(began); err == nil || took > limit || !client.Retryable(err) {
					t.Errorf("Poll() = %v after %s, want an error within %s", err, took, limit)
				}
				proxy.Block(false)
				if err := submit(t.Context(), c); err != nil {
					t.Errorf("Submit() after it = %v", err)
				}
				c.Close()
				proxy.Close()
				_ = s.Shutdown(context.WithoutCancel(t.Context())) // it waits for those that were cut
				served.Wait()
			})
		})
	}
}
