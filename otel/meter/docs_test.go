package meter_test

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	prometheusexporter "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/pullrun/pullrun/otel/meter"
)

var update = flag.Bool("update", false, "write docs/metrics.md anew")

// TestDocs holds docs/metrics.md and the metrics together: their names in
// OpenTelemetry and in Prometheus, their kinds, units and labels, as they are
// when everything has been measured once. It installs meter providers, which
// belong to the process, so the tests of this package are not parallel.
func TestDocs(t *testing.T) {
	const file = "../../docs/metrics.md"
	server := measured(t, measureServer)
	want := preface + table("The server", server) + table("The worker", measured(t, measureWorker)) + table("Both", measured(t, measureExports)) + afterword
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := diff.Diff(want, string(got)); d != "" {
		t.Errorf("docs/metrics.md is stale; write it anew with: go test ./otel/meter -run TestDocs -update\n%s", d)
	}
}

func measureServer(t *testing.T) {
	m, err := meter.NewServer(func(context.Context) (meter.Server, error) {
		return meter.Server{Queues: []meter.Queue{{Name: "q"}}, Dropped: map[string]int64{"traces": 1}}, nil
	})
	s, err2 := meter.NewStore()
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	s.Committed(time.Millisecond, 3)
	m.LinesDropped(1)
	m.Accepted("q")
	m.TakenUp("q", time.Second)
	m.Ended("q", meter.End{Pipeline: "p", Result: "error", Error: "E"}, time.Second)
	m.Dead("q")
	m.LeaseExpired("q")
	m.CameBack("q", meter.ReturnExpired)
	m.Cancelled(meter.CancelStopped, time.Second)
}

func measureWorker(t *testing.T) {
	_, err := meter.ObserveWorker(func() meter.Worker {
		return meter.Worker{Runs: map[string]int{"running": 1}, Polls: map[string]int64{"empty": 1}}
	})
	m, err2 := meter.NewRuns()
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	m.Attempt(meter.End{Pipeline: "p", Result: "failure", Error: "E"}, time.Second)
	m.Task("chip", "success", time.Second)
	m.Chip("http.get", "success", time.Second)
	m.Tokens(meter.Model{Operation: "chat", Provider: "openai", Name: "m"}, 12, 3)
	m.Posted(2, true)
	m.Judged("accepted")
}

func measureExports(t *testing.T) {
	if _, err := meter.NewExports("traces"); err != nil {
		t.Fatal(err)
	}
}

// An entry is one metric as it was measured.
type entry struct {
	name, prometheus, kind, unit, about string
	labels                              []string
}

// measured are the metrics that measure makes. A description is what tells them
// apart in both worlds, so no two may be the same.
func measured(t *testing.T, measure func(*testing.T)) []entry {
	t.Helper()
	registry := prometheus.NewRegistry()
	exporter, err := prometheusexporter.New(prometheusexporter.WithRegisterer(registry), prometheusexporter.WithoutScopeInfo(), prometheusexporter.WithoutTargetInfo())
	if err != nil {
		t.Fatal(err)
	}
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter))
	otel.SetMeterProvider(provider)
	measure(t)
	var all metricdata.ResourceMetrics
	if err := exporter.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]string) // in Prometheus, by description
	for _, f := range families {
		if names[f.GetHelp()] != "" {
			t.Errorf("%s and %s have the same description", names[f.GetHelp()], f.GetName())
		}
		names[f.GetHelp()] = f.GetName()
	}
	var out []entry
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			e := entry{name: m.Name, prometheus: names[m.Description], unit: m.Unit, about: m.Description}
			e.kind, e.labels = shape(t, m.Data)
			if e.prometheus == "" || e.unit == "" || e.about == "" {
				t.Errorf("%s: is not all there: %+v", m.Name, e)
			}
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	return out
}

