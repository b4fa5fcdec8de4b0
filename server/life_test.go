package server_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pullrun/pullrun"
	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/fresh/freshtest"
	"github.com/pullrun/pullrun/server"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/livez", "/readyz"} {
		if got := w.want(200, "GET", path, nil).body; got != `{"status":"ok","version":"test"}` {
			t.Errorf("%s = %s", path, got)
		}
	}
	if got := w.want(200, "GET", "/openapi.yaml", nil); got.body != string(pullrun.OpenAPI) {
		t.Errorf("/openapi.yaml = %.100s, want the document", got.body)
	}
}

// A server whose database does not answer is alive and not ready.
func TestNotReady(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.want(200, "GET", "/readyz", nil)
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	w.refused(api.CodeUnavailable, "GET", "/readyz", nil)
	w.want(200, "GET", "/livez", nil)
}

// A server that is told to end answers everybody who waits at once, and has
// lost nothing that it acknowledged.
func TestEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 1)
	w.submit(api.Submit{Cookie: "running"})
	lease := wk.take()
	parked := wk.park(lease)
	other := w.register("other", 1).park()
	w.parked(2)
	reader := w.hold(w.request(t.Context(), "GET", "/v1/runs/running", nil, "Prefer", "wait=60"))
	submitter := w.hold(w.request(t.Context(), "POST", "/v1/runs", api.Submit{Pipeline: "p", Cookie: "waited-for", Queue: "q"}, "Prefer", "wait=60"))
	follower := w.follow(t, "running", "")
	follower.want("state")
	w.eventually("the run is submitted", func() bool { return w.call("GET", "/v1/runs/waited-for", nil).status == 200 })

	silent, err := net.Dial("tcp", w.Addr().String()) // and never sends a request
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	w.want(200, "GET", "/livez", nil)

	began := time.Now()
	w.stop()
	for _, p := range []*pending{parked, other} {
		if a := p.await(); a.status != http.StatusNoContent {
			t.Errorf("a parked poll = %d %s, want 204", a.status, a.body)
		}
	}
	if a := reader.await(); into[api.Run](t, a).State != api.StateRunning {
		t.Errorf("the waiting read = %d %s, want the run as it is", a.status, a.body)
	}
	if a := submitter.await(); a.status != http.StatusCreated || into[api.Run](t, a).State != api.StateQueued {
		t.Errorf("the waiting submit = %d %s, want the run as it is", a.status, a.body)
	}
	if e, more := follower.next(); more {
		t.Errorf("the stream goes on with %+v", e)
	}
	w.end()
	if took := time.Since(began); took > time.Second {
		t.Errorf("the server ended after %v", took)
	}

	w = w.again()
	wk.world = w
	w.state(api.StateQueued, "waited-for")
	w.state(api.StateRunning, "running")
	if got := wk.poll(lease); len(got) != 0 {
		t.Errorf("poll of the session of before = %+v, want nothing", got)
	}
	wk.finish(lease)
}

// What was acknowledged under load is there when the next server starts.
func TestEndUnderLoad(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var mu sync.Mutex // guards acknowledged
	var acknowledged []string
	enough := make(chan struct{}) // closed by whoever has the 50th acknowledged
	var submitters sync.WaitGroup
	for n := range 4 {
		submitters.Go(func() {
			for i := 0; ; i++ {
				cookie := fmt.Sprintf("c%d-%d", n, i)
				a, err := w.send(w.request(t.Context(), "POST", "/v1/runs", api.Submit{Pipeline: "p", Cookie: cookie}))
				if err != nil {
					return // the server has ended
				}
				if a.status != http.StatusCreated {
					t.Errorf("submit = %d %s", a.status, a.body)
					return
				}
				mu.Lock()
				acknowledged = append(acknowledged, cookie)
				if len(acknowledged) == 50 {
					close(enough)
				}
				mu.Unlock()
			}
		})
	}
	<-enough
	w.stop()
	submitters.Wait()
	w.end()
	w = w.again()
	there := strings.Fields(w.list(t, "", 500))
	for _, cookie := range acknowledged {
		if !slices.Contains(there, cookie) {
			t.Errorf("run %s was acknowledged and is not there", cookie)
		}
	}
}

func TestStopBeforeStart(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Run(ctx); err != nil {
		t.Errorf("Run() with a context that has ended = %v", err)
	}
	l, err := net.Listen("tcp", w.Addr().String())
	if err != nil {
		t.Fatalf("the address is still taken: %v", err)
	}
	_ = l.Close() // it was free
}

func TestStartTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.want(200, "GET", "/livez", nil)
	if err := w.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "before") {
		t.Errorf("the second Run() = %v, want a refusal", err)
	}
	w.want(200, "GET", "/livez", nil)
	w.end()
	if err := w.Run(t.Context()); err == nil {
		t.Errorf("Run() after its end = %v, want a refusal", err)
	}
}

