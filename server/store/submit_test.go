package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pullrun/pullrun/server/store"
)

func cookie(i int) string { return fmt.Sprintf("run-%05d", i) }

func TestSubmitIsReadBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := store.NewRun{
		Cookie: "c", Digest: "d", Pipeline: "p", PipelineDigest: "pd", Queue: "q", Labels: map[string]string{"gpu": "yes", "a": `"`},
		Priority: -5, Variables: []byte(`{"x":1}`), Delivery: store.AtMostOnce, MaxAttempts: 7,
		NotBefore: t0.Add(time.Hour), QueueTimeout: time.Minute, RunTimeout: 90 * time.Second, Detach: true,
		IdempotencyKey: "k", Submitter: "ann", Tags: map[string]string{"team": "x", "2026-01-02T03:04:05Z": "2026-01-02T03:04:05Z"},
		Trace: store.Trace{Send: store.SpanContext{TraceParent: "1", TraceState: "2"}, Request: store.SpanContext{TraceParent: "3", TraceState: "4"}},
	}
	made, created, err := w.Submit(t.Context(), w.now, n)
	if err != nil || !created {
		t.Fatalf("Submit() = %v, %v", created, err)
	}
	wantDiff(t, "Submit().NewRun", made.NewRun, n)
	got := w.get("c")
	if d := cmp.Diff(made.Run, got, cmpopts.IgnoreUnexported(store.Run{})); d != "" {
		t.Errorf("Get() is not what Submit() returned: (-submit +get)\n%s", d)
	}
	if got.State != store.Scheduled || !got.SubmittedAt.Equal(t0) {
		t.Errorf("Get() is %v since %v, want SCHEDULED since %v", got.State, got.SubmittedAt, t0)
	}
	if _, err := w.Get(t.Context(), "none"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get(none) = %v, want ErrNotFound", err)
	}
}

func TestSubmitAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := store.NewRun{Cookie: "a", Digest: "1", Pipeline: "p", Queue: "q", MaxAttempts: 1, IdempotencyKey: "k", Submitter: "ann"}
	if _, _, err := w.Submit(t.Context(), w.now, first); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name                           string
		cookie, digest, key, submitter string
		want                           string // the cookie of the run, empty for an error
		created                        bool
		err                            error
	}{
		{name: "the same run", cookie: "a", digest: "1", key: "k", submitter: "ann", want: "a"},
		{name: "the cookie alone is enough", cookie: "a", digest: "1", want: "a"},
		{name: "another run under the cookie", cookie: "a", digest: "2", err: store.ErrCookieCollision},
		{name: "the key alone is enough", cookie: "b", digest: "1", key: "k", submitter: "ann", want: "a"},
		{name: "another run under the key", cookie: "b", digest: "2", key: "k", submitter: "ann", err: store.ErrKeyCollision},
		{name: "another submitter's key", cookie: "c", digest: "2", key: "k", submitter: "bob", want: "c", created: true},
		{name: "no key is not a key", cookie: "d", digest: "1", submitter: "ann", want: "d", created: true},
		{name: "no key again", cookie: "e", digest: "1", submitter: "ann", want: "e", created: true},
	} {
		n := first
		n.Cookie, n.Digest, n.IdempotencyKey, n.Submitter = tt.cookie, tt.digest, tt.key, tt.submitter
		r, created, err := w.Submit(t.Context(), w.now.Add(time.Hour), n)
		if r.Cookie != tt.want || created != tt.created || !errors.Is(err, tt.err) {
			t.Errorf("%s: Submit() = %q, %v, %v; want %q, %v, %v", tt.name, r.Cookie, created, err, tt.want, tt.created, tt.err)
		}
		if tt.want == "a" && !r.SubmittedAt.Equal(t0) {
			t.Errorf("%s: Submit() = a run of %v, want the first", tt.name, r.SubmittedAt)
		}
	}
}

func TestPayloadsArriveAsTheyAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 100)
	for i, payload := range [][]byte{
		nil, {}, []byte("null"), []byte("0"), []byte("false"), []byte(`""`), []byte("[]"), []byte("{}"), []byte("-0.0"),
		[]byte(`"2026-01-02T03:04:05Z"`), []byte("2026-01-02T03:04:05Z"), {0}, {0xff, 0, 0xfe}, make([]byte, 1<<20),
	} {
		w.submit(cookie(i), func(n *store.NewRun) { n.Variables = payload })
		offer := w.poll("w").Offers[0].Run
		again := w.poll("w").Offers[0].Run
		res := store.Result{Cookie: cookie(i), Fence: 1, Worker: "w", RC: "OK", Result: payload}
		if got := w.finish(res); got != store.Accepted {
			t.Fatalf("Finish(%q) = %v", payload, got)
		}
		if got := w.finish(res); got != store.Duplicate {
			t.Errorf("Finish(%q) again = %v, want duplicate", payload, got)
		}
		r := w.get(cookie(i))
		for where, got := range map[string][]byte{
			"offer": offer.Variables, "repeated offer": again.Variables, "variables": r.Variables, "result": r.Result,
		} {
			if string(got) != string(payload) || (got == nil) != (payload == nil) {
				t.Errorf("payload %.20q in %s is %.20q (nil: %v)", payload, where, got, got == nil)
			}
		}
		if payload == nil {
			res.Result = []byte{}
			if got := w.finish(res); got != store.Stale {
				t.Errorf("Finish(empty) after absent = %v, want stale", got)
			}
		}
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	digest := func(d string) func(*store.NewRun) { return func(n *store.NewRun) { n.PipelineDigest = d } }
	has := func(d string) func(*store.NewSession) {
		return func(n *store.NewSession) { n.Pipelines = []store.Pipeline{{Name: "p", Digest: d}} }
	}
	for _, tt := range []struct {
		name   string
		run    func(*store.NewRun)
		worker func(*store.NewSession)
		want   bool
	}{
		{name: "any worker of the queue", want: true},
		{name: "another queue", run: func(n *store.NewRun) { n.Queue = "other" }},
		{name: "one of several queues", run: func(n *store.NewRun) { n.Queue = "other" },
			worker: func(n *store.NewSession) { n.Queues = []string{"q", "other"} }, want: true},
		{name: "a label that the worker lacks", run: func(n *store.NewRun) { n.Labels = map[string]string{"gpu": ""} }},
		{name: "a label with another value", run: func(n *store.NewRun) { n.Labels = map[string]string{"gpu": "a"} },
			worker: func(n *store.NewSession) { n.Labels = map[string]string{"gpu": "b"} }},
		{name: "some of the worker's labels", run: func(n *store.NewRun) { n.Labels = map[string]string{"gpu": "a"} },
			worker: func(n *store.NewSession) { n.Labels = map[string]string{"gpu": "a", "zone": "x"} }, want: true},
		{name: "a pipeline that the worker has", worker: func(n *store.NewSession) { n.Pipelines = []store.Pipeline{{Name: "p"}} }, want: true},
		{name: "a pipeline that it lacks", worker: func(n *store.NewSession) { n.Pipelines = []store.Pipeline{{Name: "p2"}} }},
		{name: "the digest that the worker has", run: digest("1"), worker: has("1"), want: true},
		{name: "another digest", run: digest("1"), worker: has("2")},
		{name: "a digest of which the worker says nothing", run: digest("1"), worker: has("")},
		{name: "a digest and a worker that takes any pipeline", run: digest("1")},
		{name: "any digest", worker: has("2"), want: true},
		{name: "a worker without pipelines", worker: func(n *store.NewSession) { n.Pipelines = []store.Pipeline{} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.submit("a", func(n *store.NewRun) {
				if tt.run != nil {
					tt.run(n)
				}
			})
			w.register("w", 1, func(n *store.NewSession) {
				if tt.worker != nil {
					tt.worker(n)
				}
			})
			if got := len(w.poll("w").Offers) == 1; got != tt.want {
				t.Errorf("offered = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestPriorityAndTurns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pipeline := func(name string, priority int) func(*store.NewRun) {
		return func(n *store.NewRun) { n.Pipeline, n.Priority = name, priority }
	}
	w.submit("low", pipeline("a", -1))
	for i := range 4 {
		w.submit(fmt.Sprint("a", i), pipeline("a", 0))
		w.submit(fmt.Sprint("b", i), pipeline("b", 0))
	}
	w.submit("high", pipeline("b", 9))
	w.register("w", 100)
	var order []string
	var holding []store.Held
	for range 10 {
		out, err := w.Poll(t.Context(), w.now, store.PollIn{Worker: "w", Session: "s", Holding: holding, Max: 1})
		if err != nil || len(out.Offers) != 1 {
			t.Fatalf("Poll() = %+v, %v, want one offer", out, err)
		}
		holding = append(holding, held(out.Offers)...)
		order = append(order, out.Offers[0].Run.Cookie)
	}
	if order[0] != "high" || order[9] != "low" {
		t.Errorf("order = %v, want high first and low last", order)
	}
	seen := map[byte]int{}
	for _, name := range order[1:5] {
		seen[name[0]]++
	}
	if seen['a'] != 2 || seen['b'] != 2 {
		t.Errorf("order = %v, want the equals to take turns", order)
	}
}

// Queues take turns whatever number of pipelines they have, and these take turns
// within their queue.
func TestQueuesTakeTurns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 8 {
		for _, line := range []string{"q/a", "q/b", "q/c", "r/a"} {
			w.submit(fmt.Sprint(line[:1], line[2:], i), func(n *store.NewRun) { n.Queue, n.Pipeline = line[:1], line[2:] })
		}
	}
	w.register("w", 100, func(n *store.NewSession) { n.Queues = []string{"q", "r"} })
	order := claims(w, 12)
	got := map[string]int{}
	for _, cookie := range order {
		got[cookie[:2]]++
	}
	wantDiff(t, fmt.Sprint("runs of each line in ", order), got, map[string]int{"qa": 2, "qb": 2, "qc": 2, "ra": 6})
}

// claims has worker "w" take n runs, one at a time, and returns their cookies.
func claims(w *world, n int) (order []string) {
	w.t.Helper()
	for range n {
		out, err := w.Poll(w.t.Context(), w.now, store.PollIn{Worker: "w", Session: "s", Holding: w.holding, Max: 1})
		if err != nil || len(out.Offers) != 1 {
			w.t.Fatalf("Poll() = %+v, %v, want one offer", out, err)
		}
		w.holding = append(w.holding, held(out.Offers)...)
		order = append(order, out.Offers[0].Run.Cookie)
	}
	return order
}

// A run is overtaken by others of a higher priority only until it has waited for
// as many aging times as theirs is higher.
func TestAging(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		aging time.Duration
		wait  time.Duration // until the runs of a higher priority come
		want  []string
	}{
		{"it has waited long enough", time.Minute, 6 * time.Minute, []string{"old", "high 0", "high 1", "new"}},
		{"it has not waited long enough", time.Minute, 4*time.Minute + 59*time.Second, []string{"high 0", "high 1", "old", "new"}},
		{"there is no aging", 0, 100 * time.Hour, []string{"high 0", "high 1", "old", "new"}},
	} {
		for _, restarted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, restarted %t", tt.name, restarted), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.aging = tt.aging
				w.reopen()
				w.submit("old")
				w.now = w.now.Add(tt.wait)
				w.submit("new")
				for i := range 2 {
					w.submit(fmt.Sprint("high ", i), func(n *store.NewRun) { n.Priority = 5 })
				}
				if restarted {
					w.reopen()
				}
				w.register("w", 9)
				wantDiff(t, "order", claims(w, 4), tt.want)
			})
		}
	}
}

