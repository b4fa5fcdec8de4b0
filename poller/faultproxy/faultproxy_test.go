package faultproxy_test

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/pullrun/pullrun/poller/faultproxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A path is a server that answers "answer", behind a proxy, in simulated time.
type path struct {
	client *http.Client
	proxy  *faultproxy.Proxy
	asked  atomic.Int32
}

func through(t *testing.T, f faultproxy.Fault, test func(t *testing.T, p *path)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &path{}
		inner, outer := faultproxy.NewPipes(), faultproxy.NewPipes()
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p.asked.Add(1)
			time.Sleep(time.Second)
			_, _ = io.WriteString(w, "answer") // the caller sees it
		})}
		var served sync.WaitGroup
		served.Go(func() { _ = server.Serve(inner) }) // it ends with the test
		p.proxy = faultproxy.New(faultproxy.Config{
			Listener: outer, Fault: func(faultproxy.Exchange) faultproxy.Fault { return f },
			Dial: func(ctx context.Context) (net.Conn, error) { return inner.Dial(ctx, "", "") },
		})
		transport := &http.Transport{DialContext: outer.Dial}
		p.client = &http.Client{Transport: transport, Timeout: time.Minute}
		test(t, p)
		transport.CloseIdleConnections()
		p.proxy.Close()
		_ = server.Shutdown(context.WithoutCancel(t.Context())) // it waits for those that were cut
		served.Wait()
	})
}

func (p *path) get() (status int, body string, err error) {
	resp, err := p.client.Get("http://server/")
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(raw), err
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		fault  faultproxy.Fault
		status int
		body   string        // its beginning
		fails  bool          // the call, or reading its answer
		asked  int32         // how often the server was
		took   time.Duration // to the second
	}{
		{"none", faultproxy.Fault{}, 200, "answer", false, 1, time.Second},
		{"cut before the answer", faultproxy.Fault{Kind: faultproxy.CutAt}, 0, "", true, 1, time.Second},
		{"cut in the body", faultproxy.Fault{Kind: faultproxy.CutAt, At: 137}, 200, "an", true, 1, time.Second},
		{"cut after the end", faultproxy.Fault{Kind: faultproxy.CutAt, At: 10_000}, 200, "answer", false, 1, time.Second},
		{"a page of a proxy", faultproxy.Fault{Kind: faultproxy.BadGateway}, 502, "<html>", false, 0, 0},
		{"a page after a while", faultproxy.Fault{Kind: faultproxy.Timeout, After: time.Second / 2}, 504, "<html>", false, 1, 0},
		{"an answer before that", faultproxy.Fault{Kind: faultproxy.Timeout, After: 2 * time.Second}, 200, "answer", false, 1, time.Second},
		{"twice", faultproxy.Fault{Kind: faultproxy.Duplicate}, 200, "answer", false, 2, 2 * time.Second},
		{"drip", faultproxy.Fault{Kind: faultproxy.Drip, After: time.Second / 10}, 200, "answer", false, 1, 15 * time.Second},
		{"drip of a few bytes", faultproxy.Fault{Kind: faultproxy.Drip, After: time.Second, At: 40}, 200, "answer", false, 1, 5 * time.Second},
		{"late", faultproxy.Fault{Kind: faultproxy.Late, After: 5 * time.Second}, 200, "answer", false, 1, 6 * time.Second},
		{"cut after a while", faultproxy.Fault{Kind: faultproxy.CutAfter, After: time.Second / 2}, 0, "", true, 1, 0},
		{"reset", faultproxy.Fault{Kind: faultproxy.Reset}, 0, "", true, 1, time.Second},
		{"delay", faultproxy.Fault{Kind: faultproxy.Delay, After: 5 * time.Second}, 200, "answer", false, 1, 6 * time.Second},
		{"black hole", faultproxy.Fault{Kind: faultproxy.BlackHole}, 0, "", true, 0, time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			through(t, tt.fault, func(t *testing.T, p *path) {
				began := time.Now()
				status, body, err := p.get()
				if status != tt.status || !strings.HasPrefix(body, tt.body) || (err != nil) != tt.fails || tt.fails && body != tt.body {
					t.Errorf("got %d %q %v, want %d %q and an error: %t", status, body, err, tt.status, tt.body, tt.fails)
				}
				if took := time.Since(began).Truncate(time.Second); took != tt.took {
					t.Errorf("took %s, want %s", took, tt.took)
				}
				if n := p.asked.Load(); n != tt.asked {
					t.Errorf("the server was asked %d times, want %d", n, tt.asked)
				}
				if p.proxy.Happened(tt.fault.Kind) == 0 {
					t.Error("the fault was not counted")
				}
			})
		})
	}
}

func TestBlock(t *testing.T) {
	t.Parallel()
	through(t, faultproxy.Fault{}, func(t *testing.T, p *path) {
		p.proxy.Block(true)
		if _, _, err := p.get(); err == nil {
			t.Error("a call came through")
		}
		p.proxy.Block(false)
		if _, body, err := p.get(); body != "answer" {
			t.Errorf("after that, the answer is %q %v", body, err)
		}
	})
}

// What it does not understand it carries all the same, over real connections.
func TestTunnel(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto) // the caller sees it
	}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // that callers are cut off
	server.StartTLS()
	defer server.Close()
	faults := []faultproxy.Fault{{}, {Kind: faultproxy.Reset}, {Kind: faultproxy.CutAfter}, {Kind: faultproxy.Delay, After: time.Millisecond}}
	proxy, addr := faultproxy.Start(t, server.Listener.Addr().String(), func(e faultproxy.Exchange) faultproxy.Fault { return faults[e.N] })
	for _, fault := range faults {
		server.Client().CloseIdleConnections()
		resp, err := server.Client().Get("https://" + addr)
		if fault.Kind == faultproxy.Reset || fault.Kind == faultproxy.CutAfter {
			if err == nil {
				t.Errorf("%q: a call came through", fault.Kind)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(raw) != "HTTP/2.0" {
			t.Errorf("%q: the answer is %q %v", fault.Kind, raw, err)
		}
	}
	server.Client().CloseIdleConnections()
	proxy.Close()
}
