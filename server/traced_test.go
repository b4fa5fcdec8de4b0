package server_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/otel"
	"github.com/pullrun/pullrun/otel/oteltest"
	"github.com/pullrun/pullrun/server"
	"github.com/pullrun/pullrun/server/store/storetest"
)

// process makes the context that a worker has for an attempt at a run.
func process(p api.Packet, id string) string { return p.TraceParent[:36] + id + "-01" }

const (
	firstProcess  = "1111111111111111"
	secondProcess = "2222222222222222"
)

// An attempt is told of its lease and of the attempt before it, by the ids that
// their spans have.
func TestAnAttemptIsToldWhatItFollows(t *testing.T) {
	finish := oteltest.Record(t, "server")
	w := newWorld(t)
	w.submit(api.Submit{Cookie: "c", MaxAttempts: 9})
	attempt := func(span string) api.Packet {
		t.Helper()
		wk := w.register("w", 1) // the one before loses its lease
		var got []api.Packet
		w.eventually("the run is offered", func() bool { // the second time it waits a little
			got = wk.poll()
			return len(got) == 1
		})
		lease := held(got[0])
		if span != "" {
			lease.TraceParent = process(got[0], span)
		}
		wk.poll(lease)
		if span == firstProcess {
			wk.progress(lease, 1, "fetch")
		}
		return got[0]
	}
	first := attempt(firstProcess)
	second := attempt("")
	third := attempt(secondProcess)
	w.register("w", 1)
	all := finish()

	leases := make(map[string]string) // by attempt
	for _, s := range all {
		if s.Name == "lease default" {
			leases[s.Attributes["pullrun.attempt"]] = s.SpanID
		}
	}
	for _, tt := range []struct {
		packet  api.Packet
		attempt string
		want    []string
	}{
		{packet: first, attempt: "1", want: []string{leases["1"]}},
		{packet: second, attempt: "2", want: []string{leases["2"], firstProcess}},
		{packet: third, attempt: "3", want: []string{leases["3"]}}, // nobody knows the second's
	} {
		var got []string
		for _, link := range tt.packet.TraceLinks {
			if !strings.HasPrefix(link, tt.packet.TraceParent[:36]) {
				t.Errorf("attempt %s follows %s, want it in the trace of %s", tt.attempt, link, tt.packet.TraceParent)
			}
			got = append(got, link[36:52])
		}
		if leases[tt.attempt] == "" || !slices.Equal(got, tt.want) {
			t.Errorf("attempt %s follows %v, want %v", tt.attempt, got, tt.want)
		}
	}
	var tombs []string
	for _, s := range all {
		if s.Name == "process default" {
			tombs = append(tombs, s.SpanID+" "+s.Attributes["error.type"]+" "+s.Attributes["pullrun.last.task"])
		}
	}
	if want := []string{firstProcess + " lease_expired fetch", secondProcess + " lease_expired "}; !slices.Equal(tombs, want) {
		t.Errorf("tombstones %q, want %q", tombs, want)
	}
}

// A worker that does not stop a cancelled run in time has no say in it any more,
// so the server closes its span.
func TestAnAbandonedAttemptHasATombstone(t *testing.T) {
	finish := oteltest.Record(t, "server")
	w := newWorld(t, func(s *setup) { s.timing.Cancel = 100 * time.Millisecond })
	w.submit(api.Submit{Cookie: "c"})
	wk := w.register("w", 1)
	p := wk.poll()[0]
	lease := held(p)
	lease.TraceParent = process(p, firstProcess)
	wk.poll(lease)
	w.cancel("c")
	w.eventually("the run has ended", func() bool { return w.get("c").State == api.StateCancelled })
	if got := wk.post(ok(lease)); got.Verdict != api.VerdictStale {
		t.Errorf("result after that: %+v, want stale", got)
	}
	all := finish()
	var got []string
	for _, s := range all {
		if s.SpanID == firstProcess {
			got = append(got, s.Name, s.Attributes["error.type"], s.Message)
		}
	}
	if want := []string{"process default", "lease_abandoned", "the worker did not answer in time"}; !slices.Equal(got, want) {
		t.Errorf("the attempt's span is %q, want %q:\n%s", got, want, oteltest.Tree(all))
	}
}

