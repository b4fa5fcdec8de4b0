package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
)

// echo answers a submit with the run that it asks for.
func echo(t *testing.T, s **server) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		seen := (*s).seen()
		var one api.Submit
		var many api.SubmitBatch
		body := []byte(seen[len(seen)-1].body)
		if err := errors.Join(json.Unmarshal(body, &one), json.Unmarshal(body, &many)); err != nil {
			t.Error(err)
		}
		if many.Runs == nil {
			answer(201, api.Run{Cookie: one.Cookie})(w, r)
			return
		}
		var out api.SubmitBatchResult
		for _, run := range many.Runs {
			out.Results = append(out.Results, api.SubmitResult{Run: &api.Run{Cookie: run.Cookie}})
		}
		answer(200, out)(w, r)
	}
}

func TestSubmitMakesACookieAndKeepsIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s *server
		s = newServer(t, cut(echo(t, &s)), problem(api.CodeUnavailable), echo(t, &s))
		run, err := s.client(t, client.Config{Retries: 2}).Submit(t.Context(), api.Submit{Pipeline: "p"}, 0)
		if err != nil || !api.ValidCookie(run.Cookie) {
			t.Fatalf("Submit() = %+v, %v, want a run with a cookie", run, err)
		}
		for i, r := range s.seen() {
			if r.body != s.seen()[0].body {
				t.Errorf("attempt %d sends %s, the first %s", i, r.body, s.seen()[0].body)
			}
		}
	})
}

func TestSubmitWaitsForTheEnd(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		wait   time.Duration
		prefer string
	}{
		{"whole seconds", 25500 * time.Millisecond, "wait=25"},
		{"at most a minute", time.Hour, "wait=60"},
		{"not at all", 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
					time.Sleep(min(tt.wait, time.Minute)) // longer than a call that does not wait may take
					answer(201, ended)(w, r)
				})
				run, err := s.client(t, client.Config{}).Submit(t.Context(), api.Submit{Pipeline: "p", Cookie: "c"}, tt.wait)
				if err != nil || run.State != api.StateSucceeded {
					t.Errorf("Submit() = %+v, %v, want the run that has ended", run, err)
				}
				if seen := s.seen(); len(seen) != 1 || seen[0].header.Get("Prefer") != tt.prefer {
					t.Errorf("%d requests, Prefer %q, want one with %q", len(seen), seen[0].header.Get("Prefer"), tt.prefer)
				}
			})
		})
	}
}

func TestSubmitBatchMakesCookiesAndKeepsThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s *server
		s = newServer(t, cut(echo(t, &s)), answer(200, api.SubmitBatchResult{}), echo(t, &s))
		runs := []api.Submit{{Pipeline: "p"}, {Pipeline: "p"}, {Pipeline: "p", Cookie: "mine"}}
		out, err := s.client(t, client.Config{Retries: 2}).SubmitBatch(t.Context(), runs)
		if err != nil || len(out) != 3 {
			t.Fatalf("SubmitBatch() = %v, %v, want three answers", out, err)
		}
		if a, b, c := out[0].Run.Cookie, out[1].Run.Cookie, out[2].Run.Cookie; !api.ValidCookie(a) || !api.ValidCookie(b) || a == b || c != "mine" {
			t.Errorf("cookies %q, %q, %q, want two new ones and \"mine\"", a, b, c)
		}
		if runs[0].Cookie != "" {
			t.Error("the caller's runs were changed")
		}
		for i, r := range s.seen() {
			if r.body != s.seen()[0].body {
				t.Errorf("attempt %d sends %s, the first %s", i, r.body, s.seen()[0].body)
			}
		}
	})
}

func TestWaitGoesThroughOutages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		held := func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(25 * time.Second)
			answer(200, in(api.StateRunning))(w, r)
		}
		s := newServer(t, held, held, page(502), cut(answer(200, ended)), problem(api.CodeUnavailable), hang, held, answer(200, ended))
		s.network.refusal = 100
		run, err := s.client(t, client.Config{}).Wait(t.Context(), "c")
		if err != nil || run.State != api.StateSucceeded {
			t.Errorf("Wait() = %+v, %v, want the run that has ended", run, err)
		}
		seen := s.seen()
		if len(seen) != 8 || seen[0].header.Get("Prefer") != "wait=25" {
			t.Errorf("%d requests, Prefer %q, want 8 with wait=25", len(seen), seen[0].header.Get("Prefer"))
		}
		if gap := seen[1].at.Sub(seen[0].at); gap != 25*time.Second {
			t.Errorf("a read that was held is followed after %s, want at once", gap-25*time.Second)
		}
	})
}

// A server that does not hold the read, or a state that it does not know, must
// not make the client spin.
func TestWaitPacesReadsThatAreNotHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, answer(200, in("PAUSED")))
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Hour, errOver)
		defer cancel()
		if _, err := s.client(t, client.Config{}).Wait(ctx, "c"); !errors.Is(err, errOver) {
			t.Errorf("Wait() = %v, want %v", err, errOver)
		}
		if got := len(s.seen()); got > 500 {
			t.Errorf("%d reads in an hour, want one in a few seconds", got)
		}
	})
}

