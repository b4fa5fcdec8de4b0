package otel

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/pullrun/pullrun/otel/meter"
)

// abortTimeout is the part of [FlushTimeout] that is kept for abort.
const abortTimeout = 100 * time.Millisecond

var errAborted = errors.New("tracing is being shut down")

// exporter stands between the SDK and the exporter proper. It sees the spans
// last, when everything is on them (otelhttp adds the URL after the start),
// and it can cut short an export that hangs.
type exporter struct {
	next     sdktrace.SpanExporter
	redactor *Redactor
	limit    int // of a text, negative for none

	room    int          // spans that may wait for their export
	waiting atomic.Int64 // ended and not handed to ExportSpans
	meter   *meter.ExportMeter

	aborted context.Context // ends every export
	cancel  context.CancelCauseFunc
	once    sync.Once
	closed  chan struct{} // closed by Shutdown, the SDK's last call
}

func guard(next sdktrace.SpanExporter, redactor *Redactor, limit, room int, dropped *meter.ExportMeter) *exporter {
	e := &exporter{next: next, redactor: redactor, limit: limit, room: room, meter: dropped, closed: make(chan struct{})}
	e.aborted, e.cancel = context.WithCancelCause(context.Background())
	return e
}

func (e *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	e.waiting.Add(-int64(len(spans)))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(e.aborted, func() { cancel(errAborted) })()

	clean := make([]sdktrace.ReadOnlySpan, len(spans))
	for i, s := range spans {
		clean[i] = cleanSpan{s, e.redactor, e.limit}
	}
	err := e.next.ExportSpans(ctx, clean)
	if err != nil {
		e.meter.Dropped(len(spans), meter.NotTaken)
	}
	return err
}

func (e *exporter) Shutdown(ctx context.Context) error {
	defer e.once.Do(func() { close(e.closed) })
	return e.next.Shutdown(ctx)
}

// abort ends the exports that are still going on, and returns when the SDK is
// done with the exporter. Only a console that blocks keeps it longer than
// abortTimeout, and is left behind.
func (e *exporter) abort() {
	e.cancel(errAborted)
	select {
	case <-e.closed:
	case <-time.After(abortTimeout):
	}
}

// cleanSpan shows a span as it may leave the process. Its id, times and scope
// are what they were.
type cleanSpan struct {
	sdktrace.ReadOnlySpan
	redactor *Redactor
	limit    int
}

func (s cleanSpan) Name() string {
	return s.redactor.text(s.ReadOnlySpan.Name(), s.limit)
}

func (s cleanSpan) Attributes() []attribute.KeyValue {
	return s.redactor.attributes(s.ReadOnlySpan.Attributes(), s.limit)
}

func (s cleanSpan) Status() sdktrace.Status {
	status := s.ReadOnlySpan.Status()
	status.Description = s.redactor.text(status.Description, s.limit)
	return status
}

func (s cleanSpan) Events() []sdktrace.Event {
	events := s.ReadOnlySpan.Events()
	clean := make([]sdktrace.Event, len(events))
	for i, e := range events {
		e.Name = s.redactor.text(e.Name, s.limit)
		e.Attributes = s.redactor.attributes(e.Attributes, s.limit)
		clean[i] = e
	}
	return clean
}

func (s cleanSpan) Links() []sdktrace.Link {
	links := s.ReadOnlySpan.Links()
	clean := make([]sdktrace.Link, len(links))
	for i, l := range links {
		l.Attributes = s.redactor.attributes(l.Attributes, s.limit)
		clean[i] = l
	}
	return clean
}