func shape(t *testing.T, data metricdata.Aggregation) (kind string, labels []string) {
	t.Helper()
	switch d := data.(type) {
	case metricdata.Gauge[int64]:
		return "gauge", labelsOf(d.DataPoints)
	case metricdata.Gauge[float64]:
		return "gauge", labelsOf(d.DataPoints)
	case metricdata.Sum[int64]:
		return "counter", labelsOf(d.DataPoints)
	case metricdata.Histogram[float64]:
		var sums []metricdata.DataPoint[float64]
		for _, p := range d.DataPoints {
			sums = append(sums, metricdata.DataPoint[float64]{Attributes: p.Attributes})
		}
		return "histogram", labelsOf(sums)
	}
	t.Fatalf("a metric is %T", data)
	return "", nil
}

// labelsOf are the keys that any of the points has.
func labelsOf[N int64 | float64](points []metricdata.DataPoint[N]) []string {
	keys := make(map[string]bool)
	for _, p := range points {
		for _, kv := range p.Attributes.ToSlice() {
			keys[string(kv.Key)] = true
		}
	}
	return slices.Sorted(maps.Keys(keys))
}

func table(title string, all []entry) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s\n\n| in Prometheus | in OpenTelemetry | kind, unit | labels | |\n| --- | --- | --- | --- | --- |\n", title)
	for _, e := range all {
		labels := "`" + strings.Join(e.labels, "`, `") + "`"
		if len(e.labels) == 0 {
			labels = ""
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s, %s | %s | %s |\n", e.prometheus, e.name, e.kind, e.unit, labels, e.about)
	}
	return b.String()
}

const preface = `# Metrics

<!-- Made from the code by: go test ./otel/meter -run TestDocs -update -->

A server answers ` + "`GET /metrics`" + ` on its own port, with the scope ` + "`read`" + `, and a worker on the address of its setting
` + "`listen`" + `. Both speak the text form of Prometheus, and need no collector and no setting. [deploy/prometheus](../deploy/prometheus)
has a configuration and alert rules, [deploy/grafana](../deploy/grafana) a dashboard.

Where ` + "`OTEL_METRICS_EXPORTER`" + ` is ` + "`otlp`" + ` or ` + "`OTEL_EXPORTER_OTLP_METRICS_ENDPOINT`" + ` is set, they are exported to a collector
as well, every minute (` + "`OTEL_METRIC_EXPORT_INTERVAL`" + `, in milliseconds) and at the end of the process. Counters are cumulative.
A worker that has no collector of its own exports [through its server](worker.md), if that takes metrics.

A Prometheus that reaches the server and not the workers gets theirs so: it is a Prometheus 3 with
` + "`--web.enable-otlp-receiver`" + `, and the server has ` + "`OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://prometheus:9090/api/v1/otlp/v1/metrics`" + `
and, since its own are scraped, ` + "`OTEL_METRICS_EXPORTER=prometheus`" + `. [deploy/compose.yaml](../deploy/compose.yaml) does that.

In Prometheus the dots of a label's name are underscores: ` + "`pullrun.queue`" + ` is ` + "`pullrun_queue`" + `. A histogram is three
metrics there, which end in ` + "`_bucket`, `_sum` and `_count`" + `.

The figures of queues and routes are read from the store, at most once in five seconds. All servers of one database show the same, so
take their maximum and not their sum. What is counted as it happens is counted by the server that it happened on; add
that up. A queue that a server has seen is shown from then on, empty or not. How to scale workers by the demand of a queue
stands in [operating.md](operating.md).

A label never holds a run, a URL or a text of a user. Of names that users choose (queues, pipelines, error types) the
first 100 of a process are kept apart, and all others are ` + "`(other)`" + `, which adds them up: of ages it has the oldest.
`

const afterword = `
The process itself is shown by ` + "`go_...`" + ` and ` + "`process_...`" + `, and its name and version by ` + "`target_info`" + `.

Measuring takes 0.2 µs for a task or a chip and allocates nothing. Of a run that does nothing the whole system, with all its
processes, takes 475 µs of CPU with the metrics and 470 without: the best of five rounds each, taken in turns.
`
