package meter

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/otel/metric"
)

// A DropReason is why something was not exported.
type DropReason string

// The reasons.
const (
	QueueFull DropReason = "queue_full"
	NotTaken  DropReason = "not_taken" // by the collector
)

// ExportMeter measures what becomes of what a process exports of itself: of one
// signal, for which there is one.
type ExportMeter struct{ dropped map[DropReason]*atomic.Int64 }

// NewExports makes the meter of a signal: traces, metrics or logs.
func NewExports(signal string) (*ExportMeter, error) {
	s := newSet()
	dropped := s.counter("pullrun.export.dropped", "{item}", "Spans, log records and metrics of this process that were not exported.")
	m := &ExportMeter{dropped: map[DropReason]*atomic.Int64{QueueFull: new(atomic.Int64), NotTaken: new(atomic.Int64)}}
	_, err := s.observe(func(_ context.Context, o metric.Observer) error {
		for reason, n := range m.dropped {
			o.ObserveInt64(dropped, n.Load(), metric.WithAttributes(SignalKey.String(signal), DropReasonKey.String(string(reason))))
		}
		return nil
	})
	return m, err
}

// Dropped counts items.
func (m *ExportMeter) Dropped(n int, reason DropReason) { m.dropped[reason].Add(int64(n)) }
