package client_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
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
		empty:                 `CA file "` + empty + `" holds no certificate in PEM form`,
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
			answer(200, api.Verdicts{Verdicts: []api.Verdict{{}}})(w, r)
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
