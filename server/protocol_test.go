package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/api"
)

// A RUN in a poll's answer is an offer, which the next poll takes up.
func TestOfferAndAcknowledgement(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 2)
	w.submit(api.Submit{Cookie: "c"})
	got := wk.poll()
	if len(got) != 1 || got[0].Fence != 1 || got[0].Attempt != 1 {
		t.Fatalf("poll = %+v, want one RUN with fence 1 of attempt 1", got)
	}
	offered := w.state(api.StateOffered, "c")
	if offered.Attempt != 0 || offered.StartedAt != nil || offered.Worker != "w" {
		t.Errorf("what is offered is %+v, want no attempt yet", offered)
	}
	if again := wk.poll(held(got[0])); len(again) > 0 {
		t.Errorf("the poll that acknowledges = %+v, want nothing", again)
	}
	running := w.state(api.StateRunning, "c")
	if running.Attempt != 1 || running.StartedAt == nil {
		t.Errorf("what runs is %+v, want attempt 1 and its start", running)
	}
	wk.finish(held(got[0]))
	if run := w.state(api.StateSucceeded, "c"); run.RC != api.RCOK || run.FinishedAt == nil || run.Worker != "w" {
		t.Errorf("what has ended is %+v, want OK of worker w", run)
	}
}

// An answer that was lost costs one round trip: the run is offered again, with
// the same fence, and no attempt is charged.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 1)
	w.submit(api.Submit{Cookie: "c", Variables: json.RawMessage(`{"a":1}`)})
	conn, err := net.Dial("tcp", w.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"session": %q, "hold_ms": 0, "holding": []}`, wk.session)
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: w\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", wk.path("/poll"), len(body), body)
	if err != nil {
		t.Fatal(err)
	}
	w.eventually("the run is offered", func() bool { return w.get("c").State == api.StateOffered })
	if err := conn.Close(); err != nil { // the answer is not read
		t.Fatal(err)
	}
	for range 2 {
		got := wk.poll()
		if len(got) != 1 || got[0].Cookie != "c" || got[0].Fence != 1 || got[0].Attempt != 1 || string(got[0].Variables) != `{"a":1}` {
			t.Fatalf("poll after the answer was lost = %+v, want the same RUN with fence 1", got)
		}
	}
	wk.poll(api.Held{Cookie: "c", Fence: 1})
	if run := w.state(api.StateRunning, "c"); run.Attempt != 1 {
		t.Errorf("attempt %d, want 1", run.Attempt)
	}
}

// A call that does not say what its worker holds takes nothing from it.
func TestHoldingIsMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 1)
	w.submit(api.Submit{Cookie: "c"})
	lease := wk.take()
	for _, call := range []string{"/poll", "/heartbeat"} {
		for _, body := range []string{`{"session": %q}`, `{"session": %q, "holding": null}`} {
			if a := w.refused(api.CodeInvalidRequest, "POST", wk.path(call), fmt.Sprintf(body, wk.session)); !strings.Contains(a.body, "holding: is required") {
				t.Errorf("POST %s without holding answers %s", call, a.body)
			}
		}
	}
	w.state(api.StateRunning, "c")
	wk.finish(lease)
}

// An offer that no poll follows goes back to the queue, and no attempt is
// charged.
func TestOfferLapses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.timing.Offer = 300 * time.Millisecond })
	dead, other := w.register("dead", 1), w.register("other", 1)
	w.submit(api.Submit{Cookie: "c"})
	if got := dead.poll(); len(got) != 1 {
		t.Fatalf("poll = %+v, want one RUN", got)
	}
	got := other.park().packets()
	if len(got) != 1 || got[0].Cookie != "c" || got[0].Fence != 2 || got[0].Attempt != 1 {
		t.Errorf("another worker's poll = %+v, want the RUN with fence 2 of attempt 1", got)
	}
	if got := dead.post(ok(api.Held{Cookie: "c", Fence: 1})); got.Verdict != api.VerdictStale {
		t.Errorf("result of the lapsed offer: %+v, want stale", got)
	}
}

// A worker that is not heard of loses its runs, which others get with the next
// fence. What it sends later changes nothing.
func TestLeaseExpires(t *testing.T) {
	t.Parallel()
	simulated(t, func(w *world) {
		dead := w.register("dead", 1)
		w.submit(api.Submit{Cookie: "c", MaxAttempts: 2})
		lease := dead.take()
		time.Sleep(w.setup.Lease + 5*time.Second) // what the contract allows
		other := w.register("other", 1)
		got := other.poll()
		if len(got) != 1 || got[0].Fence != 2 || got[0].Attempt != 2 {
			w.t.Fatalf("another worker's poll = %+v, want the RUN with fence 2 of attempt 2", got)
		}
		w.refused(api.CodeSessionNotFound, "POST", dead.path("/poll"), dead.asks(0, nil))
		w.refused(api.CodeSessionNotFound, "POST", dead.path("/heartbeat"), api.Heartbeat{Session: dead.session, Holding: []api.Held{}})
		if got := dead.post(ok(lease)); got.Verdict != api.VerdictStale || got.Detail == "" {
			w.t.Errorf("result of the lost lease: %+v, want stale, and why", got)
		}
		other.finish(held(got[0]))
		if run := w.state(api.StateSucceeded, "c"); run.Worker != "other" || run.Attempt != 2 {
			w.t.Errorf("run is %+v, want attempt 2 of the other worker", run)
		}
		if !bytes.Contains(w.log.Bytes(), []byte(`"worker has gone away, its leases are over","component":"server","worker":"dead","runs":1}`)) {
			w.t.Error("nobody was told that a worker has gone, and with how many runs")
		}
	})
}

// A run whose workers are lost as often as it may be is dead.
func TestAttemptsAreSpent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.submit(api.Submit{Cookie: "c", MaxAttempts: 2})
	for attempt := 1; attempt <= 2; attempt++ {
		if got := w.register("w", 1).take(); got.Fence != int64(attempt) {
			t.Fatalf("lease %+v, want fence %d", got, attempt)
		}
	}
	w.register("w", 1) // and what the session before had is lost
	run := w.state(api.StateDead, "c")
	if run.RC != api.RCWorkerWentAway || !strings.Contains(run.Error, "attempt 2 of 2") {
		t.Errorf("run is %+v, want WORKER_WENT_AWAY on attempt 2 of 2", run)
	}
	w.eventually("the log says so", func() bool {
		return w.logged(`run is dead, nobody tries it again","component":"server","cookie":"c","pipeline":"p","attempt":2,"err":"worker \"w\" lost its lease on attempt 2 of 2`) == 1
	})
}

