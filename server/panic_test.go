package server_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pullrun/pullrun/api"
)

// panics is a log that panics on a message.
type panics struct {
	slog.Handler
	on string
}

func (p panics) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == p.on {
		panic("boom at " + p.on)
	}
	return p.Handler.Handle(ctx, r)
}

func (p panics) WithAttrs(attrs []slog.Attr) slog.Handler {
	return panics{p.Handler.WithAttrs(attrs), p.on}
}

// A handler that panics answers 500, says nothing of the matter, and the
// server lives on.
func TestPanic(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, on, path string
		body           any
		answer         func(answer) string // the code in it
	}{
		{"a call", "worker registered", "/v1/workers", api.Register{Name: "w", Capacity: 1}, func(a answer) string { return string(a.problem()) }},
		{"a submit in a batch", "run is accepted", "/v1/runs/batch", api.SubmitBatch{Runs: []api.Submit{{Pipeline: "p"}}}, func(a answer) string {
			return string(into[api.SubmitBatchResult](t, a).Results[0].Problem.Code)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(s *setup) { s.log = panics{s.log, tt.on} })
			ctx := context.WithValue(t.Context(), mayFail{}, true)
			a, err := w.send(w.request(ctx, "POST", tt.path, tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if got := tt.answer(a); got != string(api.CodeInternal) || strings.Contains(a.body, "boom") {
				t.Errorf("answer %d %s, want INTERNAL and no more", a.status, a.body)
			}
			if log := string(w.log.Bytes()); w.logged("call failed") != 1 || !strings.Contains(log, "boom at "+tt.on) || !strings.Contains(log, "goroutine") {
				t.Errorf("the log does not hold the panic and its stack, once")
			}
			w.want(http.StatusOK, "GET", "/livez", nil)
		})
	}
}

// An answer that had begun when its handler panicked is cut, so that half of
// it does not look whole.
func TestPanicWithinAnAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	half := httptest.NewServer(w.Handle(func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusOK)
		panic("boom")
	}))
	defer half.Close()
	resp, err := half.Client().Get(half.URL)
	if err == nil {
		var body []byte
		body, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close() // it has been read
		if err == nil {
			t.Errorf("answer is %d %s, want it cut", resp.StatusCode, body)
		}
	}
	if w.logged("call failed") != 1 {
		t.Errorf("the log does not hold the panic, once")
	}
}
