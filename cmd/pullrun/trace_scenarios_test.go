package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/otel/oteltest"
)

// A scenario is what may happen to a run, and what its trace shows of it.
type scenario struct {
	name    string
	picture string // the title of the picture in docs/tracing.md, if there is one
	// play makes it happen, and returns the trace's id. All processes have
	// ended when the trace is looked at.
	play func(s *tracedSite) string
	// tree is the whole trace, where it is always the same.
	tree string
	// late says that something goes on after it was given up, which Jaeger takes
	// for clocks that differ.
	late bool
	// check finds what is missing or wrong.
	check func(all []oteltest.Span) error
}

var scenarios = []scenario{
	{
		name: "plain", picture: "A run, from the submitter's call to the accepted result",
		play: func(s *tracedSite) string {
			s.server()
			s.worker("w")
			g := newGate(s.t)
			g.letGo()
			return s.runs(exitDone, "hang", "--set", "url="+g.URL).TraceID
		},
		tree: `
		submit hang (internal, pullrun-client)
		  POST (client, pullrun-client)
		    POST /v1/runs (server, pullrun-server)
		      send default (producer, pullrun-server)
		        queue default (internal, pullrun-server)
		        lease default (internal, pullrun-server)
		        process default (consumer, pullrun-worker)
		          task call (internal, pullrun-worker)
		            chip http.http_request (internal, pullrun-worker)
		              GET (client, pullrun-worker)
		          task return (internal, pullrun-worker)
		          settle default (client, pullrun-worker)
		            POST (client, pullrun-worker)
		              POST /v1/workers/{id}/results (server, pullrun-server)
		      RUN hang (server, pullrun-server)`,
		check: func(all []oteltest.Span) error {
			return errors.Join(
				follows(all, "process default", "1", "lease default", "1"),
				says(all, "RUN hang", "cicd.pipeline.result", "success"),
			)
		},
	},
	{
		name: "retried", picture: "The result is refused twice on its way back",
		play: func(s *tracedSite) string {
			s.server()
			proxy := s.refusesResults(2)
			s.env[0] = "PULLRUN_SERVER_URL=" + proxy
			s.worker("w")
			return s.ended(s.submit(api.Submit{Pipeline: "give", Variables: []byte(`{"value":1}`)}).Cookie, api.StateSucceeded).TraceID
		},
		tree: `
		POST /v1/runs (server, pullrun-server)
		  send default (producer, pullrun-server)
		    queue default (internal, pullrun-server)
		    lease default (internal, pullrun-server)
		    process default (consumer, pullrun-worker)
		      task return (internal, pullrun-worker)
		      settle default (client, pullrun-worker)
		        POST (client, pullrun-worker) error=503
		        POST (client, pullrun-worker) error=503
		        POST (client, pullrun-worker)
		          POST /v1/workers/{id}/results (server, pullrun-server)
		  RUN give (server, pullrun-server)`,
		check: func(all []oteltest.Span) error { return says(all, "settle default", "pullrun.post.attempts", "3") },
	},
	{
		name: "killed", picture: "The first worker is killed, the second does it",
		play: func(s *tracedSite) string {
			s.server()
			w := s.worker("w", "--capacity", "2")
			g := newGate(s.t)
			run := s.submit(api.Submit{Pipeline: "steps", Variables: g.variables("1")})
			g.waits(s.t, 1)
			s.at(run, "call")
			s.exported(run, "task prepare")
			// Whatever has ended before the task of another run is exported before it.
			other := s.submit(api.Submit{Pipeline: "give", Variables: []byte(`{"value":1}`)})
			s.exported(s.ended(other.Cookie, api.StateSucceeded), "task return")
			w.kill()
			s.worker("w")
			g.waits(s.t, 1)
			g.letGo()
			return s.ended(run.Cookie, api.StateSucceeded).TraceID
		},
		tree: `
		POST /v1/runs (server, pullrun-server)
		  send default (producer, pullrun-server)
		    queue default (internal, pullrun-server)
		    lease default (internal, pullrun-server) error=lease_expired
		    process default (consumer, pullrun-server) error=lease_expired
		      task prepare (internal, pullrun-worker)
		    queue default (internal, pullrun-server)
		    lease default (internal, pullrun-server)
		    process default (consumer, pullrun-worker)
		      task prepare (internal, pullrun-worker)
		      task steps (internal, pullrun-worker)
		        task rounds (internal, pullrun-worker)
		          task say (internal, pullrun-worker)
		          task call (internal, pullrun-worker)
		            chip http.http_request (internal, pullrun-worker)
		              GET (client, pullrun-worker)
		          task say (internal, pullrun-worker)
		          task call (internal, pullrun-worker)
		            chip http.http_request (internal, pullrun-worker)
		              GET (client, pullrun-worker)
		      settle default (client, pullrun-worker)
		        POST (client, pullrun-worker)
		          POST /v1/workers/{id}/results (server, pullrun-server)
		  RUN steps (server, pullrun-server)`,
		check: func(all []oteltest.Span) error {
			return errors.Join(
				follows(all, "process default", "2", "lease default", "2"),
				follows(all, "process default", "2", "process default", "1"),
				says(all, "process default", "pullrun.last.task", "steps > rounds 1/2 > call"),
			)
		},
	},
	{
		name: "stopped and woken", late: true,
		play: func(s *tracedSite) string {
			s.extra = append(s.extra, "PULLRUN_LEASE=10s", "PULLRUN_RENEW=2s")
			s.server()
			zombie := s.worker("zombie")
			g := newGate(s.t)
			run := s.submit(api.Submit{Pipeline: "hang", Variables: g.variables("1")})
			g.waits(s.t, 1)
			s.taken(run)
			zombie.signal(syscall.SIGSTOP)
			s.worker("other")
			g.waits(s.t, 1)
			g.letGo()
			run = s.ended(run.Cookie, api.StateSucceeded)
			zombie.signal(syscall.SIGCONT)
			zombie.says("result came too late")
			return run.TraceID
		},
		check: func(all []oteltest.Span) error {
			return errors.Join(
				counts(all, "process default", 2),
				says(all, "process default", "pullrun.synthetic", "true"),
				counts(all, "task call", 2),
				counts(all, "settle default", 2),
				follows(all, "process default", "2", "process default", "1"),
			)
		},
	},
	{
		name: "waited for its time, and after an attempt",
		play: func(s *tracedSite) string {
			s.server()
			s.worker("w")
			at := time.Now().Add(time.Second)
			run := s.submit(api.Submit{Pipeline: "boom", NotBefore: &at, Retry: &api.Retry{Max: 1, BackoffMS: 500, On: []api.RetryCode{api.RetryCode(api.RCProcessorException)}}})
			return s.ended(run.Cookie, api.StateFailed).TraceID
		},
		check: func(all []oteltest.Span) error {
			return errors.Join(
				says(all, "RUN boom", "pullrun.submitter", "test"),
				counts(all, "wait default", 2),
				says(all, "wait default", "pullrun.wait.reason", "not_before"),
				says(all, "wait default", "pullrun.wait.reason", "retry_backoff"),
				inTurn(all, "send default", "wait default", "queue default", "lease default", "wait default", "queue default", "lease default"),
			)
		},
	},
	{
		name: "waited for a slot of its key",
		play: func(s *tracedSite) string {
			s.server()
			s.worker("w")
			g := newGate(s.t)
			key := api.Submit{Pipeline: "hang", Variables: g.variables("1"), Concurrency: &api.Concurrency{Key: "k"}}
			s.submit(key)
			g.waits(s.t, 1)
			second := s.submit(key)
			g.letGo()
			return s.ended(second.Cookie, api.StateSucceeded).TraceID
		},
		check: func(all []oteltest.Span) error {
			return errors.Join(
				counts(all, "wait default", 1),
				says(all, "wait default", "pullrun.wait.reason", "concurrency_limit"),
				spans(all, "queue default", "wait default"),
			)
		},
	},
	{
		name: "cancelled in its queue",
		play: func(s *tracedSite) string {
			s.server()
			return s.cancelled(api.Submit{Pipeline: "give"})
		},
		tree: `
		POST /v1/runs (server, pullrun-server)
		  send default (producer, pullrun-server)
		    queue default (internal, pullrun-server)
		  RUN give (server, pullrun-server)`,
		check: func(all []oteltest.Span) error {
			return errors.Join(
				says(all, "queue default", "cicd.pipeline.result", "cancellation"),
				spans(all, "RUN give", "queue default"),
			)
		},
	},
	{
		name: "cancelled before its time",
		play: func(s *tracedSite) string {
			s.server()
			at := time.Now().Add(time.Hour)
			return s.cancelled(api.Submit{Pipeline: "give", NotBefore: &at})
		},
		tree: `
		POST /v1/runs (server, pullrun-server)
		  send default (producer, pullrun-server)
		    wait default (internal, pullrun-server)
		  RUN give (server, pullrun-server)`,
		check: func(all []oteltest.Span) error {
			return says(all, "wait default", "cicd.pipeline.result", "cancellation")
		},
	},
	{
		name: "timed out in its queue",
		play: func(s *tracedSite) string {
			s.server()
			run := s.submit(api.Submit{Pipeline: "give", QueueTimeoutMS: 200})
			return s.ended(run.Cookie, api.StateTimedOut).TraceID
		},
		check: func(all []oteltest.Span) error {
			return errors.Join(
				says(all, "queue default", "cicd.pipeline.result", "timeout"),
				statuses(all, "queue default", "TIMEOUT"),
			)
		},
	},
	{
		name: "cancelled",
		play: func(s *tracedSite) string {
			s.server()
			s.worker("w")
			g := newGate(s.t)
			run := s.submit(api.Submit{Pipeline: "hang", Variables: g.variables("1")})
			g.waits(s.t, 1)
			if _, err := s.client.Cancel(s.t.Context(), run.Cookie, "not needed"); err != nil {
				s.t.Error(err)
			}
			return s.ended(run.Cookie, api.StateCancelled).TraceID
		},
		check: func(all []oteltest.Span) error {
			return errors.Join(
				says(all, "RUN hang", "cicd.pipeline.result", "cancellation"),
				says(all, "RUN hang", "pullrun.cancel.by", "test"),
				says(all, "RUN hang", "pullrun.cancel.reason", "not needed"),
				says(all, "process default", "cicd.pipeline.result", "cancellation"),
				says(all, "task call", "cicd.pipeline.task.run.result", "cancellation"),
				says(all, "lease default", "pullrun.lease.end", "settled"),
				statuses(all, "RUN hang", "", "process default", "", "task call", "", "lease default", ""),
				eventAt(all, "cancel requested", "process default"),
			)
		},
	},
	{
		name: "timed out",
		play: func(s *tracedSite) string {
			s.server()
			s.worker("w")
			g := newGate(s.t)
			run := s.submit(api.Submit{Pipeline: "hang", Variables: g.variables("1"), RunTimeoutMS: 1000})
			return s.ended(run.Cookie, api.StateTimedOut).TraceID
		},
		check: func(all []oteltest.Span) error {
			return errors.Join(
				says(all, "RUN hang", "cicd.pipeline.result", "timeout"),
				says(all, "process default", "cicd.pipeline.result", "timeout"),
				statuses(all, "RUN hang", "TIMEOUT", "process default", "TIMEOUT"),
			)
		},
	},
	{
		name: "failed", picture: "A pipeline fails, three frames deep",
		play: func(s *tracedSite) string {
			s.server()
			s.worker("w")
			return s.runs(exitFailed, "boom").TraceID
		},
		tree: `
		submit boom (internal, pullrun-client) error=PROCESSOR_EXCEPTION
		  POST (client, pullrun-client)
		    POST /v1/runs (server, pullrun-server)
		      send default (producer, pullrun-server)
		        queue default (internal, pullrun-server)
		        lease default (internal, pullrun-server)
		        process default (consumer, pullrun-worker) error=PROCESSOR_EXCEPTION
		          task outer (internal, pullrun-worker) error=CodeExecutionException
		            task middle (internal, pullrun-worker) error=CodeExecutionException
		              task inner (internal, pullrun-worker) error=CodeExecutionException
		          settle default (client, pullrun-worker)
		            POST (client, pullrun-worker)
		              POST /v1/workers/{id}/results (server, pullrun-server)
		      RUN boom (server, pullrun-server) error=PROCESSOR_EXCEPTION`,
		check: func(all []oteltest.Span) error {
			return errors.Join(
				says(all, "RUN boom", "cicd.pipeline.result", "failure"),
				eventAt(all, "exception", "task inner"),
				stackAt(all, "task inner", "outer", "middle", "inner"),
			)
		},
	},
	{
		name: "through a restart of the server",
		play: func(s *tracedSite) string {
			server := s.server()
			s.worker("w")
			g := newGate(s.t)
			run := s.submit(api.Submit{Pipeline: "hang", Variables: g.variables("1")})
			g.waits(s.t, 1)
			server.signal(syscall.SIGTERM) // so that its spans are exported
			server.ends()
			s.server()
			g.letGo()
			return s.ended(run.Cookie, api.StateSucceeded).TraceID
		},
		check: func(all []oteltest.Span) error {
			return errors.Join(
				counts(all, "queue default", 1),
				counts(all, "lease default", 1),
				counts(all, "process default", 1),
				spans(all, "RUN hang", "send default", "task call"),
				spans(all, "lease default", "task call"),
			)
		},
	},
	{
		name: "kept in the outbox of a worker that is killed",
		play: func(s *tracedSite) string {
			server := s.server()
			outbox := "--outbox-dir=" + s.t.TempDir()
			w := s.worker("w", outbox)
			g := newGate(s.t)
			run := s.submit(api.Submit{Pipeline: "hang", Variables: g.variables("1")})
			g.waits(s.t, 1)
			server.signal(syscall.SIGTERM) // so that its spans are exported
			server.ends()
			g.letGo()
			w.says(`"msg":"result is kept"`)
			w.kill()
			s.server()
			s.worker("w", outbox)
			return s.ended(run.Cookie, api.StateSucceeded).TraceID
		},
		check: func(all []oteltest.Span) error {
			return errors.Join(
				counts(all, "process default", 1),
				counts(all, "settle default", 1),
				follows(all, "process default", "1", "lease default", "1"),
				says(all, "process default", "cicd.pipeline.result", "success"),
			)
		},
	},
	{
		name: "a loop of 20,000 turns",
		play: func(s *tracedSite) string {
			s.server()
			s.worker("w")
			return s.runs(exitDone, "rounds", "--set", "rounds=20000").TraceID
		},
		check: func(all []oteltest.Span) error {
			var bounded error
			if len(all) > 60 {
				bounded = fmt.Errorf("%d spans, want at most 60", len(all))
			}
			return errors.Join(
				bounded,
				counts(all, "task turn", 25),
				counts(all, "task later", 1),
				says(all, "task rounds", "pullrun.loop.iterations", "20000"),
				says(all, "task rounds", "pullrun.spans.dropped", "19975"),
			)
		},
	},
}

