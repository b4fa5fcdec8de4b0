package otel

import (
	"context"
	"log/slog"
	"slices"

	"go.opentelemetry.io/otel/trace"
)

// LogHandler returns a handler that passes records on to next, with the
// trace_id and span_id of the span in their context, if there is one, at the
// top level.
func LogHandler(next slog.Handler) slog.Handler {
	return traceHandler{next: next, root: next}
}

// traceHandler has next for most records. When a group is open, an attribute
// that is added to a record lands in it; then the ids go to root, which has
// no group, and what was done to root since is done again.
type traceHandler struct {
	next  slog.Handler
	root  slog.Handler
	since []func(slog.Handler) slog.Handler // empty while no group is open
}

func (h traceHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h traceHandler) Handle(ctx context.Context, record slog.Record) error {
	sc := trace.SpanContextFromContext(ctx)
	if !sc.IsValid() {
		return h.next.Handle(ctx, record)
	}
	ids := []slog.Attr{
		slog.String("trace_id", sc.TraceID().String()),
		slog.String("span_id", sc.SpanID().String()),
	}
	if len(h.since) == 0 {
		record = record.Clone()
		record.AddAttrs(ids...)
		return h.next.Handle(ctx, record)
	}
	next := h.root.WithAttrs(ids)
	for _, redo := range h.since {
		next = redo(next)
	}
	return next.Handle(ctx, record)
}

func (h traceHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.next = h.next.WithAttrs(attrs)
	if len(h.since) == 0 {
		h.root = h.next
		return h
	}
	return h.after(func(next slog.Handler) slog.Handler { return next.WithAttrs(attrs) })
}

func (h traceHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	h.next = h.next.WithGroup(name)
	return h.after(func(next slog.Handler) slog.Handler { return next.WithGroup(name) })
}

func (h traceHandler) after(step func(slog.Handler) slog.Handler) slog.Handler {
	h.since = append(slices.Clip(h.since), step)
	return h
}
