package store_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pullrun/pullrun/server/store"
)

// A run that ended without success can be requeued, once, and no other can.
func TestRequeue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 9, func(n *store.NewSession) { n.Pipelines = []store.Pipeline{{Name: "p", Digest: "d1"}} })
	for _, rc := range []string{"OK", "EXCEPTION", "TIMEOUT"} {
		w.submit(rc, func(n *store.NewRun) { n.Variables, n.PipelineDigest = []byte(`{"a":1}`), "d1" })
		h := w.run("w")
		w.finish(store.Result{Cookie: rc, Fence: h.Fence, Worker: "w", RC: rc, Error: "no"})
	}
	w.submit("queued")
	w.submit("later", func(n *store.NewRun) { n.NotBefore, n.IdempotencyKey = t0.AddDate(1, 0, 0), "k" })
	if _, _, err := w.Cancel(t.Context(), w.now, "later", "", ""); err != nil {
		t.Fatal(err)
	}
	for cookie, want := range map[string]error{
		"OK": store.ErrNotRequeueable, "queued": store.ErrNotRequeueable, "none": store.ErrNotFound,
		"EXCEPTION": nil, "TIMEOUT": nil, "later": nil,
	} {
		old, _ := w.Get(t.Context(), cookie) // one is not there
		for _, created := range []bool{want == nil, false} {
			got, made, err := w.Requeue(t.Context(), w.now, cookie, "ann", store.Trace{})
			if made != created || !errors.Is(err, want) {
				t.Errorf("Requeue(%q) = %v, %v, want %v, %v", cookie, made, err, created, want)
			}
			if want == nil && (got.Cookie != cookie+".requeue-1" || got.RequeuedFrom != cookie || got.State != store.Queued || got.Submitter != "ann") {
				t.Errorf("Requeue(%q) = %+v", cookie, got)
			}
		}
		if want != nil {
			continue
		}
		old.RequeuedAs = cookie + ".requeue-1"
		after := w.get(cookie)
		if d := cmp.Diff(old, after, cmpopts.IgnoreUnexported(store.Run{})); d != "" {
			t.Errorf("Requeue(%q) changes the old run: (-before +after)\n%s", cookie, d)
		}
		if r := w.get(old.RequeuedAs); string(r.Variables) != string(old.Variables) || r.PipelineDigest != old.PipelineDigest || !r.NotBefore.IsZero() || r.IdempotencyKey != "" {
			t.Errorf("Requeue(%q) makes %+v", cookie, r)
		}
	}
}

func TestRequeuedCookie(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 128)
	for _, tt := range []struct{ cookie, want string }{
		{"a", "a.requeue-1"},
		{"a.requeue-1", "a.requeue-2"},
		{"a.requeue-99", "a.requeue-100"},
		{"a.requeue-x", "a.requeue-x.requeue-1"},
		{"a.requeue-0", "a.requeue-0.requeue-1"},
	} {
		if got := store.RequeuedCookie(tt.cookie); got != tt.want {
			t.Errorf("RequeuedCookie(%q) = %q, want %q", tt.cookie, got, tt.want)
		}
	}
	seen := map[string]bool{}
	for _, cookie := range []string{long, long[:127] + "y", long[:127]} {
		got := store.RequeuedCookie(cookie)
		if len(got) > 128 || seen[got] {
			t.Errorf("RequeuedCookie(%q) = %q of %d bytes, want another of at most 128", cookie, got, len(got))
		}
		seen[got] = true
	}
}

// A result after which a run is tried again is known when it comes again, and no
// other result of that attempt is taken.
func TestRetriedResultIsKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 1)
	w.submit("c", func(n *store.NewRun) { n.Retry = store.Retry{Max: 1, On: []string{"EXCEPTION"}} })
	h := w.run("w")
	res := store.Result{Cookie: "c", Fence: h.Fence, Worker: "w", RC: "EXCEPTION", Error: strings.Repeat("é", 4000)}
	other := res
	other.RC = "OK"
	for _, step := range []struct {
		res  store.Result
		want store.Verdict
	}{{res, store.Accepted}, {res, store.Duplicate}, {other, store.Stale}} {
		if got := w.finish(step.res); got != step.want {
			t.Errorf("Finish(%s) = %v, want %v", step.res.RC, got, step.want)
		}
	}
	r := w.wantState("c", store.Scheduled)
	w.now = r.Due
	w.sweep()
	w.register("w", 1)
	h = w.run("w")
	if got := w.finish(store.Result{Cookie: "c", Fence: h.Fence, Worker: "w", RC: "OK", Result: []byte("1")}); got != store.Accepted {
		t.Errorf("Finish() of the retry = %v", got)
	}
	if got := w.finish(res); got != store.Duplicate {
		t.Errorf("Finish() of the first attempt, after the end = %v, want duplicate", got)
	}
	attempts, _, err := w.History(t.Context(), "c")
	if err != nil || len(attempts) != 2 || attempts[0].RC != "EXCEPTION" || !strings.HasPrefix(res.Error, attempts[0].Reason) || attempts[0].Reason == "" {
		t.Errorf("Attempts() = %+v, %v, want both, and the beginning of the first's error", attempts, err)
	}
}
