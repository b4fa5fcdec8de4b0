package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/lmittmann/tint"

	"github.com/pullrun/pullrun/configs"
	"github.com/pullrun/pullrun/otel"
)

// watch is how a long-lived command is watched: its log and its traces, with
// the secrets that must appear in neither.
type watch struct {
	log      *slog.Logger
	level    *slog.LevelVar // of log
	redactor *otel.Redactor
	traces   *tracing
	logs     *otel.Logs    // nil unless exported, now or later
	metrics  *otel.Metrics // nil unless measured
	forwards *forwarding
	flush    func() // exports the last spans; to be called when all else has ended
}

// newWatch makes the log and sets tracing up as OTEL_* says.
func newWatch(ctx context.Context, t terminal, service string, cfg configs.Log, secrets ...configs.Secret) (watch, error) {
	return openWatch(ctx, t, otel.Options{Service: service, Version: version()}, cfg, secrets)
}

// newMeasuredWatch is newWatch for a command that serves metrics too.
func newMeasuredWatch(ctx context.Context, t terminal, service string, cfg configs.Log, secrets ...configs.Secret) (watch, error) {
	opts := otel.Options{Service: service, Version: version(), Later: true, Bursts: service != "pullrun-server"}
	return openWatch(ctx, t, opts, cfg, secrets)
}

func openWatch(ctx context.Context, t terminal, opts otel.Options, cfg configs.Log, secrets []configs.Secret) (w watch, err error) {
	w = watch{level: new(slog.LevelVar), redactor: t.redactor, forwards: new(forwarding)}
	for _, s := range secrets {
		w.redactor.Register(s.Reveal())
	}
	handler := otel.LogHandler(w.redactor.LogHandler(logHandler(t, cfg.Format, w.level)))
	w.log = slog.New(handler)
	opts.Log, opts.Redactor = w.log, w.redactor
	if w.logs, err = otel.SetupLogs(ctx, opts); err != nil {
		return watch{}, usageError(err)
	}
	if w.logs != nil {
		w.log = slog.New(slog.NewMultiHandler(handler, w.redactor.LogHandler(w.logs.Handler(w.level))))
	}
	opts.Log = w.log
	if opts.Later {
		if w.metrics, err = otel.SetupMetrics(ctx, opts); err != nil {
			return watch{}, usageError(err)
		}
	}
	if w.traces, err = startTracing(ctx, opts); err != nil {
		return watch{}, err
	}
	w.flush = func() { w.end(ctx) }
	w.setLevel(cfg.Level)
	return w, nil
}

// end exports the last spans, lines and figures, and what workers have exported, side
// by side, so that all together take no longer than one.
func (w watch) end(ctx context.Context) {
	var others sync.WaitGroup
	defer others.Wait()
	others.Go(w.forwards.end)
	if w.logs != nil {
		others.Go(func() {
			if err := w.logs.Shutdown(ctx); err != nil {
				w.log.Warn("the last lines may not have been exported", "err", err)
			}
		})
	}
	if w.metrics != nil {
		others.Go(func() {
			if err := w.metrics.Shutdown(ctx); err != nil {
				w.log.Warn("the last metrics may not have been exported", "err", err)
			}
		})
	}
	w.traces.flush(ctx, w.log)
}

// setLevel sets the least important level that is logged.
func (w *watch) setLevel(name string) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(name)); err != nil {
		level = slog.LevelInfo // the settings have been checked
	}
	w.level.Set(level)
}

// hiding takes the secrets of a setting, one after the other, out of all that is
// logged and exported from then on.
func (w watch) hiding(setting string) (hide func(secret string)) {
	return func(secret string) { w.redactor.Replace(setting, secret) }
}

// logHandler writes for people on a terminal, and JSON elsewhere.
func logHandler(t terminal, format string, level slog.Leveler) slog.Handler {
	if format == "text" || format == "auto" && t.interactive() {
		return tint.NewTextHandler(t.err, &tint.Options{Level: level, TimeFormat: "15:04:05.000", NoColor: !t.colour()})
	}
	return slog.NewJSONHandler(t.err, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Value.Kind() == slog.KindDuration {
			a.Value = slog.StringValue(a.Value.Duration().String())
		}
		return a
	}})
}

// took is a readable span of time.
func took(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