func TestWaitEndsWithARefusal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, problem(api.CodeCookieNotFound))
		_, err := s.client(t, client.Config{}).Wait(t.Context(), "c")
		if api.CodeOf(err) != api.CodeCookieNotFound || len(s.seen()) != 1 {
			t.Errorf("Wait() = %v after %d reads, want COOKIE_NOT_FOUND after one", err, len(s.seen()))
		}
	})
}

func TestWhatIsNoCookieIsNotSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, answer(200, ended))
		c := s.client(t, client.Config{})
		for _, cookie := range []string{"", "a/b", "../workers", "a?b"} {
			_, get := c.Get(t.Context(), cookie, 0)
			_, cancel := c.Cancel(t.Context(), cookie, "")
			_, follow := c.Follow(t.Context(), cookie, nil)
			for _, err := range []error{get, cancel, follow} {
				if api.CodeOf(err) != api.CodeInvalidRequest {
					t.Errorf("%q: %v, want INVALID_REQUEST", cookie, err)
				}
			}
		}
		if len(s.seen()) > 0 {
			t.Errorf("%q was sent", s.seen()[0].line)
		}
	})
}

func events(pieces ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, piece := range pieces {
			w.Write([]byte(piece))
			http.NewResponseController(w).Flush()
		}
	}
}

func TestFollow(t *testing.T) {
	t.Parallel()
	state := func(s string) string { return "event: state\ndata: {\"cookie\":\"c\",\"state\":\"" + s + "\"}\n\n" }
	silent := func(w http.ResponseWriter, r *http.Request) {
		events(": alive\n\n", state("RUNNING"))(w, r)
		hang(w, r)
	}
	alive := func(w http.ResponseWriter, r *http.Request) {
		for range 10 {
			events(": alive\n\n")(w, r)
			time.Sleep(30 * time.Second)
		}
		events(state("DEAD"))(w, r)
	}
	for _, tt := range []struct {
		name    string
		answers []http.HandlerFunc
		want    []api.State
		err     string
	}{
		{"each state is shown", []http.HandlerFunc{events(": hello\n\n", state("QUEUED"), state("RUNNING"), state("SUCCEEDED"))},
			[]api.State{"QUEUED", "RUNNING", "SUCCEEDED"}, ""},
		{"other events are passed over", []http.HandlerFunc{events("id: 1\nevent: log\ndata: {}\n\n", "data: 1\n\n", state("FAILED"))}, []api.State{"FAILED"}, ""},
		{"lines may be cut and end in any way", []http.HandlerFunc{events("event: sta", "te\r\ndata: {\"state\":\r\ndata:\"DEAD\"}\r\n", "\r\n")}, []api.State{"DEAD"}, ""},
		{"a stream that ends is opened again", []http.HandlerFunc{events(state("QUEUED")), page(502), events(state("DEAD"))}, []api.State{"QUEUED", "DEAD"}, ""},
		{"a stream that is silent is opened again", []http.HandlerFunc{silent, events(state("DEAD"))}, []api.State{"RUNNING", "DEAD"}, ""},
		{"so is one that never says anything", []http.HandlerFunc{hang, events(state("DEAD"))}, []api.State{"DEAD"}, ""},
		{"a stream that says that it is alive goes on", []http.HandlerFunc{alive}, []api.State{"DEAD"}, ""},
		{"a refusal ends it", []http.HandlerFunc{problem(api.CodeForbidden)}, nil, `follow run "c": the server says no`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, tt.answers...)
				var shown []api.State
				began := time.Now()
				_, err := s.client(t, client.Config{}).Follow(t.Context(), "c", func(r api.Run) { shown = append(shown, r.State) })
				if !has(err, tt.err) || !slices.Equal(shown, tt.want) {
					t.Errorf("Follow() = %v and showed %v, want %q and %v", err, shown, tt.err, tt.want)
				}
				if len(s.seen()) != len(tt.answers) || time.Since(began) > 5*time.Minute {
					t.Errorf("%d streams in %s, want %d", len(s.seen()), time.Since(began), len(tt.answers))
				}
			})
		})
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		refused int
		answer  http.HandlerFunc
		wait    time.Duration
		err     string
	}{
		{"a server that takes work", 0, answer(200, struct{}{}), 0, ""},
		{"a server that is about to", 5, answer(200, struct{}{}), time.Minute, ""},
		{"a server that is not there", 1, answer(200, struct{}{}), 0, "is it running?"},
		{"a server that stays away", 0, problem(api.CodeUnavailable), time.Minute, "the server says no"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, tt.answer)
				s.network.refusal = tt.refused
				began := time.Now()
				err := s.client(t, client.Config{}).Ready(t.Context(), tt.wait)
				if took := time.Since(began); !has(err, tt.err) || took > tt.wait+time.Second {
					t.Errorf("Ready() = %v after %s, want %q within %s", err, took, tt.err, tt.wait)
				}
			})
		})
	}
}
