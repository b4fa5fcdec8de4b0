package otel

import (
	"context"
	"fmt"
	"log/slog"
)

// LogHandler returns a handler that passes records on to next without their
// secrets. It looks into messages, attributes, errors and what else is
// printed; a value in which it finds one becomes text.
func (r *Redactor) LogHandler(next slog.Handler) slog.Handler {
	return redactHandler{next, r}
}

type redactHandler struct {
	slog.Handler
	redactor *Redactor
}

func (h redactHandler) Handle(ctx context.Context, record slog.Record) error {
	clean := slog.NewRecord(record.Time, record.Level, h.redactor.String(record.Message), record.PC)
	record.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(h.redactor.logAttr(a))
		return true
	})
	return h.Handler.Handle(ctx, clean)
}

func (h redactHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return redactHandler{h.Handler.WithAttrs(h.redactor.logAttrs(attrs)), h.redactor}
}

func (h redactHandler) WithGroup(name string) slog.Handler {
	return redactHandler{h.Handler.WithGroup(name), h.redactor}
}

func (r *Redactor) logAttrs(attrs []slog.Attr) []slog.Attr {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = r.logAttr(a)
	}
	return clean
}

func (r *Redactor) logAttr(a slog.Attr) slog.Attr {
	a.Value = a.Value.Resolve()
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(r.String(a.Value.String()))
	case slog.KindGroup:
		a.Value = slog.GroupValue(r.logAttrs(a.Value.Group())...)
	case slog.KindAny:
		a.Value = r.logAny(a.Value)
	}
	return a
}

// logAny keeps a value that has nothing to hide as it is, so that a handler
// that writes JSON still writes its structure.
func (r *Redactor) logAny(v slog.Value) slog.Value {
	var text string
	switch v := v.Any().(type) {
	case error:
		return slog.StringValue(r.String(v.Error()))
	case []byte:
		text = string(v)
	default:
		text = fmt.Sprintf("%+v", v)
	}
	if clean := r.String(text); clean != text {
		return slog.StringValue(clean)
	}
	return v
}
