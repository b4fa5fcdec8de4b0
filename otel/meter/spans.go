package meter

import (
	"context"

	"go.opentelemetry.io/otel/metric"
)

// SpanMeter measures what becomes of spans.
type SpanMeter struct {
	dropped metric.Int64Counter
	reasons *labels[string]
}

// NewSpans makes the meter of a process's spans.
func NewSpans() (*SpanMeter, error) {
	s := newSet()
	return &SpanMeter{
		dropped: s.count("pullrun.export.dropped", "{span}", "Spans of this process that were not exported."),
		reasons: one(DropReasonKey),
	}, s.err
}

// Dropped counts spans. The reason is one of few.
func (m *SpanMeter) Dropped(n int, reason string) {
	m.dropped.Add(context.Background(), int64(n), m.reasons.get(reason).add...)
}