// The wait of a run that has left its line without a worker does not count for the
// next.
func TestAgingBeginsAnewWithTheHead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		leave func(*world)
	}{
		{"it was cancelled", func(w *world) {
			if _, _, err := w.Cancel(t.Context(), w.now, "gone", "ann", ""); err != nil {
				t.Fatal(err)
			}
		}},
		{"it has waited too long", func(w *world) { w.sweep() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.aging = time.Minute
			w.reopen()
			high := func(n *store.NewRun) { n.Priority = 5 }
			w.submit("gone", func(n *store.NewRun) { n.QueueTimeout = 10 * time.Minute })
			w.submit("first", high)
			w.register("w", 9, func(n *store.NewSession) { n.Lease = time.Hour })
			claims(w, 1) // looks at both lines
			w.beat("w", w.holding...)
			w.now = w.now.Add(10 * time.Minute)
			tt.leave(w)
			w.submit("low")
			w.submit("high", high)
			wantDiff(t, "order", claims(w, 2), []string{"high", "low"})
		})
	}
}

// A run that comes back goes to the head of its queue, behind which others were
// claimed meanwhile.
func TestReturnedRunIsNext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 1)
	w.register("v", 10)
	for i := range 3 {
		w.submit(cookie(i))
	}
	w.run("w")
	out, err := w.Poll(t.Context(), w.now, store.PollIn{Worker: "v", Session: "s", Max: 1})
	if err != nil || out.Offers[0].Run.Cookie != cookie(1) {
		t.Fatalf("Poll(v) = %+v, %v", out, err)
	}
	w.finish(store.Result{Cookie: cookie(0), Fence: 1, Worker: "w", Release: true})
	if got := w.poll("w").Offers[0].Run; got.Cookie != cookie(0) || got.Fence != 2 {
		t.Errorf("next offer is %s with fence %d, want the first run with fence 2", got.Cookie, got.Fence)
	}
}