// A worker that registers anew is answered in time, however many of its runs are
// lost and although the store does not say where they were.
func TestTombstonesHoldNobodyUp(t *testing.T) {
	storetest.Only(t, storetest.Postgres)
	finish := oteltest.Record(t, "server")
	w := newWorld(t)
	const runs = 40 // a second for each would be longer than a call may take
	wk := w.register("w", runs)
	for i := range runs {
		w.submit(api.Submit{Cookie: fmt.Sprint("r", i)})
	}
	var leases []api.Held
	for i, p := range wk.poll() {
		lease := held(p)
		lease.TraceParent = process(p, fmt.Sprintf("%016x", i+1))
		leases = append(leases, lease)
	}
	wk.poll(leases...)
	c, err := pgx.Connect(t.Context(), w.setup.store)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if _, err := c.Exec(t.Context(), `BEGIN; LOCK TABLE activity`); err != nil {
		t.Fatal(err)
	}
	w.register("w", runs)
	tombs := 0
	for _, s := range finish() {
		if s.Attributes["error.type"] == "lease_expired" && s.Name == "process default" {
			tombs++
		}
	}
	if tombs != runs {
		t.Errorf("%d attempts have tombstones, want %d", tombs, runs)
	}
}

const (
	callersTrace     = "0af7651916cd43dd8448eb211c80319c"
	callersSpan      = "b7ad6b7169203331"
	callerSampled    = "00-" + callersTrace + "-" + callersSpan + "-01"
	callerNotSampled = "00-" + callersTrace + "-" + callersSpan + "-00"
)

func TestWhoDecidesOnATrace(t *testing.T) {
	for _, tt := range []struct {
		name     string
		parent   string
		sampler  string
		off      bool // tracing, here
		ownTrace bool
		ignore   bool

		callers  bool // the run is in the caller's trace
		recorded bool
		links    bool // to the caller, instead of hanging under it
	}{
		{name: "a trusted caller's trace goes on", parent: callerSampled, callers: true, recorded: true},
		{name: "a trusted caller that does not record is followed", parent: callerNotSampled, callers: true},
		{name: "unless that is to be ignored", parent: callerNotSampled, ignore: true, callers: true, recorded: true, links: true},
		{name: "but not against our own sampler", parent: callerNotSampled, ignore: true, sampler: "parentbased_always_off", callers: true},
		{name: "what is recorded needs no ignoring", parent: callerSampled, ignore: true, callers: true, recorded: true},
		{name: "an untrusted caller's trace is linked to", parent: callerSampled, ownTrace: true, recorded: true, links: true},
		{name: "an untrusted caller cannot hide a run", parent: callerNotSampled, ownTrace: true, recorded: true, links: true},
		{name: "nor have it recorded", parent: callerSampled, ownTrace: true, sampler: "parentbased_always_off"},
		{name: "no caller, a trace of its own", recorded: true},
		{name: "an untraced server passes a trusted caller's trace on", parent: callerSampled, off: true, callers: true},
		{name: "an untraced server passes no other on", parent: callerSampled, off: true, ownTrace: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.off {
				t.Setenv("OTEL_SDK_DISABLED", "true")
			}
			t.Setenv("OTEL_TRACES_SAMPLER", tt.sampler)
			finish := oteltest.Record(t, "server")
			const submitter, rest = "submitter-0123456789", "worker-0123456789abcdef"
			w := newWorld(t, func(s *setup) {
				own := server.NewToken("submitter", submitter, server.ScopeSubmit)
				own.OwnTrace = tt.ownTrace
				s.Tokens = []server.Token{own, server.NewToken("worker", rest, server.ScopeWork)}
				s.IgnoreUnsampledParent = tt.ignore
			})
			header := []string{"Authorization", "Bearer " + submitter}
			if tt.parent != "" {
				header = append(header, "Traceparent", tt.parent)
			}
			a := w.want(http.StatusCreated, "POST", "/v1/runs", api.Submit{Cookie: "c", Pipeline: "p"}, header...)
			run := into[api.Run](t, a)
			w.setup.token = rest
			wk := w.register("w", 1)
			wk.finish(wk.take())

			if got := run.TraceID == callersTrace; got != tt.callers || run.TraceID == "" {
				t.Errorf("trace %s, want the caller's, %s: %v", run.TraceID, callersTrace, tt.callers)
			}
			if got := a.header.Get(otel.TraceIDHeader); got != run.TraceID && !(got == "" && tt.off && !tt.callers) {
				t.Errorf("Trace-Id: %s, want the run's, %s", got, run.TraceID)
			}
			all := slices.DeleteFunc(finish(), func(s oteltest.Span) bool { return s.TraceID != run.TraceID })
			if got := len(all) > 0; got != tt.recorded {
				t.Fatalf("recorded: %v, want %v:\n%s", got, tt.recorded, oteltest.Tree(all))
			}
			if !tt.recorded {
				return
			}
			if err := oteltest.Check(all, callersSpan); err != nil {
				t.Error(err)
			}
			for _, s := range all {
				if s.Name != "POST /v1/runs" {
					continue
				}
				linked := len(s.Links) == 1 && s.Links[0].SpanID == callersSpan && s.Links[0].TraceID == callersTrace
				if linked != tt.links || (s.ParentID == callersSpan) == tt.links && tt.parent != "" {
					t.Errorf("the request's span has parent %q and links %v, want it linked: %v", s.ParentID, s.Links, tt.links)
				}
			}
		})
	}
}

