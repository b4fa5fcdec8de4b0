package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A network joins a client to a server in memory, so that both live in one
// bubble of testing/synctest.
type network struct {
	conns chan net.Conn
	over  chan struct{}

	mu      sync.Mutex
	refusal int // dials that are still refused
}

func (n *network) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.over:
		return nil, net.ErrClosed
	}
}

func (n *network) Close() error   { close(n.over); return nil }
func (n *network) Addr() net.Addr { return &net.TCPAddr{} }

func (n *network) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	n.mu.Lock()
	refused := n.refusal > 0
	n.refusal--
	n.mu.Unlock()
	if refused {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	ours, theirs := net.Pipe()
	select {
	case n.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A request is what the server saw of one attempt.
type request struct {
	at     time.Time
	line   string // method and target
	header http.Header
	body   string
}

// A server answers each request with the next of its answers, the last one for
// ever.
type server struct {
	network *network
	answers []http.HandlerFunc

	mu       sync.Mutex
	requests []request
}

func newServer(t *testing.T, answers ...http.HandlerFunc) *server {
	t.Helper()
	s := &server{network: &network{conns: make(chan net.Conn), over: make(chan struct{})}, answers: answers}
	h := &http.Server{Handler: s}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = h.Serve(s.network) // it ends with the test
	}()
	t.Cleanup(func() {
		h.Close()
		<-done
	})
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // a cut request shows as one
	s.mu.Lock()
	n := min(len(s.requests), len(s.answers)-1)
	s.requests = append(s.requests, request{time.Now(), r.Method + " " + r.URL.String(), r.Header.Clone(), string(body)})
	s.mu.Unlock()
	s.answers[n](w, r)
}

// seen are the requests so far.
func (s *server) seen() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[:len(s.requests):len(s.requests)]
}

// client makes a client of the server.
func (s *server) client(t *testing.T, cfg client.Config) *client.Client {
	t.Helper()
	cfg.URL = "http://pullrun.test"
	cfg.Transport.Dial = s.network.dial
	return newClient(t, cfg)
}

func newClient(t *testing.T, cfg client.Config) *client.Client {
	t.Helper()
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func answer(status int, v any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v) // the client may have gone
	}
}

// problem refuses a call as the server does.
func problem(code api.Code) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(code.Status())
		_ = json.NewEncoder(w).Encode(api.Errorf(code, "the server says no")) // the client may have gone
	}
}

// page answers as something in between does.
func page(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		fmt.Fprint(w, "<html>nginx</html>")
	}
}

// cut sends half of an answer and ends the connection.
func cut(full http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		full(&halved{w}, r)
		panic(http.ErrAbortHandler)
	}
}

type halved struct{ http.ResponseWriter }

func (h *halved) Write(p []byte) (int, error) {
	if _, err := h.ResponseWriter.Write(p[:len(p)/2]); err != nil {
		return 0, err
	}
	return len(p), http.NewResponseController(h.ResponseWriter).Flush()
}

// hang answers when the client has gone.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

var ended = api.Run{Cookie: "c", State: api.StateSucceeded}

func in(state api.State) api.Run { return api.Run{Cookie: "c", State: state} }

func submit(ctx context.Context, c *client.Client) error {
	_, err := c.Submit(ctx, api.Submit{Cookie: "c", Pipeline: "p"}, 0)
	return err
}

// has reports whether the error's text is as wanted: "" for none.
func has(err error, want string) bool {
	if want == "" || err == nil {
		return err == nil && want == ""
	}
	return strings.Contains(err.Error(), want)
}

var errOver = errors.New("the test is over")
