package meter_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/pullrun/pullrun/otel/meter"
)

// However many names users make up, from however many sides, few series come of
// them and nothing is lost.
func TestNamesOfUsersAreBounded(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	s, err := meter.NewServer(func(context.Context) (meter.Server, error) { return meter.Server{}, nil })
	if err != nil {
		t.Fatal(err)
	}
	const names, sides = 500, 4
	var all sync.WaitGroup
	for range sides {
		all.Go(func() {
			for i := range names {
				s.Accepted(fmt.Sprintf("q%d", i))
				s.Ended("q0", meter.End{Pipeline: fmt.Sprintf("p%d", i), Result: "failure", Error: fmt.Sprintf("E%d", i%3)}, time.Second)
			}
		})
	}
	all.Wait()
	var got metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &got); err != nil {
		t.Fatal(err)
	}
	for _, m := range got.ScopeMetrics[0].Metrics {
		switch d := m.Data.(type) {
		case metricdata.Sum[int64]:
			if m.Name != "pullrun.runs.accepted" {
				continue
			}
			var sum, rest int64
			for _, p := range d.DataPoints {
				sum += p.Value
				if q, _ := p.Attributes.Value(meter.QueueKey); q.AsString() == meter.Other {
					rest = p.Value
				}
			}
			if len(d.DataPoints) != 101 || sum != names*sides || rest != (names-100)*sides {
				t.Errorf("%s: %d series with a sum of %d and %d others, want 101, %d and %d", m.Name, len(d.DataPoints), sum, rest, names*sides, (names-100)*sides)
			}
		case metricdata.Histogram[float64]:
			if m.Name != "cicd.pipeline.run.duration" {
				continue
			}
			var count uint64
			for _, p := range d.DataPoints {
				count += p.Count
			}
			if len(d.DataPoints) > 103 || count != names*sides {
				t.Errorf("%s: %d series of %d, want at most 103 of %d", m.Name, len(d.DataPoints), count, names*sides)
			}
		}
	}
}

// A queue has one name in all metrics, also where there are more than are kept
// apart, and is shown when it is empty.
func TestAQueueHasOneName(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	var queues []meter.Queue
	s, err := meter.NewServer(func(context.Context) (meter.Server, error) { return meter.Server{Queues: queues}, nil })
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		s.Accepted(fmt.Sprintf("q%d", i))
	}
	for i := 99; i < 150; i++ { // the last of these are the largest
		queues = append(queues, meter.Queue{Name: fmt.Sprintf("q%d", i), Queued: i, Oldest: time.Duration(i) * time.Second})
		s.Accepted(fmt.Sprintf("q%d", i))
	}
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, m := range all.ScopeMetrics[0].Metrics {
		add := func(labels attribute.Set, v float64) {
			q, _ := labels.Value(meter.QueueKey)
			got[m.Name+" "+q.AsString()] += v
			got[m.Name]++
		}
		switch d := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, p := range d.DataPoints {
				add(p.Attributes, float64(p.Value))
			}
		case metricdata.Gauge[int64]:
			for _, p := range d.DataPoints {
				add(p.Attributes, float64(p.Value))
			}
		case metricdata.Gauge[float64]:
			for _, p := range d.DataPoints {
				add(p.Attributes, p.Value)
			}
		}
	}
	for what, want := range map[string]float64{
		"pullrun.queue.depth": 101, "pullrun.runs.accepted": 101, "pullrun.dead_letters": 101,
		"pullrun.queue.depth q0": 0, "pullrun.queue.depth q99": 99, "pullrun.queue.depth (other)": (100 + 149) * 50 / 2,
		"pullrun.runs.accepted q0": 1, "pullrun.runs.accepted q99": 2, "pullrun.runs.accepted (other)": 50,
		"pullrun.queue.oldest.age (other)": 149,
	} {
		if got[what] != want {
			t.Errorf("%s is %v, want %v", what, got[what], want)
		}
	}
}

func BenchmarkRunMeter(b *testing.B) {
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())))
	m, err := meter.NewRuns()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		m.Task("chip", "success", time.Millisecond)
	}
}
