package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/lmittmann/tint"

	"github.com/pullrun/pullrun/configs"
	"github.com/pullrun/pullrun/otel"
)

// watch is how a long-lived command is watched: its log and its traces, with
// the secrets that must appear in neither.
type watch struct {
	log      *slog.Logger
	redactor *otel.Redactor
	traces   *tracing
	flush    func() // exports the last spans; to be called when all else has ended
}

// newWatch makes the log and sets tracing up as OTEL_* says.
func newWatch(ctx context.Context, t terminal, service string, cfg configs.Log, secrets ...configs.Secret) (watch, error) {
	redactor := &otel.Redactor{}
	for _, s := range secrets {
		redactor.Register(s.Reveal())
	}
	log := slog.New(otel.LogHandler(redactor.LogHandler(logHandler(t, cfg))))
	traces, err := startTracing(ctx, otel.Options{Service: service, Version: version(), Log: log, Redactor: redactor})
	if err != nil {
		return watch{}, err
	}
	return watch{log: log, redactor: redactor, traces: traces, flush: func() { traces.flush(ctx, log) }}, nil
}

// hide takes a secret out of all that is logged and exported from now on.
func (w watch) hide(secret string) { w.redactor.Register(secret) }

// logHandler writes for people on a terminal, and JSON elsewhere.
func logHandler(t terminal, cfg configs.Log) slog.Handler {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		level = slog.LevelInfo // the settings have been checked
	}
	if cfg.Format == "text" || cfg.Format == "auto" && t.interactive() {
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
