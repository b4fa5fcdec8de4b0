package main

import (
	"context"
	"syscall"
	"testing"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/otel/oteltest"
)

// A worker that reaches nothing but its server exports through it.
func TestAWorkerExportsThroughItsServer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := oteltest.NewReceiver(t)
	s.extra = append(s.extra, "OTEL_EXPORTER_OTLP_ENDPOINT="+r.URL)
	s.server()
	w := s.worker("w")
	g := newGate(t)
	g.letGo()
	code, out, log := call(t, s.env, "run", "hang", "--set", "url="+g.URL, "--output", "json")
	if code != exitDone {
		t.Fatalf("run hang = %d\n%s", code, log)
	}
	// The last spans are those of the posted result, which the end flushes.
	w.signal(syscall.SIGTERM)
	if code := w.ends(); code != exitDone {
		t.Fatalf("the worker ended with %d\n%s", code, w.log())
	}
	run := decode[api.Run](t, out)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	all, err := r.Trace(ctx, run.TraceID, func(all []oteltest.Span) bool { return len(all) >= 13 })
	if err != nil {
		t.Fatal(err)
	}
	oteltest.AssertTree(t, all, `
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
	for _, span := range all {
		if span.Service == "pullrun-worker" && span.Resource["service.instance.id"] != "w" {
			t.Errorf("span %s is of instance %q, want the worker's name", span.Name, span.Resource["service.instance.id"])
		}
	}
}
