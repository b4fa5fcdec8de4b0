package main

import (
	"context"
	"log/slog"
	"sync"

	"github.com/pullrun/pullrun/otel"
)

// tracing is where a process exports its spans: as OTEL_* says, or else through
// the server, once that is known to take them.
type tracing struct {
	opts otel.Options

	mu       sync.Mutex // guards shutdown
	shutdown func(context.Context) error
}

func startTracing(ctx context.Context, opts otel.Options) (*tracing, error) {
	shutdown, err := otel.Setup(ctx, opts)
	if err != nil {
		return nil, usageError(err)
	}
	return &tracing{opts: opts, shutdown: shutdown}, nil
}

// exportThrough is told each time that the server says it takes exports.
func (t *tracing) exportThrough(ctx context.Context, through otel.Through) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if otel.Enabled() {
		return
	}
	opts := t.opts
	opts.Through = &through
	shutdown, err := otel.Setup(ctx, opts)
	if err != nil {
		t.opts.Log.WarnContext(ctx, "spans are not exported through the server", "err", err)
		return
	}
	t.shutdown = shutdown
	if otel.Enabled() {
		t.opts.Log.InfoContext(ctx, "spans are exported through the server")
	}
}

// exportMetrics is told each time that the server says it takes metrics.
func (w watch) exportMetrics(through otel.Through) {
	switch began, err := w.metrics.ExportThrough(context.Background(), through); {
	case err != nil:
		w.log.Warn("metrics are not exported through the server", "err", err)
	case began:
		w.log.Info("metrics are exported through the server")
	}
}

// exportLog is told each time that the server says it takes logs.
func (w watch) exportLog(through otel.Through) {
	switch began, err := w.logs.ExportThrough(context.Background(), through); {
	case err != nil:
		w.log.Warn("the log is not exported through the server", "err", err)
	case began:
		w.log.Info("the log is exported through the server")
	}
}

// flush exports the last spans. It is called when all else has ended.
func (t *tracing) flush(ctx context.Context, log *slog.Logger) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.shutdown(context.WithoutCancel(ctx)); err != nil {
		log.Warn("the last spans may not have been exported", "err", err)
	}
}
