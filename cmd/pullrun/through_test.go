package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
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
	all, err := r.Trace(ctx, run.TraceID, func(all []oteltest.Span) bool {
		return oteltest.Check(all) == nil && slices.ContainsFunc(all, func(s oteltest.Span) bool { return s.Name == "RUN hang" }) &&
			slices.ContainsFunc(all, func(s oteltest.Span) bool { return s.Name == "settle default" && s.Service == "pullrun-worker" })
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, span := range all {
		if span.Service == "pullrun-worker" && span.Resource["service.instance.id"] != "w" {
			t.Errorf("span %s is of instance %q, want the worker's name", span.Name, span.Resource["service.instance.id"])
		}
	}
}

// walled starts a server, and a worker in a place from which nothing but the
// server can be reached.
func walled(t *testing.T, b backend, more ...string) (*site, *process) {
	t.Helper()
	c := newCell(t)
	s := newSite(t)
	s.addr = freeAddr(t, c.out)
	s.extra = append([]string{"PULLRUN_LISTEN=" + s.addr, "OTEL_EXPORTER_OTLP_ENDPOINT=" + b.Endpoint(), "OTEL_BSP_SCHEDULE_DELAY=50"}, more...)
	s.env = []string{"PULLRUN_SERVER_URL=http://" + s.addr, "PULLRUN_SERVER_TOKEN=" + testToken}
	s.reachedBy(client.Config{URL: "http://" + s.addr, Token: func() string { return testToken }, Retries: 10})
	s.server()
	w := startAs(t, slices.Concat(s.env, []string{"OTEL_METRIC_EXPORT_INTERVAL=500"}),
		c.inside("worker", "--name", "edge", "--log-level", "debug", "--log-format", "json", pipelinesDir(t))...)
	w.says("spans are exported through the server")
	return s, w
}

// edgeOf reports whether telemetry is that of the worker in the walls.
func edgeOf(resource map[string]string) bool {
	return resource["service.name"] == "pullrun-worker" && resource["service.instance.id"] == "edge"
}

// arrived waits until the worker's part of a run's trace is there.
func arrived(ctx context.Context, t *testing.T, b backend, trace string, whose func(oteltest.Span) bool) {
	t.Helper()
	if _, err := b.Trace(ctx, trace, func(all []oteltest.Span) bool {
		return slices.ContainsFunc(all, func(s oteltest.Span) bool { return strings.HasPrefix(s.Name, "process") && whose(s) })
	}); err != nil {
		t.Error(err)
	}
}

// From where nothing but the server can be reached, a worker's spans, metrics
// and lines arrive at the collector behind the server, under the worker's name.
func TestOneHoleInTheFirewall(t *testing.T) {
	t.Parallel()
	r := oteltest.NewReceiver(t) // on a loopback address, which the cell has one of its own of
	s, w := walled(t, r, "OTEL_METRICS_EXPORTER=otlp", "OTEL_LOGS_EXPORTER=otlp")
	w.says("metrics are exported through the server")
	w.says("the log is exported through the server")
	run := s.ended(s.submit(api.Submit{Pipeline: "nothing"}).Cookie, api.StateSucceeded)

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, name := range []string{"pullrun.worker.slots.limit", "pullrun.attempt.duration"} {
		if _, err := r.WaitForMetric(ctx, func(m oteltest.Metric) bool { return m.Name == name && edgeOf(m.Resource) }); err != nil {
			t.Error(err)
		}
	}
	arrived(ctx, t, r, run.TraceID, func(s oteltest.Span) bool { return edgeOf(s.Resource) })
	if err := r.WaitForText(ctx, "run started"); err != nil { // which the server does not say
		t.Error(err)
	}
	w.signal(os.Interrupt)
	if code := w.ends(); code != exitDone {
		t.Errorf("the worker ends with %d", code)
	}
}

// The same arrives where each signal goes its own way, to a real Jaeger and a
// real Prometheus. The metrics have the names that docs/metrics.md gives them.
func TestOneHoleInTheFirewallInJaegerAndPrometheus(t *testing.T) {
	t.Parallel()
	b := oteltest.StartJaeger(t, built(t, "jaeger"))
	p := oteltest.StartPrometheus(t, built(t, "prometheus"), filepath.Join(deployDir, "prometheus/prometheus.yml"))
	s, w := walled(t, b, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT="+p.MetricsURL, "OTEL_METRIC_EXPORT_INTERVAL=500")
	w.says("metrics are exported through the server")
	run := s.ended(s.submit(api.Submit{Pipeline: "nothing"}).Cookie, api.StateSucceeded)

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	arrived(ctx, t, b, run.TraceID, func(s oteltest.Span) bool { return s.Service == "pullrun-worker" })
	const edge = `job="pullrun-worker",instance="edge"`
	for query, want := range map[string]float64{
		`pullrun_worker_ready_ratio{` + edge + `}`: 1,
		`pullrun_attempt_duration_seconds_count{` + edge + `,cicd_pipeline_name="nothing",cicd_pipeline_result="success"}`: 1,
		`pullrun_results_total{` + edge + `,pullrun_result_verdict="accepted"}`:                                            1,
		`pullrun_forward_dropped_total{job="pullrun-server",pullrun_signal="metrics"}`:                                     0,
	} {
		if _, err := p.Await(ctx, fmt.Sprint(query, " == ", want)); err != nil {
			t.Error(err)
		}
	}
	all, err := p.Query(ctx, "{"+edge+"}")
	if err != nil {
		t.Error(err)
	}
	known := documented(t, "The worker")
	maps.Copy(known, documented(t, "Both"))
	for _, got := range all {
		name := got.Labels["__name__"]
		labels, ok := known[name]
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if base, cut := strings.CutSuffix(name, suffix); cut && !ok {
				labels, ok = known[base]
			}
		}
		for _, label := range []string{"__name__", "job", "instance", "le"} {
			delete(got.Labels, label)
		}
		for label := range got.Labels {
			ok = ok && slices.Contains(labels, label)
		}
		if !ok && name != "target_info" {
			t.Errorf("Prometheus has %s with the labels %v, docs/metrics.md has %v", name, got.Labels, labels)
		}
	}
	w.signal(os.Interrupt)
	if code := w.ends(); code != exitDone {
		t.Errorf("the worker ends with %d", code)
	}
}
