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
	flush    func()        // exports the last spans; to be called when all else has ended
}

// newWatch makes the log and sets tracing up as OTEL_* says.
func newWatch(ctx context.Context, t terminal, service string, cfg configs.Log, secrets ...configs.Secret) (watch, error) {
	return openWatch(ctx, t, otel.Options{Service: service, Version: version()}, cfg, secrets)
}

func openWatch(ctx context.Context, t terminal, opts otel.Options, cfg configs.Log, secrets []configs.Secret) (watch, error) {
	redactor := t.redactor
	for _, s := range secrets {
		redactor.Register(s.Reveal())
	}
	level := new(slog.LevelVar)
	handler := otel.LogHandler(redactor.LogHandler(logHandler(t, cfg.Format, level)))
	log := slog.New(handler)
	opts.Log, opts.Redactor = log, redactor
	logs, err := otel.SetupLogs(ctx, opts)
	if err != nil {
		return watch{}, usageError(err)
	}
	if logs != nil {
		log = slog.New(slog.NewMultiHandler(handler, redactor.LogHandler(logs.Handler(level))))
	}
	opts.Log = log
	traces, err := startTracing(ctx, opts)
	if err != nil {
		return watch{}, err
	}
	w := watch{log: log, level: level, redactor: redactor, traces: traces, logs: logs, flush: func() { flush(ctx, log, traces, logs) }}
	w.setLevel(cfg.Level)
	return w, nil
}

// flush exports the last spans and lines, side by side, so that both together
// take no longer than one. logs may be nil.
func flush(ctx context.Context, log *slog.Logger, traces *tracing, logs *otel.Logs) {
	var lines sync.WaitGroup
	defer lines.Wait()
	if logs != nil {
		lines.Go(func() {
			if err := logs.Shutdown(ctx); err != nil {
				log.Warn("the last lines may not have been exported", "err", err)
			}
		})
	}
	traces.flush(ctx, log)
}

// setLevel sets the least important level that is logged.
func (w *watch) setLevel(name string) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(name)); err != nil {
		level = slog.LevelInfo // the settings have been checked
	}
	w.level.Set(level)
}

// newMeasuredWatch is newWatch for a command that serves metrics too.
func newMeasuredWatch(ctx context.Context, t terminal, service string, cfg configs.Log, secrets ...configs.Secret) (watch, error) {
	w, err := openWatch(ctx, t, otel.Options{Service: service, Version: version(), Later: true}, cfg, secrets)
	if err != nil {
		return watch{}, err
	}
	if w.metrics, err = otel.SetupMetrics(ctx, otel.Options{Service: service, Version: version(), Log: w.log, Redactor: w.redactor}); err != nil {
		w.flush()
		return watch{}, usageError(err)
	}
	rest := w.flush
	w.flush = func() {
		var figures sync.WaitGroup
		figures.Go(func() {
			if err := w.metrics.Shutdown(ctx); err != nil {
				w.log.Warn("the last metrics may not have been exported", "err", err)
			}
		})
		rest()
		figures.Wait()
	}
	return w, nil
}

// hide takes a secret out of all that is logged and exported from now on.
func (w watch) hide(secret string) { w.redactor.Register(secret) }

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
