package server_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/server"
	"github.com/pullrun/pullrun/server/store/storetest"
)

// Whoever has a token may ask what it is good for, and nobody else.
func TestPing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) {
		for _, scope := range server.Scopes {
			s.Tokens = append(s.Tokens, server.NewToken(string(scope)+"-token", "secret-of-"+string(scope), scope))
		}
	})
	for _, scope := range server.Scopes {
		w.setup.token = "secret-of-" + string(scope)
		got := into[api.Ping](t, w.want(http.StatusOK, "GET", "/v1/ping", nil))
		if got.Version != "test" || got.Token != string(scope)+"-token" || !slices.Equal(got.Scopes, []api.Scope{scope}) || !got.Allows(scope) {
			t.Errorf("ping with scope %s = %+v", scope, got)
		}
	}
	w.setup.token = "secret-of-nobody"
	w.refused(api.CodeUnauthorized, "GET", "/v1/ping", nil)
	w.setup.token = ""
	w.refused(api.CodeUnauthorized, "GET", "/v1/ping", nil)
}

// A server whose store has no room for its reserve says so.
func TestPingTellsOfAFullDisk(t *testing.T) {
	t.Parallel()
	storetest.Only(t, storetest.SQLite)
	for _, full := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "runs.db")
		if full {
			if err := os.MkdirAll(filepath.Join(path+"-reserve", "in the way"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		w := newWorld(t, func(s *setup) { s.store, s.reserve = "sqlite://"+path, 1 })
		if got := into[api.Ping](t, w.want(http.StatusOK, "GET", "/v1/ping", nil)); got.Full != full {
			t.Errorf("ping = %+v, want full %t", got, full)
		}
	}
}

// It waits for as long as it is asked to, up to a limit, and no longer than the
// server lives.
func TestPingWaits(t *testing.T) {
	t.Parallel()
	simulated(t, func(w *world) {
		for prefer, want := range map[string]time.Duration{"wait=60": time.Minute, "wait=0": 0, "wait=100000": 5 * time.Minute} {
			began := time.Now()
			a := w.want(http.StatusOK, "GET", "/v1/ping", nil, "Prefer", prefer)
			if took := time.Since(began); took != want {
				w.t.Errorf("ping with %s took %s, want %s", prefer, took, want)
			}
			if applied := a.header.Get("Preference-Applied"); want > 0 && applied == "" {
				w.t.Errorf("ping with %s does not say so", prefer)
			}
		}
		w.refused(api.CodeInvalidRequest, "GET", "/v1/ping", nil, "Prefer", "wait=-1")

		var waiting []*pending
		var all sync.WaitGroup
		for range 64 {
			waiting = append(waiting, w.hold(w.request(w.t.Context(), "GET", "/v1/ping", nil, "Prefer", "wait=300")))
		}
		synctest.Wait()
		w.refused(api.CodeTooManyRequests, "GET", "/v1/ping", nil, "Prefer", "wait=300")
		w.want(http.StatusOK, "GET", "/v1/ping", nil)
		began := time.Now()
		all.Go(w.end)
		for _, p := range waiting {
			if a := p.await(); a.problem() != api.CodeUnavailable || time.Since(began) > time.Second {
				w.t.Errorf("a ping that waits when the server ends = %d after %s", a.status, time.Since(began))
			}
		}
		all.Wait()
	})
}
