package otel

import (
	"context"
	"sync/atomic"

	sdklog "go.opentelemetry.io/otel/sdk/log"
)

// late is a processor of records whose destination may become known when loggers
// have been made already. Until then it takes none, and the log makes none.
type late struct {
	next atomic.Pointer[logQueue]
}

func (l *late) known() bool { return l.next.Load() != nil }

func (l *late) set(next *logQueue) { l.next.Store(next) }

func (l *late) Enabled(context.Context, sdklog.EnabledParameters) bool { return l.known() }

func (l *late) OnEmit(ctx context.Context, record *sdklog.Record) error {
	if next := l.next.Load(); next != nil {
		return next.OnEmit(ctx, record)
	}
	return nil
}

func (l *late) Shutdown(ctx context.Context) error {
	if next := l.next.Load(); next != nil {
		return next.Shutdown(ctx)
	}
	return nil
}

func (l *late) ForceFlush(ctx context.Context) error {
	if next := l.next.Load(); next != nil {
		return next.ForceFlush(ctx)
	}
	return nil
}