// The first result wins and never changes. The same again is a duplicate, and
// any other is stale.
func TestResultIsFinal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 1)
	w.submit(api.Submit{Cookie: "c"})
	lease := wk.take()
	first := api.Result{Cookie: "c", Fence: lease.Fence, RC: api.RCException, Error: "e", Stacktrace: "s", Result: json.RawMessage(`null`)}
	change := func(edit func(*api.Result)) api.Result {
		r := first
		edit(&r)
		return r
	}
	for _, tt := range []struct {
		name   string
		result api.Result
		want   api.VerdictCode
	}{
		{"a lease that was never given", change(func(r *api.Result) { r.Fence = 2 }), api.VerdictStale},
		{"the first", first, api.VerdictAccepted},
		{"the same again", first, api.VerdictDuplicate},
		{"another code", change(func(r *api.Result) { r.RC = api.RCOK }), api.VerdictStale},
		{"another error", change(func(r *api.Result) { r.Error = "" }), api.VerdictStale},
		{"no result in the place of null", change(func(r *api.Result) { r.Result = nil }), api.VerdictStale},
		{"another result", change(func(r *api.Result) { r.Result = json.RawMessage(`0`) }), api.VerdictStale},
		{"another fence", change(func(r *api.Result) { r.Fence = 9 }), api.VerdictStale},
		{"a run that is not there", change(func(r *api.Result) { r.Cookie = "d" }), api.VerdictRejected},
		{"the same once more", first, api.VerdictDuplicate},
	} {
		if got := wk.post(tt.result); got.Verdict != tt.want || got.Cookie != tt.result.Cookie || got.Fence != tt.result.Fence {
			t.Errorf("%s: %+v, want %s", tt.name, got, tt.want)
		}
	}
	got := w.state(api.StateFailed, "c")
	if got.RC != first.RC || got.Error != "e" || got.Stacktrace != "s" || string(got.Result) != "null" {
		t.Errorf("run is %+v, want the first result", got)
	}
	if len(got.LateResults) != 6 {
		t.Fatalf("late results are %+v, want 6", got.LateResults)
	}
	late := got.LateResults[5]
	if !late.At.After(got.CreatedAt) {
		t.Errorf("the last late result came at %v, before the run at %v", late.At, got.CreatedAt)
	}
	late.At = time.Time{}
	want := api.LateResult{Worker: "w", RC: first.RC, Error: first.Error, Stacktrace: first.Stacktrace, Result: first.Result, ResultBytes: 4}
	if diff := cmp.Diff(want, late); diff != "" {
		t.Errorf("the result of another fence (-want +got):\n%s", diff)
	}
	if list := into[api.RunList](t, w.want(200, "GET", "/v1/runs", nil)); list.Runs[0].LateResults != nil {
		t.Errorf("a listed run shows late results, which is only for a single one: %+v", list.Runs[0])
	}
}