// refusesResults is a way to the server that answers 503 to so many results.
func (s *tracedSite) refusesResults(n int64) (addr string) {
	s.t.Helper()
	target, err := url.Parse("http://" + s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(target)
	var refused atomic.Int64
	proxy := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/results") && refused.Add(1) <= n {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		forward.ServeHTTP(w, r)
	})}
	return "http://" + serveOn(s.t, &proxy)
}

// named are the spans of this name.
func named(all []oteltest.Span, name string) []oteltest.Span {
	return slices.DeleteFunc(slices.Clone(all), func(s oteltest.Span) bool { return s.Name != name })
}

func counts(all []oteltest.Span, name string, want int) error {
	if got := len(named(all, name)); got != want {
		return fmt.Errorf("%d spans %q, want %d", got, name, want)
	}
	return nil
}

// says wants a span of this name with this attribute.
func says(all []oteltest.Span, name, key, want string) error {
	var got []string
	for _, s := range named(all, name) {
		got = append(got, s.Attributes[key])
	}
	if !slices.Contains(got, want) {
		return fmt.Errorf("%s of %q is %q, want %q", key, name, got, want)
	}
	return nil
}

// statuses wants spans to be errors of a type, or none, by name.
func statuses(all []oteltest.Span, want ...string) error {
	var errs []error
	for i := 0; i < len(want); i += 2 {
		for _, s := range named(all, want[i]) {
			if got := s.Attributes["error.type"]; got != want[i+1] || (s.Status == "error") != (got != "") {
				errs = append(errs, fmt.Errorf("%q has status %q and error %q, want error %q", s.Name, s.Status, got, want[i+1]))
			}
		}
	}
	return errors.Join(errs...)
}