func TestTakenPort(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 2 {
		_, err := server.New(server.Config{Listen: w.Addr().String()}, w.store, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), "is another server running?") || !strings.Contains(err.Error(), w.Addr().String()) {
			t.Errorf("New() on a taken port = %v, want the address and a guess", err)
		}
	}
	w.want(200, "GET", "/livez", nil)
}

func TestTwoServersInOneProcess(t *testing.T) {
	t.Parallel()
	one, two := newWorld(t), newWorld(t)
	one.submit(api.Submit{Cookie: "c"})
	two.refused(api.CodeCookieNotFound, "GET", "/v1/runs/c", nil)
	one.end()
	two.submit(api.Submit{Cookie: "c"})
}

// A server whose store takes no more writes says so, and that it is worth
// trying again.
func TestStoreIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 1)
	w.submit(api.Submit{Cookie: "c"})
	lease := wk.take()
	parked := wk.park(lease)
	w.parked(1)
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	body := func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	for path, in := range map[string]string{
		"/v1/runs":            body(api.Submit{Pipeline: "p"}),
		"/v1/runs/c/cancel":   "{}",
		"/v1/workers":         body(api.Register{Name: "w", Capacity: 1}),
		wk.path("/heartbeat"): body(api.Heartbeat{Session: wk.session, Holding: []api.Held{}}),
		wk.path("/results"):   body(api.Results{Session: wk.session, Results: []api.Result{ok(lease)}}),
		wk.path("/events"):    body(api.Events{Session: wk.session, Events: []api.RunEvent{{Cookie: "c", Fence: lease.Fence, N: 1, Kind: "log", At: time.Now()}}}),
		wk.path("/shutdown"):  "",
		wk.path("/poll"):      body(wk.asks(0, nil)),
	} {
		if a := w.refused(api.CodeUnavailable, "POST", path, in); a.header.Get("Retry-After") != "1" {
			t.Errorf("POST %s: Retry-After is %q, want 1", path, a.header.Get("Retry-After"))
		}
	}
	batch := into[api.SubmitBatchResult](t, w.want(200, "POST", "/v1/runs/batch", api.SubmitBatch{Runs: []api.Submit{{Pipeline: "p"}}}))
	if p := batch.Results[0].Problem; p == nil || p.Code != api.CodeUnavailable {
		t.Errorf("submit in a batch = %+v, want UNAVAILABLE", batch.Results[0])
	}
	_ = parked.await() // it was released by the newer poll
}

// A request that does not finish is cut after the shutdown timeout.
func TestEndCutsSlowRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.ShutdownTimeout = 200 * time.Millisecond })
	conn, err := net.Dial("tcp", w.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const begun = "POST /v1/runs HTTP/1.1\r\nHost: w\r\nExpect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
	if _, err := io.WriteString(conn, begun); err != nil {
		t.Fatal(err)
	}
	const wanted = "HTTP/1.1 100 Continue\r\n\r\n" // the server reads the body
	if _, err := io.ReadFull(conn, make([]byte, len(wanted))); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	w.end()
	if took := time.Since(began); took < 200*time.Millisecond || took > 20*time.Second { // reading the body may take 30 s
		t.Errorf("the server ended after %v, want soon after 200ms", took)
	}
	if w.logged("requests did not finish in time and are cut") != 1 {
		t.Error("nobody was told that requests are cut")
	}
}

// With a certificate the server speaks HTTPS, of both versions.
func TestTLS(t *testing.T) {
	t.Parallel()
	authority := freshtest.NewAuthority(t, "ours")
	cert, key := authority.Issue(t, "127.0.0.1")
	w := newWorld(t, func(s *setup) { s.CertFile, s.KeyFile = cert, key })
	pool := pool(t, authority)
	if !strings.HasPrefix(w.url, "https://127.0.0.1:") {
		t.Errorf("URL() = %s, want https", w.url)
	}
	for version, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: http2}
		w.client = &http.Client{Transport: checked{t: t, next: transport}}
		wk := w.register("w", 1)
		parked := wk.park()
		w.parked(1)
		w.submit(api.Submit{})
		got := parked.packets()
		if len(runs(t, got)) != 1 {
			t.Fatalf("%s: the parked poll = %v, want the RUN", version, got)
		}
		wk.finish(held(got[0])) // or the next session is given it
		resp, err := w.client.Get(w.url + "/livez")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close() // it was not read
		if resp.Proto != version {
			t.Errorf("spoke %s, want %s", resp.Proto, version)
		}
		transport.CloseIdleConnections()
	}
}

func pool(t *testing.T, authorities ...*freshtest.Authority) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	for _, a := range authorities {
		raw, err := os.ReadFile(a.File)
		if err != nil || !pool.AppendCertsFromPEM(raw) {
			t.Fatal(err)
		}
	}
	return pool
}
