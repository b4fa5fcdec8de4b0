package otel

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"strings"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	otelapi "go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	sdklog "go.opentelemetry.io/otel/sdk/log"
)

// logValueLimit is the longest text in a record, in characters.
const logValueLimit = 16 << 10

// Logs are the log of a process on its way to a collector. Records wait in a
// bounded queue, and are dropped when it is full.
type Logs struct {
	provider   *sdklog.LoggerProvider
	to         *late
	complaints *complaints
	aborted    context.Context // ends every export
	abort      context.CancelCauseFunc
}

// SetupLogs exports the log where OTEL_LOGS_EXPORTER is "otlp". It returns nil
// where nothing is to be exported, which is by default, unless opts.Later is set.
// What goes wrong with exporting is said in opts.Log, which must not be a log that
// is exported.
func SetupLogs(ctx context.Context, opts Options) (*Logs, error) {
	kind, err := logsFromEnv(opts.Later)
	if err != nil {
		return nil, fmt.Errorf("set up the export of logs: %w", err)
	}
	if kind == exporterNone {
		return nil, nil
	}
	redactor := opts.Redactor
	if redactor == nil {
		redactor = new(Redactor)
	}
	l := &Logs{complaints: hear(opts.Log, redactor), to: new(late)}
	res, err := newResource(ctx, opts, redactor)
	if err != nil {
		return nil, fmt.Errorf("set up the export of logs: %w", err)
	}
	l.aborted, l.abort = context.WithCancelCause(context.Background())
	l.provider = sdklog.NewLoggerProvider(
		sdklog.WithResource(res),
		sdklog.WithAttributeValueLengthLimit(logValueLimit),
		sdklog.WithProcessor(l.to),
	)
	if kind == exporterThrough {
		return l, nil
	}
	var to []otlploghttp.Option
	if _, endpoint := otlpEnv("LOGS", "ENDPOINT"); endpoint == "" {
		to = append(to, otlploghttp.WithEndpointURL("http://localhost:4318/v1/logs"))
	}
	_, err = l.export(ctx, to...)
	return l, err
}

// ExportThrough exports what is logged from now on to a place that the environment
// does not name. It reports whether it has begun: not where the log is exported
// already, or not to be, which is where l is nil.
func (l *Logs) ExportThrough(ctx context.Context, through Through) (bool, error) {
	if l == nil {
		return false, nil
	}
	return l.export(ctx,
		otlploghttp.WithEndpointURL(through.Endpoint+"/v1/logs"),
		otlploghttp.WithHTTPClient(through.Client),
		otlploghttp.WithCompression(otlploghttp.GzipCompression),
	)
}

func (l *Logs) export(ctx context.Context, to ...otlploghttp.Option) (bool, error) {
	if l.to.known() || l.aborted.Err() != nil {
		return false, nil
	}
	if err := checkHeaders("LOGS"); err != nil {
		return false, fmt.Errorf("set up the export of logs: %w", err)
	}
	otelapi.SetErrorHandler(l.complaints)
	next, err := otlploghttp.New(ctx, to...)
	if err != nil {
		return false, fmt.Errorf("set up the export of logs: %w", err)
	}
	q, err := newLogQueue(next, l.aborted)
	if err != nil {
		return false, fmt.Errorf("set up the export of logs: %w", err)
	}
	l.to.set(q)
	return true, nil
}

// logsFromEnv reads where the log goes. Where it names no place for anything, and
// another may become known, it waits for that.
func logsFromEnv(later bool) (exporterKind, error) {
	if strings.EqualFold(env("OTEL_SDK_DISABLED"), "true") {
		return exporterNone, nil
	}
	switch kind := exporterKind(env("OTEL_LOGS_EXPORTER")); kind {
	case "":
		if _, endpoint := otlpEnv("LOGS", "ENDPOINT"); later && endpoint == "" {
			return exporterThrough, nil
		}
		return exporterNone, nil
	case exporterNone:
		return exporterNone, nil
	case exporterOTLP:
	default:
		return "", fmt.Errorf(`OTEL_LOGS_EXPORTER: unknown exporter %q; choose "otlp" or "none"`, kind)
	}
	return exporterOTLP, checkExport("LOGS")
}

// Handler exports the records that matter as much as level says. It takes them
// as they are: secrets are to be taken out before.
func (l *Logs) Handler(level slog.Leveler) slog.Handler {
	return exportHandler{otelslog.NewHandler("github.com/pullrun/pullrun", otelslog.WithLoggerProvider(l.provider)), level}
}

// Shutdown exports what is left, and takes at most [FlushTimeout]. It may be
// called twice.
func (l *Logs) Shutdown(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), FlushTimeout-abortTimeout)
	defer cancel()
	err := l.provider.Shutdown(bounded)
	l.abort(errAborted)
	l.complaints.flush()
	if err != nil {
		return fmt.Errorf("flush the log: %w", err)
	}
	return nil
}

// exportHandler writes times and spans of time as people do, as the log itself
// has them, and keeps to a level.
type exportHandler struct {
	slog.Handler
	level slog.Leveler
}

func (h exportHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= h.level.Level() && h.Handler.Enabled(ctx, level)
}

func (h exportHandler) Handle(ctx context.Context, record slog.Record) error {
	out := slog.NewRecord(record.Time, record.Level, record.Message, record.PC)
	record.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(readable(a))
		return true
	})
	return h.Handler.Handle(ctx, out)
}

func (h exportHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	out := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		out[i] = readable(a)
	}
	return exportHandler{h.Handler.WithAttrs(out), h.level}
}

func (h exportHandler) WithGroup(name string) slog.Handler {
	return exportHandler{h.Handler.WithGroup(name), h.level}
}

func readable(a slog.Attr) slog.Attr {
	a.Value = a.Value.Resolve()
	switch a.Value.Kind() {
	case slog.KindDuration, slog.KindTime:
		a.Value = slog.StringValue(a.Value.String())
	case slog.KindGroup:
		members := make([]slog.Attr, len(a.Value.Group()))
		for i, member := range a.Value.Group() {
			members[i] = readable(member)
		}
		a.Value = slog.GroupValue(members...)
	case slog.KindAny:
		// The bridge knows no other kinds of text than string. What is made of it
		// here is what was looked through for secrets: see [Redactor.LogHandler].
		v := a.Value.Any()
		if _, says := v.(fmt.Stringer); says || reflect.ValueOf(v).Kind() == reflect.String {
			a.Value = slog.StringValue(fmt.Sprint(v))
		}
	}
	return a
}