// follows wants a link from one attempt's span to another's.
func follows(all []oteltest.Span, name, attempt, toName, toAttempt string) error {
	of := func(name, attempt string) (oteltest.Span, bool) {
		for _, s := range named(all, name) {
			if s.Attributes["pullrun.attempt"] == attempt {
				return s, true
			}
		}
		return oteltest.Span{}, false
	}
	from, ok := of(name, attempt)
	to, there := of(toName, toAttempt)
	if !ok || !there {
		return fmt.Errorf("no %q of attempt %s, or no %q of attempt %s", name, attempt, toName, toAttempt)
	}
	if !slices.ContainsFunc(from.Links, func(l oteltest.Link) bool { return l.SpanID == to.SpanID }) {
		return fmt.Errorf("%q of attempt %s links to %v, want %q of attempt %s, %s", name, attempt, from.Links, toName, toAttempt, to.SpanID)
	}
	return nil
}

// spans wants a span to last from before others began until after they ended,
// as far as the clocks of two processes and a store of microseconds agree.
func spans(all []oteltest.Span, name string, others ...string) error {
	outer := named(all, name)
	if len(outer) != 1 {
		return fmt.Errorf("%d spans %q, want 1", len(outer), name)
	}
	const leeway = 5 * time.Millisecond
	var errs []error
	for _, other := range others {
		for _, s := range named(all, other) {
			if outer[0].Start.After(s.Start.Add(leeway)) || outer[0].End.Before(s.End.Add(-leeway)) {
				errs = append(errs, fmt.Errorf("%q lasts from %v to %v, want it around %q, from %v to %v", name, outer[0].Start, outer[0].End, other, s.Start, s.End))
			}
		}
	}
	return errors.Join(errs...)
}

