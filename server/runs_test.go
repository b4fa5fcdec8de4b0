package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/api"
)

// What a pipeline returns arrives as it is, whoever reads it and however.
func TestResultsComeBackAsTheyAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 1)
	for i, tt := range []struct {
		name   string
		result string // "" is absent
	}{
		{"zero", `0`}, {"false", `false`}, {"empty text", `""`}, {"an empty list", `[]`}, {"an empty object", `{}`},
		{"null is a result", `null`},
		{"no result is none", ``},
		{"a number keeps its digits", `[1.0,1e300,12345678901234567890123]`},
		{"text of any kind", `"<&>\u2028\u0000é"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := api.Submit{Pipeline: "p", Cookie: fmt.Sprint("c", i)}
			w.submit(in)
			result := ok(wk.take())
			if tt.result != "" {
				result.Result = json.RawMessage(tt.result)
			}
			if got := wk.post(result); got.Verdict != api.VerdictAccepted {
				t.Fatalf("verdict %+v, want accepted", got)
			}
			batch := into[map[string][]map[string]json.RawMessage](t, w.want(200, "POST", "/v1/runs/batch", api.SubmitBatch{Runs: []api.Submit{in}}))
			for how, body := range map[string]string{
				"read":                    w.want(200, "GET", "/v1/runs/"+in.Cookie, nil).body,
				"read with a wait":        w.want(200, "GET", "/v1/runs/"+in.Cookie, nil, "Prefer", "wait=1").body,
				"submitted again":         w.want(200, "POST", "/v1/runs", in).body,
				"submitted in a batch":    string(batch["results"][0]["run"]),
				"cancelled when it ended": w.want(200, "POST", "/v1/runs/"+in.Cookie+"/cancel", nil).body,
				"followed":                w.follow(t, in.Cookie, "").last().data,
			} {
				run := into[map[string]json.RawMessage](t, answer{body: body})
				got, there := run["result"]
				if compact(t, string(got)) != compact(t, tt.result) || there != (tt.result != "") {
					t.Errorf("%s: result is %q, want %q", how, got, tt.result)
				}
			}
		})
	}
}

// compact writes JSON in one way.
func compact(t *testing.T, text string) string {
	t.Helper()
	if text == "" {
		return ""
	}
	raw, err := json.Marshal(json.RawMessage(text))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestSubmitAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const first = `{"pipeline": "p", "cookie": "%s", "queue": "q", "variables": {"a": {"x": 1, "y": [true, null]}, "b": 2.50}, "labels": {"m": "1", "n": "2"}, "not_before": "2026-01-01T00:00:00Z"}`
	for i, tt := range []struct {
		name  string
		again string // the first, unless it says otherwise
		same  bool
	}{
		{"the same body is the same run", first, true},
		{"spaces and order do not matter", `{"not_before":"2026-01-01T00:00:00Z","labels":{"n":"2","m":"1"},"variables":{"b":2.50,"a":{"y":[true,null],"x":1}},"queue":"q","cookie":"%s","pipeline":"p"}`, true},
		{"a time is the same in another zone", strings.Replace(first, "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", 1), true},
		{"other variables are another run", strings.Replace(first, "true", "false", 1), false},
		{"a number with other digits is another", strings.Replace(first, "2.50", "2.5", 1), false},
		{"the order of a list matters", strings.Replace(first, "[true, null]", "[null, true]", 1), false},
		{"another pipeline is another run", strings.Replace(first, `"p"`, `"p2"`, 1), false},
		{"another queue is another run", strings.Replace(first, `"q"`, `"q2"`, 1), false},
		{"less is another run", strings.Replace(first, `"queue": "q", `, "", 1), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cookie := fmt.Sprint("c", i)
			body := func(format string) string { return fmt.Sprintf(format, cookie) }
			made := into[api.Run](t, w.want(http.StatusCreated, "POST", "/v1/runs", body(first)))
			if !tt.same {
				if a := w.refused(api.CodeCookieCollision, "POST", "/v1/runs", body(tt.again)); !strings.Contains(a.body, cookie) {
					t.Errorf("the problem does not name the cookie: %s", a.body)
				}
				return
			}
			a := w.want(http.StatusOK, "POST", "/v1/runs", body(tt.again))
			if diff := cmp.Diff(made, into[api.Run](t, a)); diff != "" {
				t.Errorf("submitted (-) and submitted again (+):\n%s", diff)
			}
			if got, want := a.header.Get("Location"), "/v1/runs/"+cookie; got != want {
				t.Errorf("Location is %q, want %q", got, want)
			}
		})
	}
}

// Variables that are null are none, to the digest and to the worker.
func TestVariables(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 1)
	for i, tt := range []struct{ name, sent, got string }{
		{"an object is passed on", `{"a": [0, false, "", null]}`, `{"a":[0,false,"",null]}`},
		{"an empty object is one", `{}`, `{}`},
		{"null is absent", `null`, ``},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.want(http.StatusCreated, "POST", "/v1/runs", fmt.Sprintf(`{"pipeline": "p", "cookie": "c%d", "variables": %s}`, i, tt.sent))
			got := wk.poll()
			if len(got) != 1 || string(got[0].Variables) != tt.got {
				t.Errorf("packets are %+v, want variables %s", got, tt.got)
			}
			wk.finish(held(got[0]))
		})
	}
	w.submit(api.Submit{Cookie: "none"})
	w.want(http.StatusOK, "POST", "/v1/runs", `{"pipeline": "p", "cookie": "none", "variables": null}`)
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { tokens(s, "one", "two") })
	in := api.Submit{Pipeline: "p"}
	first := into[api.Run](t, w.want(http.StatusCreated, "POST", "/v1/runs", in, "Idempotency-Key", "k"))
	again := into[api.Run](t, w.want(http.StatusOK, "POST", "/v1/runs", in, "Idempotency-Key", "k"))
	if first.Cookie != again.Cookie || first.Cookie == "" {
		t.Errorf("the same key is run %q and run %q", first.Cookie, again.Cookie)
	}
	w.refused(api.CodeCookieCollision, "POST", "/v1/runs", api.Submit{Pipeline: "other"}, "Idempotency-Key", "k")
	w.refused(api.CodeCookieCollision, "POST", "/v1/runs", api.Submit{Pipeline: "p", Cookie: "mine"}, "Idempotency-Key", "k")
	for _, key := range []string{"a key", `"8e03978e-40d5-43dd-bc93-6894a57f9324"`, "{/%?=&'}", strings.Repeat("k", 128)} {
		first := into[api.Run](t, w.want(http.StatusCreated, "POST", "/v1/runs", in, "Idempotency-Key", key))
		again := into[api.Run](t, w.want(http.StatusOK, "POST", "/v1/runs", in, "Idempotency-Key", key))
		if first.Cookie != again.Cookie {
			t.Errorf("key %s: runs %s and %s, want one", key, first.Cookie, again.Cookie)
		}
		if a := w.refused(api.CodeCookieCollision, "POST", "/v1/runs", api.Submit{Pipeline: "other"}, "Idempotency-Key", key); !strings.Contains(a.body, "used before") {
			t.Errorf("key %s: the problem is %s", key, a.body)
		}
	}
	for key, says := range map[string]string{
		strings.Repeat("k", 129): "is longer than 128 bytes",
		"schlüssel":              "may hold only printable ASCII",
		"a\tb":                   "may hold only printable ASCII",
	} {
		if a := w.refused(api.CodeInvalidRequest, "POST", "/v1/runs", in, "Idempotency-Key", key); !strings.Contains(a.body, "Idempotency-Key: ") || !strings.Contains(a.body, says) {
			t.Errorf("key %q: the problem is %s, want %q in it", key, a.body, says)
		}
	}
	w.want(http.StatusCreated, "POST", "/v1/runs", in, "Idempotency-Key", "k", "Authorization", bearer("two"))
	w.want(http.StatusCreated, "POST", "/v1/runs", in)
}

func TestSubmitFillsIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.MaxAttempts = 7 })
	got := w.submit(api.Submit{})
	if got.Cookie == "" || got.CreatedAt.IsZero() {
		t.Errorf("run is %+v, want a cookie and a time", got)
	}
	want := api.Run{
		Cookie: got.Cookie, CreatedAt: got.CreatedAt, TraceID: got.TraceID,
		Pipeline: "p", State: api.StateQueued, Queue: "default", Delivery: api.AtLeastOnce, MaxAttempts: 7,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("run (-want +got):\n%s", diff)
	}
}

// What a submit says is what the run has, and what the worker is sent.
func TestSubmitIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.TraceURL = "https://traces/{trace}?x" })
	past := time.Now().Add(-time.Hour).UTC().Truncate(time.Microsecond)
	run := w.submit(api.Submit{
		Pipeline: "päivä 1", Cookie: "a:b.C_-9", Queue: "q", Labels: map[string]string{"zone/a": "x"}, Tags: map[string]string{"for": "tests"},
		Priority: -3, NotBefore: &past, RunTimeoutMS: 1 << 62, QueueTimeoutMS: 1 << 62, MaxAttempts: 2, Delivery: api.AtMostOnce, Detach: true,
	})
	want := api.Run{
		Cookie: "a:b.C_-9", Pipeline: "päivä 1", State: api.StateQueued, Queue: "q", Labels: map[string]string{"zone/a": "x"},
		Tags: map[string]string{"for": "tests"}, Priority: -3, Delivery: api.AtMostOnce, MaxAttempts: 2, NotBefore: &past,
		CreatedAt: run.CreatedAt, TraceID: run.TraceID, TraceURL: run.TraceURL,
		Waiting: &api.Waiting{Reason: api.WaitingNoWorker, Message: `no worker takes runs from queue "q"`},
	}
	if diff := cmp.Diff(want, w.get("a:b.C_-9")); diff != "" {
		t.Errorf("run (-want +got):\n%s", diff)
	}
	if want := "https://traces/" + run.TraceID + "?x"; run.TraceID == "" || run.TraceURL != want {
		t.Errorf("trace is %q at %q, want it at %q", run.TraceID, run.TraceURL, want)
	}
	if got := into[api.Run](t, w.want(200, "GET", "/v1/runs/a%3Ab.C_-9", nil)); got.Cookie != "a:b.C_-9" {
		t.Errorf("by its escaped path the run is %q", got.Cookie)
	}
	wk := w.register("w", 1, func(in *api.Register) {
		in.Queues, in.Labels = []string{"q"}, map[string]string{"zone/a": "x", "more": "y"}
	})
	got := wk.poll()
	if len(got) != 1 {
		t.Fatalf("poll = %+v, want one RUN", got)
	}
	const century = 100 * 365 * 24 * 3600 * 1000
	packet := api.Packet{
		PacketType: api.PacketRun, Cookie: "a:b.C_-9", Fence: 1, Pipeline: "päivä 1", Detach: true, Queue: "q", Attempt: 1,
		Labels: map[string]string{"zone/a": "x"}, Delivery: api.AtMostOnce, TimeoutMS: century,
		TraceParent: got[0].TraceParent, TraceLinks: got[0].TraceLinks,
	}
	if diff := cmp.Diff(packet, got[0]); diff != "" {
		t.Errorf("packet (-want +got):\n%s", diff)
	}
	if in := got[0]; !strings.Contains(in.TraceParent, run.TraceID) || len(in.TraceLinks) != 1 || !strings.Contains(in.TraceLinks[0], run.TraceID) {
		t.Errorf("traceparent %q and the link to the lease %q are not both of trace %q", in.TraceParent, in.TraceLinks, run.TraceID)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { tokens(s, "ann", "bob") })
	later := time.Now().Add(time.Hour)
	w.submit(api.Submit{Cookie: "a", Pipeline: "one", Queue: "q1", Tags: map[string]string{"x": "1", "y": "2=2"}})
	w.submit(api.Submit{Cookie: "b", Pipeline: "two", Queue: "q1", Tags: map[string]string{"x": "1"}})
	w.want(http.StatusCreated, "POST", "/v1/runs", api.Submit{Cookie: "c", Pipeline: "one", Queue: "q2", NotBefore: &later}, "Authorization", bearer("bob"))
	w.submit(api.Submit{Cookie: "d", Pipeline: "one"})
	wk := w.register("w", 1)
	wk.finish(wk.take())
	at := func(cookie string) string { return w.get(cookie).CreatedAt.Format(time.RFC3339Nano) }
	for _, tt := range []struct {
		name, query string
		want        string
	}{
		{"the newest is first", "", "d c b a"},
		{"of a pipeline", "pipeline=one", "d c a"},
		{"of a queue", "queue=q1", "b a"},
		{"of a worker", "worker=w", "d"},
		{"in a state", "state=SCHEDULED", "c"},
		{"in one of two states", "state=SCHEDULED&state=SUCCEEDED", "d c"},
		{"with a tag", "tag=x=1", "b a"},
		{"with all of the tags", "tag=x=1&tag=y=2=2", "a"},
		{"nobody has the tag", "tag=x=", ""},
		{"of a submitter", "submitter=ann", "d b a"},
		{"of another submitter", "submitter=bob", "c"},
		{"of no submitter", "submitter=cid", ""},
		{"since a time, which is part of it", "since=" + at("c"), "d c"},
		{"until a time, which is not part of it", "until=" + at("c"), "b a"},
		{"between times", "since=" + at("b") + "&until=" + at("d"), "c b"},
		{"in another zone", "since=2001-02-03T04:05:06%2B01:00", "d c b a"},
		{"of a time to come", "since=2101-02-03T04:05:06Z", ""},
		{"of a submitter since a time", "submitter=ann&since=" + at("b"), "d b"},
		{"of a submitter in a state that is seldom", "submitter=ann&state=FAILED", ""},
		{"all filters hold", "pipeline=one&queue=q1", "a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, limit := range []int{500, 1} {
				if got := w.list(t, tt.query, limit); got != tt.want {
					t.Errorf("in pages of %d the runs are %q, want %q", limit, got, tt.want)
				}
			}
		})
	}
	var many strings.Builder
	for i := range 1100 {
		fmt.Fprintf(&many, "tag=%x=&", i)
	}
	for _, tt := range []struct{ name, query string }{
		{"an unknown state", "state=LATE"}, {"a tag without a value", "tag=x"},
		{"more tags than a run may have", many.String()}, {"a tag with two values", "tag=x=1&tag=x=2"}, {"a limit of none", "limit=0"},
		{"a limit beyond the most", "limit=501"}, {"a limit that is no number", "limit=ten"}, {"a cursor of the caller's making", "cursor=x"},
		{"a submitter that cannot be", "submitter=Ann"}, {"a time that is none", "since=2h"}, {"another", "until=yesterday"},
		{"an end before the beginning", "until=2001-02-03T04:05:06Z&since=2001-02-03T04:05:06Z"},
	} {
		t.Run(tt.name+" is refused", func(t *testing.T) {
			a := w.refused(api.CodeInvalidRequest, "GET", "/v1/runs?"+tt.query, nil)
			if name, _, _ := strings.Cut(tt.query, "="); !strings.Contains(a.body, name+": ") {
				t.Errorf("the answer is %s, which does not name the parameter %q", a.body, name)
			}
		})
	}
}

// list reads a list page by page, and returns its cookies.
func (w *world) list(t *testing.T, query string, limit int) string {
	t.Helper()
	var cookies []string
	for cursor := ""; ; {
		page := into[api.RunList](t, w.want(200, "GET", fmt.Sprintf("/v1/runs?%s&limit=%d%s", query, limit, cursor), nil))
		if len(page.Runs) > limit {
			t.Fatalf("a page has %d runs, want at most %d", len(page.Runs), limit)
		}
		for _, run := range page.Runs {
			cookies = append(cookies, run.Cookie)
		}
		if page.Next == "" {
			return strings.Join(cookies, " ")
		}
		cursor = "&cursor=" + page.Next
	}
}

// A read that prefers to wait is answered at the run's end, or after at most a
// minute as things stand.
func TestPreferWait(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, prefer, applied string
		ends                  time.Duration // when the run ends; zero is never
		took                  time.Duration
	}{
		{"the run ends", "wait=25", "wait=25", 10 * time.Second, 10 * time.Second},
		{"the wait is over", "wait=25", "wait=25", 0, 25 * time.Second},
		{"the wait is bounded", "wait=1000", "wait=60", 0, time.Minute},
		{"in the last second", "wait=1000", "wait=60", 59 * time.Second, 59 * time.Second},
		{"as others write it", `respond-async , Wait = "7"; x=y`, "wait=7", 0, 7 * time.Second},
		{"no wait is none", "wait=0", "", 0, 0},
		{"other preferences are ignored", "return=minimal", "", 0, 0},
		{"no preference", "", "", 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			simulated(t, func(w *world) {
				wk := w.register("w", 1)
				w.submit(api.Submit{Cookie: "c"})
				lease := wk.take()
				began := time.Now()
				read := w.hold(w.request(w.t.Context(), "GET", "/v1/runs/c", nil, "Prefer", tt.prefer))
				submit := w.hold(w.request(w.t.Context(), "POST", "/v1/runs", api.Submit{Pipeline: "p", Cookie: "c"}, "Prefer", tt.prefer))
				if tt.ends > 0 {
					time.Sleep(tt.ends)
					wk.finish(lease)
				}
				for call, p := range map[string]*pending{"GET": read, "POST": submit} {
					a := p.await()
					if took := time.Since(began); a.status != http.StatusOK || took != tt.took {
						w.t.Errorf("%s = %d after %v, want 200 after %v", call, a.status, took, tt.took)
					}
					want := api.StateRunning
					if tt.ends > 0 {
						want = api.StateSucceeded
					}
					if got := into[api.Run](w.t, a).State; got != want {
						w.t.Errorf("%s: the run is %s, want %s", call, got, want)
					}
					if got := a.header.Get("Preference-Applied"); got != tt.applied {
						w.t.Errorf("%s: Preference-Applied is %q, want %q", call, got, tt.applied)
					}
				}
			}, func(s *setup) { s.Lease = time.Hour })
		})
	}
	w := newWorld(t)
	for _, bad := range []string{"wait=soon", "wait=-1", "wait=1.5", "wait", "wait=99999999999999999999"} {
		w.refused(api.CodeInvalidRequest, "GET", "/v1/runs/c", nil, "Prefer", bad)
	}
}

func TestRunsThatAreNotThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, call := range []string{"GET /v1/runs/%s", "POST /v1/runs/%s/cancel", "GET /v1/runs/%s/events"} {
		method, path, _ := strings.Cut(call, " ")
		w.refused(api.CodeCookieNotFound, method, fmt.Sprintf(path, "c"), nil)
		w.refused(api.CodeInvalidRequest, method, fmt.Sprintf(path, "a%20b"), nil)
		w.refused(api.CodeInvalidRequest, method, fmt.Sprintf(path, "a%2Fb"), nil)
		w.refused(api.CodeInvalidRequest, method, fmt.Sprintf(path, "a%252Fb"), nil)
		w.refused(api.CodeInvalidRequest, method, fmt.Sprintf(path, strings.Repeat("c", 129)), nil)
	}
	w.refused(api.CodeCookieNotFound, "GET", "/v1/runs/c", nil, "Prefer", "wait=30")
}

// A run waits for its time, and for a worker no longer than it may.
func TestRunsWaitForTheirTime(t *testing.T) {
	t.Parallel()
	simulated(t, func(w *world) {
		wk := w.register("w", 1)
		later := time.Now().Add(20 * time.Second)
		w.submit(api.Submit{Cookie: "later", NotBefore: &later})
		w.state(api.StateScheduled, "later")
		began := time.Now()
		got := wk.park().packets()
		if took := time.Since(began); len(got) != 1 || took != 20*time.Second {
			w.t.Errorf("poll = %+v after %v, want the RUN after 20s", got, took)
		}
		w.submit(api.Submit{Cookie: "patient", QueueTimeoutMS: 1 << 62})
		w.submit(api.Submit{Cookie: "short", QueueTimeoutMS: 5000})
		run := into[api.Run](w.t, w.want(200, "GET", "/v1/runs/short", nil, "Prefer", "wait=60"))
		if took := run.FinishedAt.Sub(run.CreatedAt); run.State != api.StateTimedOut || run.RC != api.RCTimeout || took > 6*time.Second {
			w.t.Errorf("run is %s with %s after %v, want TIMED_OUT with TIMEOUT after 5s", run.State, run.RC, took)
		}
		w.state(api.StateQueued, "patient")
	})
}
