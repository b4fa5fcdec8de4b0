package oteltest

import (
	"context"
	"fmt"
	"slices"

	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	"google.golang.org/protobuf/proto"
)

// A Metric is one metric of one export. What it counts is not looked at.
type Metric struct {
	Name     string
	Resource map[string]string
}

// WaitForMetric blocks until a metric has arrived that is as wanted, and returns
// it. If ctx ends first, the error shows what there was.
func (r *Receiver) WaitForMetric(ctx context.Context, want func(Metric) bool) (Metric, error) {
	var found Metric
	var all []Metric
	err := r.wait(ctx, func() bool {
		all = slices.Clone(r.metrics)
		i := slices.IndexFunc(all, want)
		if i >= 0 {
			found = all[i]
		}
		return i >= 0
	})
	if err != nil {
		return Metric{}, fmt.Errorf("wait for a metric: %w; received: %v", err, all)
	}
	return found, nil
}

func metricsOf(body []byte) ([]Metric, error) {
	var export metricspb.ExportMetricsServiceRequest
	if err := proto.Unmarshal(body, &export); err != nil {
		return nil, err
	}
	var out []Metric
	for _, rm := range export.GetResourceMetrics() {
		resource := attributes(rm.GetResource().GetAttributes())
		for _, scope := range rm.GetScopeMetrics() {
			for _, m := range scope.GetMetrics() {
				out = append(out, Metric{Name: m.GetName(), Resource: resource})
			}
		}
	}
	return out, nil
}