// inTurn wants the spans of these names to begin in this order.
func inTurn(all []oteltest.Span, names ...string) error {
	var got []string
	for _, s := range slices.SortedStableFunc(slices.Values(all), func(a, b oteltest.Span) int { return a.Start.Compare(b.Start) }) {
		if slices.Contains(names, s.Name) {
			got = append(got, s.Name)
		}
	}
	if !slices.Equal(got, names) {
		return fmt.Errorf("%q begin one after the other, want %q", got, names)
	}
	return nil
}

// eventAt wants one event of the kind, on this span.
func eventAt(all []oteltest.Span, event, name string) error {
	var at []string
	for _, s := range all {
		for _, e := range s.Events {
			if e.Name == event {
				at = append(at, s.Name)
			}
		}
	}
	if !slices.Equal(at, []string{name}) {
		return fmt.Errorf("event %q at %q, want it once, at %q", event, at, name)
	}
	return nil
}

// stackAt wants the exception of a span to name tasks, from the outermost.
func stackAt(all []oteltest.Span, name string, tasks ...string) error {
	for _, s := range named(all, name) {
		for _, e := range s.Events {
			lines := strings.Split(e.Attributes["exception.stacktrace"], "\n")
			if len(lines) != len(tasks) {
				continue
			}
			found := 0
			for i, line := range lines {
				if strings.Contains(line, tasks[i]) {
					found++
				}
			}
			if found == len(tasks) {
				return nil
			}
		}
	}
	return fmt.Errorf("no exception of %q names the frames %v", name, tasks)
}

