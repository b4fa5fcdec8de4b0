package main

import (
	"context"
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

// traced makes every process of the site export to a receiver.
func (s *site) traced() *oteltest.Receiver {
	s.t.Helper()
	r := oteltest.NewReceiver(s.t)
	otlp := []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + r.URL, "OTEL_BSP_SCHEDULE_DELAY=50"}
	s.env = append(s.env, otlp...)
	s.extra = append(s.extra, otlp...)
	return r
}

// spans waits until the receiver has n spans of the run's trace, and returns
// those.
func spans(t *testing.T, r *oteltest.Receiver, traceID string, n int) []oteltest.Span {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	of := func(all []oteltest.Span) []oteltest.Span {
		return slices.DeleteFunc(slices.Clone(all), func(s oteltest.Span) bool { return s.TraceID != traceID })
	}
	all, err := r.WaitFor(ctx, func(all []oteltest.Span) bool { return len(of(all)) >= n })
	if err != nil {
		t.Fatal(err)
	}
	return of(all)
}

func TestOneTraceShowsTheWholeRun(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.traced()
	s.server()
	s.worker("w")
	g := newGate(t)
	g.letGo()
	code, out, log := call(t, s.env, "run", "hang", "--set", "url="+g.URL, "--output", "json")
	if code != exitDone {
		t.Fatalf("run hang = %d\n%s", code, log)
	}
	run := decode[api.Run](t, out)
	oteltest.AssertTree(t, spans(t, r, run.TraceID, 15), `
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
		      RUN hang (server, pullrun-server)`)
}

func TestATraceOfAFailedRunShowsWhereItFailed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.traced()
	s.server()
	s.worker("w")
	code, out, log := call(t, s.env, "run", "boom", "--output", "json")
	if code != exitFailed {
		t.Fatalf("run boom = %d\n%s", code, log)
	}
	run := decode[api.Run](t, out)
	all := spans(t, r, run.TraceID, 14)
	oteltest.AssertTree(t, all, `
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
		      RUN boom (server, pullrun-server) error=PROCESSOR_EXCEPTION`)
	var exceptions []string
	for _, s := range all {
		for _, e := range s.Events {
			if e.Name == "exception" {
				exceptions = append(exceptions, s.Name)
			}
		}
	}
	if fmt.Sprint(exceptions) != "[task inner]" {
		t.Errorf("exceptions are recorded on %v, want only where it arose, on task inner", exceptions)
	}
}

func TestATraceStaysWholeWhenAWorkerIsKilled(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.traced()
	s.server()
	w := s.worker("w")
	g := newGate(t)
	waiting := start(t, s.env, "run", "hang", "--set", "url="+g.URL, "--output", "json")
	g.waits(t, 1)
	w.kill()
	s.worker("w")
	g.waits(t, 1)
	g.letGo()
	if code := waiting.ends(); code != exitDone {
		t.Fatalf("run hang = %d\n%s", code, waiting.log())
	}
	run := decode[api.Run](t, waiting.out.String())
	all := spans(t, r, run.TraceID, 18)
	if err := oteltest.Check(all); err != nil {
		t.Errorf("the trace is torn: %v\n%s", err, oteltest.Tree(all))
	}
	if tree := oteltest.Tree(all); strings.Count(tree, "process default") != 2 || !strings.Contains(tree, "error=lease_expired") {
		t.Errorf("the lost attempt is not shown:\n%s", tree)
	}
}

// The result of a run that the first worker has worked on is sent by the second.
func TestATraceGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.traced()
	server := s.server()
	outbox := "--outbox-dir=" + t.TempDir()
	w := s.worker("w", outbox, "--drain-timeout", "100ms")
	g := newGate(t)
	run := s.submit(api.Submit{Pipeline: "hang", Variables: g.variables("1")})
	g.waits(t, 1)
	server.signal(syscall.SIGTERM) // so that its spans are exported
	server.ends()
	g.letGo()
	w.says(`"msg":"result is kept"`)
	w.signal(syscall.SIGTERM)
	w.ends()
	s.server()
	s.worker("w", outbox)
	s.ended(run.Cookie, api.StateSucceeded)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var tree string
	_, err := r.WaitFor(ctx, func(all []oteltest.Span) bool {
		all = slices.DeleteFunc(slices.Clone(all), func(s oteltest.Span) bool { return s.TraceID != run.TraceID })
		tree = oteltest.Tree(all)
		return oteltest.Check(all) == nil && strings.Contains(tree, "RUN hang") &&
			strings.Count(tree, "process default") == 1 && strings.Count(tree, "settle default") == 2
	})
	if err != nil {
		t.Errorf("%v: want a whole trace with one process span and a settle span of each worker, got\n%s", err, tree)
	}
}

func TestAnIdleWorkerIsSilent(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.traced()
	s.server()
	var polls atomic.Int64
	target, err := url.Parse("http://" + s.addr)
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(target)
	proxy := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/poll") {
			polls.Add(1)
		}
		forward.ServeHTTP(w, r)
	})}
	addr := serveOn(t, &proxy)
	s.env[0] = "PULLRUN_SERVER_URL=http://" + addr
	w := s.worker("w")
	before := len(strings.Split(w.log(), "\n"))
	<-time.After(10 * time.Second) // this is what is tested: that nothing happens
	if n := polls.Load(); n > 1 {
		t.Errorf("%d polls in 10 s with a hold of 25 s, want 1", n)
	}
	for _, line := range strings.Split(w.log(), "\n")[before:] {
		if !strings.Contains(line, `"level":"DEBUG"`) {
			t.Errorf("an idle worker logs %s", line)
		}
	}
	if all := r.Spans(); len(all) > 0 {
		t.Errorf("an idle worker makes spans:\n%s", oteltest.Tree(all))
	}
}
