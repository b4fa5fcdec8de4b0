package feed

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/pullrun/pullrun/api"
)

// Log is a log that passes records on to next and adds a line to the run's
// history for each: of all that matters enough for next, and of what is info or
// more. task names the task that a context belongs to.
func (r *Run) Log(next *slog.Logger, task func(context.Context) string) *slog.Logger {
	return slog.New(tee{next: next.Handler(), run: r, task: task})
}

type tee struct {
	next slog.Handler
	run  *Run
	task func(context.Context) string
}

func (h tee) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo || h.next.Enabled(ctx, level)
}

func (h tee) Handle(ctx context.Context, record slog.Record) error {
	h.run.add(record.Time, api.LogLine{Level: levelName(record.Level), Task: h.task(ctx), Text: textOf(record)})
	if !h.next.Enabled(ctx, record.Level) {
		return nil
	}
	return h.next.Handle(ctx, record)
}

func (h tee) WithAttrs(attrs []slog.Attr) slog.Handler {
	return tee{h.next.WithAttrs(attrs), h.run, h.task}
}

func (h tee) WithGroup(name string) slog.Handler {
	return tee{h.next.WithGroup(name), h.run, h.task}
}

// textOf is what a record says to the reader of its run: the text that the run
// itself has written, or what the engine says of it.
func textOf(record slog.Record) string {
	var text string
	var more strings.Builder
	written := false
	record.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "text":
			text, written = a.Value.String(), true
		case "pipeline", "task", "stack": // said elsewhere, or of no use to the reader
		default:
			fmt.Fprintf(&more, ", %s %v", a.Key, a.Value)
		}
		return true
	})
	if written {
		return text
	}
	return record.Message + more.String()
}

func levelName(level slog.Level) string {
	switch {
	case level < slog.LevelInfo:
		return "debug"
	case level < slog.LevelWarn:
		return "info"
	case level < slog.LevelError:
		return "warn"
	}
	return "error"
}