// A tracedSite is a site whose processes export to a backend.
type tracedSite struct {
	*site
	backend backend
	running []*process
}

func newTracedSite(t *testing.T, b backend) *tracedSite {
	t.Helper()
	s := &tracedSite{site: newSite(t), backend: b}
	otlp := []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + b.Endpoint(), "OTEL_BSP_SCHEDULE_DELAY=50"}
	s.env = append(s.env, otlp...)
	s.extra = append(s.extra, otlp...)
	return s
}

func (s *tracedSite) server() *process {
	s.t.Helper()
	p := s.site.server()
	s.running = append(s.running, p)
	return p
}

func (s *tracedSite) worker(name string, args ...string) *process {
	s.t.Helper()
	p := s.site.worker(name, args...)
	s.running = append(s.running, p)
	return p
}

// runs runs a pipeline by the command, and waits for its end.
func (s *tracedSite) runs(want int, args ...string) api.Run {
	s.t.Helper()
	code, out, log := call(s.t, s.env, append([]string{"run", "--output", "json"}, args...)...)
	if code != want {
		s.t.Fatalf("run %s = %d, want %d\n%s", args[0], code, want, log)
	}
	return decode[api.Run](s.t, out)
}

// cancelled submits a run, cancels it, and returns the id of its trace. The run
// lasts longer than its submit took: Jaeger takes a span that is shorter than its
// parent, and ends after it, for one of a clock that is wrong.
func (s *tracedSite) cancelled(in api.Submit) (trace string) {
	s.t.Helper()
	run := s.submit(in)
	if _, err := s.client.Get(s.t.Context(), run.Cookie, time.Second); err != nil { // waits for its end
		s.t.Error(err)
	}
	if _, err := s.client.Cancel(s.t.Context(), run.Cookie, "not needed"); err != nil {
		s.t.Error(err)
	}
	return s.ended(run.Cookie, api.StateCancelled).TraceID
}

// at waits until the server knows that a run is at the task.
func (s *tracedSite) at(run api.Run, task string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for p := run.Progress; p == nil || p.Tasks[len(p.Tasks)-1].Name != task; p = run.Progress {
		time.Sleep(50 * time.Millisecond)
		var err error
		if run, err = s.client.Get(ctx, run.Cookie, 0); err != nil {
			s.t.Fatalf("wait until a run is at %s: %v", task, err)
		}
	}
}

// exported waits until the backend has a span of the run.
func (s *tracedSite) exported(run api.Run, name string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	_, err := s.backend.Trace(ctx, run.TraceID, func(all []oteltest.Span) bool { return len(named(all, name)) > 0 })
	if err != nil {
		s.t.Fatal(err)
	}
}

// end ends all that is running, so that everything is exported: the workers
// first, while the server is there to let them go.
func (s *tracedSite) end() {
	s.t.Helper()
	for _, p := range slices.Backward(s.running) {
		select {
		case <-p.done:
		default:
			p.signal(syscall.SIGTERM)
			p.ends()
		}
	}
}

// A backend takes traces, and gives them back.
type backend interface {
	Endpoint() string
	Trace(ctx context.Context, id string, want func([]oteltest.Span) bool) ([]oteltest.Span, error)
}
