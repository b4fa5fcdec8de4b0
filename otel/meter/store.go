package meter

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// StoreMeter measures a store.
type StoreMeter struct{ took, operations metric.Float64Histogram }

// NewStore makes the meter of a store.
func NewStore() (*StoreMeter, error) {
	s := newSet()
	return &StoreMeter{
		took:       s.spread("pullrun.store.commit.duration", "s", "How long the store's transactions took, from their begin until they were synced.", commitBuckets),
		operations: s.spread("pullrun.store.commit.operations", "{operation}", "How many operations shared a transaction of the store.", batchBuckets),
	}, s.err
}

// Committed measures a transaction.
func (m *StoreMeter) Committed(took time.Duration, operations int) {
	m.took.Record(context.Background(), took.Seconds())
	m.operations.Record(context.Background(), float64(operations))
}
