package otel

import (
	"context"
	"sync/atomic"
	"time"

	sdklog "go.opentelemetry.io/otel/sdk/log"

	"github.com/pullrun/pullrun/otel/meter"
)

const (
	// logDelay is how long a record waits for others.
	logDelay = time.Second
	// logRoom is how many records may wait: as many as the SDK has it.
	logRoom = 2048
)

// logExporter ends its exports when they are aborted, for the SDK leaves one
// behind that it has waited for too long, and counts what is not taken.
type logExporter struct {
	sdklog.Exporter
	aborted context.Context
	waiting atomic.Int64 // records that have not been handed to Export
	meter   *meter.ExportMeter
}

func (e *logExporter) Export(ctx context.Context, records []sdklog.Record) error {
	e.waiting.Add(-int64(len(records)))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(e.aborted, func() { cancel(errAborted) })()
	err := e.Exporter.Export(ctx, records)
	if err != nil {
		e.meter.Dropped(len(records), meter.NotTaken)
	}
	return err
}

// logQueue is a processor that drops, and counts, what the SDK's would drop without
// a word: what comes while as many records wait as there is room for.
type logQueue struct {
	*sdklog.BatchProcessor
	to   *logExporter
	room int64
}

func newLogQueue(next sdklog.Exporter, aborted context.Context) (*logQueue, error) {
	dropped, err := meter.NewExports("logs")
	if err != nil {
		return nil, err
	}
	to := &logExporter{Exporter: next, aborted: aborted, meter: dropped}
	room := positive("OTEL_BLRP_MAX_QUEUE_SIZE", logRoom)
	return &logQueue{
		BatchProcessor: sdklog.NewBatchProcessor(to, sdklog.WithExportInterval(logDelay), sdklog.WithMaxQueueSize(room)),
		to:             to, room: int64(room),
	}, nil
}

func (q *logQueue) OnEmit(ctx context.Context, record *sdklog.Record) error {
	if q.to.waiting.Add(1) > q.room {
		q.to.waiting.Add(-1)
		q.to.meter.Dropped(1, meter.QueueFull)
		return nil
	}
	return q.BatchProcessor.OnEmit(ctx, record)
}