// What a worker sends belongs to its run's trace, recorded or not.
func TestAWorkersUnsampledResultIsNotRecorded(t *testing.T) {
	finish := oteltest.Record(t, "server")
	w := newWorld(t, func(s *setup) { s.IgnoreUnsampledParent = true })
	wk := w.register("w", 1)
	in := api.Results{Session: wk.session, Results: []api.Result{{Cookie: "c", Fence: 1, RC: api.RCOK}}}
	w.want(http.StatusOK, "POST", wk.path("/results"), in, "Traceparent", callerNotSampled)
	if all := finish(); len(all) > 0 {
		t.Errorf("recorded:\n%s", oteltest.Tree(all))
	}
}

// What is refused before it is looked at makes no spans, or a stranger could
// fill the collector.
func TestStrangersMakeNoSpans(t *testing.T) {
	finish := oteltest.Record(t, "server")
	w := newWorld(t, func(s *setup) {
		tokens(s, "one", "other")
		s.Tokens[1].Scopes = []server.Scope{server.ScopeRead}
	})
	for _, authorization := range []string{"", "Bearer secret-of-a-stranger", bearer("other")} {
		a := w.call("POST", "/v1/runs", api.Submit{Cookie: "c", Pipeline: "p"}, "Authorization", authorization, "Traceparent", callerSampled)
		if code := a.problem(); code != api.CodeUnauthorized && code != api.CodeForbidden {
			t.Errorf("submit with %q = %s", authorization, a.body)
		}
		if got := a.header.Get(otel.TraceIDHeader); got != "" {
			t.Errorf("Trace-Id: %s, want none", got)
		}
	}
	w.refused(api.CodeInvalidRequest, "POST", "/v1/runs", api.Submit{}, "Traceparent", callerSampled)
	all := finish()
	if want := strconv.Itoa(api.CodeInvalidRequest.Status()); len(all) != 1 || all[0].Attributes["http.response.status_code"] != want {
		t.Errorf("recorded, want one span of the call that was let in:\n%s", oteltest.Tree(all))
	}
}

// Calls about a run that make no spans name the run's trace, and none where there
// is no run.
func TestQuestionsAboutARunNameItsTrace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.want(http.StatusCreated, "POST", "/v1/runs", api.Submit{Cookie: "c", Pipeline: "p"}, "Traceparent", callerSampled)
	wk := w.register("w", 1)
	wk.finish(wk.take())
	for path, accept := range map[string]string{"": "", "/events": "text/event-stream", "/events?limit=1": "application/json"} {
		a := w.want(http.StatusOK, "GET", "/v1/runs/c"+path, nil, "Accept", accept)
		if got := a.header.Get(otel.TraceIDHeader); got != callersTrace {
			t.Errorf("GET %s: Trace-Id %q, want the run's, %s", path, got, callersTrace)
		}
		a = w.refused(api.CodeCookieNotFound, "GET", "/v1/runs/d"+path, nil, "Accept", accept, "Traceparent", callerSampled)
		if got := a.header.Get(otel.TraceIDHeader); got != "" {
			t.Errorf("GET %s: Trace-Id %q of no run", path, got)
		}
	}
}
