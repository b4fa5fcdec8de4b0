package manager_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"

	otelapi "go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/manager"
	"github.com/pullrun/pullrun/otel/meter"
)

// What becomes of a run, its tasks and its result counts once each, also where
// the result is judged badly or lost. The meter provider belongs to the process,
// so this test is not parallel.
func TestRunsAreMeasured(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	otelapi.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	runs, err := meter.NewRuns()
	if err != nil {
		t.Fatal(err)
	}
	p := pipelines{
		"good": func(ctx context.Context, in engine.Input) (engine.Output, error) {
			ctx, end := in.Observer.Task(ctx, engine.TaskInfo{Kind: engine.KindChip})
			_, over := in.Observer.Chip(ctx, engine.ChipInfo{Chip: "http.get"})
			over(nil)
			end(nil)
			return engine.Output{}, nil
		},
		"bad": func(context.Context, engine.Input) (engine.Output, error) {
			return engine.Output{}, &engine.Error{Class: engine.ChipException, Message: "no"}
		},
	}
	report := func(_ context.Context, results []api.Result) ([]api.Verdict, error) {
		out := make([]api.Verdict, len(results))
		for i, r := range results {
			if r.Cookie == "lost" {
				return nil, errors.New("refused")
			}
			out[i] = api.Verdict{Cookie: r.Cookie, Fence: r.Fence, Verdict: api.VerdictCode(r.Cookie)}
		}
		return out, nil
	}
	m := manager.New(manager.Config{Worker: "w", Capacity: 1, Meter: runs}, p, report, slog.New(slog.DiscardHandler))
	m.Handle(run("accepted", "good"))
	_ = m.Drain(t.Context()) // that it is drained shows in what was counted
	for _, cookie := range []string{"rejected", "lost"} {
		m := manager.New(manager.Config{Worker: "w", Capacity: 1, Meter: runs}, p, report, slog.New(slog.DiscardHandler))
		m.Handle(run(cookie, "bad"))
		_ = m.Drain(t.Context()) // as above; of the lost one it is an error
	}
	got := counts(t, reader)
	want := []string{
		"pullrun.attempt.duration cicd.pipeline.name=bad,cicd.pipeline.result=failure,error.type=PROCESSOR_EXCEPTION 2",
		"pullrun.attempt.duration cicd.pipeline.name=good,cicd.pipeline.result=success 1",
		"pullrun.chip.duration cicd.pipeline.task.run.result=success,pullrun.chip.kind=http.get 1",
		"pullrun.result.post.attempts pullrun.post.outcome=answered 2",
		"pullrun.result.post.attempts pullrun.post.outcome=failed 2",
		"pullrun.results pullrun.result.verdict=accepted 1",
		"pullrun.results pullrun.result.verdict=lost 1",
		"pullrun.results pullrun.result.verdict=rejected 1",
		"pullrun.task.duration cicd.pipeline.task.run.result=success,pullrun.task.kind=chip 1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("measured\n got %q\nwant %q", got, want)
	}
}

// counts are how often each series was measured.
func counts(t *testing.T, reader sdkmetric.Reader) (out []string) {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	line := func(name string, set attribute.Set, n any) {
		out = append(out, fmt.Sprintf("%s %s %d", name, set.Encoded(attribute.DefaultEncoder()), n))
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch d := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					line(m.Name, p.Attributes, p.Value)
				}
			case metricdata.Histogram[float64]:
				for _, p := range d.DataPoints {
					line(m.Name, p.Attributes, p.Count)
				}
			}
		}
	}
	slices.Sort(out)
	return out
}
