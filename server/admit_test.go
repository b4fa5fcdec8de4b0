package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/pullrun/pullrun/api"
)

// reads opens the stream of a run as the owner of a token.
func (w *world) reads(t *testing.T, cookie, token string) func() {
	t.Helper()
	resp, err := w.client.Do(w.request(t.Context(), "GET", "/v1/runs/"+cookie+"/events", nil, "Authorization", bearer(token)))
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("events as %s: %v, %v", token, resp, err)
	}
	return func() { _ = resp.Body.Close() } // it is cut
}

// No more readers are held than the limit says, half of them for one token.
// What need not be held is answered as ever.
func TestReaderLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) {
		tokens(s, "one", "other", "third")
		s.MaxReaders = 4
	})
	wk := w.register("w", 1)
	w.submit(api.Submit{Cookie: "ended"})
	wk.finish(wk.take())
	w.submit(api.Submit{Cookie: "c"})
	leave := w.reads(t, "c", "one")
	w.held.Go(func() {
		for { // the calls below take the place as well, for a moment
			a, err := w.send(w.request(t.Context(), "GET", "/v1/runs/c", nil, "Prefer", "wait=60"))
			switch {
			case err == nil && a.status == http.StatusTooManyRequests:
				continue
			case err != nil || a.status != http.StatusOK:
				t.Errorf("the reader that waits got %d %s, %v", a.status, a.body, err)
			}
			return
		}
	})
	w.eventually("the token has its share", func() bool {
		return w.call("GET", "/v1/runs/c", nil, "Prefer", "wait=1").status == http.StatusTooManyRequests
	})
	for _, call := range []string{"/v1/runs/c", "/v1/runs/c/events"} {
		a := w.refused(api.CodeTooManyRequests, "GET", call, nil, "Prefer", "wait=60")
		if a.header.Get("Retry-After") != "1" || !strings.Contains(a.body, `token \"one\" follows runs or waits for their end 2 times`) {
			t.Errorf("GET %s as one is answered %v %s", call, a.header, a.body)
		}
	}
	if a := w.want(http.StatusOK, "GET", "/v1/runs/ended", nil, "Prefer", "wait=60"); into[api.Run](t, a).State != api.StateSucceeded {
		t.Errorf("the run that has ended is %s", a.body)
	}
	w.want(http.StatusOK, "GET", "/v1/runs/c/events", nil, "Accept", "application/json")
	w.get("c")
	a := w.want(http.StatusCreated, "POST", "/v1/runs", api.Submit{Pipeline: "p", Cookie: "d"}, "Prefer", "wait=60")
	if got := a.header.Get("Preference-Applied"); got != "" {
		t.Errorf("a submit that could not wait says that it has: %q", got)
	}
	a = w.want(http.StatusCreated, "POST", "/v1/runs", api.Submit{Pipeline: "p"}, "Prefer", "wait=60", "Idempotency-Key", "k")
	if got := a.header.Get("Preference-Applied"); got != "" {
		t.Errorf("a submit that could not wait says that it has: %q", got)
	}

	defer w.reads(t, "c", "other")()
	others := w.reads(t, "c", "other")
	for _, token := range []string{"other", "third"} {
		a := w.refused(api.CodeTooManyRequests, "GET", "/v1/runs/c/events", nil, "Authorization", bearer(token))
		if !strings.Contains(a.body, "4 callers") {
			t.Errorf("events as %s are answered %s", token, a.body)
		}
	}
	others()
	leave()
	w.eventually("there is room again", func() bool {
		resp, err := w.client.Do(w.request(t.Context(), "GET", "/v1/runs/c/events", nil, "Authorization", bearer("third")))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	w.cancel("c")
}