// Each result of a batch is judged on its own.
func TestBatchOfResults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 2)
	w.submit(api.Submit{Cookie: "a"})
	w.submit(api.Submit{Cookie: "b"})
	got := wk.poll()
	ctx := context.WithValue(t.Context(), badEntry{}, true)
	a, err := w.send(w.request(ctx, "POST", wk.path("/results"), api.Results{Session: wk.session, Results: []api.Result{
		ok(held(got[0])), {Cookie: "b", Fence: 1, RC: "FINE"}, ok(api.Held{Cookie: "none", Fence: 1}), ok(held(got[1])), ok(held(got[1])),
	}}))
	if err != nil {
		t.Fatal(err)
	}
	var verdicts []string
	for _, v := range into[api.Verdicts](t, a).Verdicts {
		verdicts = append(verdicts, v.Cookie+" "+string(v.Verdict)+" "+v.Detail)
	}
	want := []string{"a accepted ", `b rejected rc: unknown code "FINE"`, "none rejected no such run", "b accepted ", "b duplicate "}
	if diff := cmp.Diff(want, verdicts); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
}

// A result code says how the run ends, or that it is handed back.
func TestResultCodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 1)
	for rc, want := range map[api.RC]api.State{
		api.RCOK: api.StateSucceeded, api.RCException: api.StateFailed, api.RCProcessorException: api.StateFailed,
		api.RCBadPacket: api.StateFailed, api.RCUnsupportedPacketType: api.StateFailed, api.RCCancelled: api.StateCancelled, api.RCTimeout: api.StateTimedOut,
		api.RCNoCapacity: api.StateQueued, api.RCCookieNotFound: api.StateQueued, api.RCCookieCollision: api.StateQueued,
		api.RCWorkerWentAway: api.StateQueued, api.RCBrokerWentAway: api.StateQueued,
	} {
		w.submit(api.Submit{Cookie: string(rc)})
		lease := wk.take()
		if got := wk.post(api.Result{Cookie: string(rc), Fence: lease.Fence, RC: rc}); got.Verdict != api.VerdictAccepted {
			t.Errorf("%s: %+v, want accepted", rc, got)
		}
		if run := w.state(want, string(rc)); want == api.StateQueued {
			if run.Attempt != 0 || run.RC != "" {
				t.Errorf("%s: run is %+v, want it queued without an attempt", rc, run)
			}
			w.cancel(string(rc))
		}
	}
}

// A result that is too large, or that no reader could take, ends its run all
// the same, and says why.
func TestResultsBeyondTheLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.MaxResult = 1100 })
	wk := w.register("w", 1)
	deep := func(n int) json.RawMessage {
		return json.RawMessage(strings.Repeat("[", n) + strings.Repeat("]", n))
	}
	for i, tt := range []struct {
		name   string
		result api.Result
		want   string // error
	}{
		{"up to the limit it is taken", api.Result{RC: api.RCOK, Result: json.RawMessage(`"` + strings.Repeat("x", 1098) + `"`)}, ""},
		{"beyond the limit", api.Result{RC: api.RCOK, Result: json.RawMessage(`"` + strings.Repeat("x", 1099) + `"`)}, "the result has 1101 bytes, the limit is 1100"},
		{"all texts count", api.Result{RC: api.RCException, Error: strings.Repeat("x", 600), Stacktrace: strings.Repeat("x", 600)}, "the result has 1200 bytes, the limit is 1100"},
		{"as deep as may be", api.Result{RC: api.RCOK, Result: deep(500)}, ""},
		{"too deep", api.Result{RC: api.RCOK, Result: deep(501)}, "the result is nested deeper than 500 levels"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cookie := fmt.Sprint("c", i)
			w.submit(api.Submit{Cookie: cookie})
			tt.result.Cookie, tt.result.Fence = cookie, wk.take().Fence
			for _, want := range []api.VerdictCode{api.VerdictAccepted, api.VerdictDuplicate} {
				if got := wk.post(tt.result); got.Verdict != want {
					t.Errorf("verdict %+v, want %s", got, want)
				}
			}
			run := w.get(cookie)
			if run.Error != tt.want || (tt.want != "") != (run.RC == api.RCProcessorException && run.State == api.StateFailed && run.Result == nil) {
				t.Errorf("run is %+v, want the error %q", run, tt.want)
			}
		})
	}
}
