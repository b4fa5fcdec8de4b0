package otel_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/slogtest"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/otel"
	"github.com/pullrun/pullrun/otel/span"
)

func TestLogHandlersKeepTheContractOfSlog(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(slog.Handler) slog.Handler{
		"trace ids": otel.LogHandler,
		"redactor":  new(otel.Redactor).LogHandler,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var buf bytes.Buffer
			slogtest.Run(t, func(*testing.T) slog.Handler {
				buf.Reset()
				return wrap(slog.NewJSONHandler(&buf, nil))
			}, func(t *testing.T) map[string]any { return decode(t, &buf) })
		})
	}
}

func decode(t *testing.T, buf *bytes.Buffer) map[string]any {
	t.Helper()
	var line map[string]any
	if err := json.Unmarshal(buf.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	return line
}

func TestLogHandler(t *testing.T) {
	t.Parallel()
	ctx := span.Carrier{TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}.Context(t.Context())
	ids := map[string]any{"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331"}
	with := func(more map[string]any) map[string]any {
		for k, v := range ids {
			more[k] = v
		}
		return more
	}
	for _, tt := range []struct {
		name string
		log  func(*slog.Logger)
		want map[string]any
	}{
		{
			name: "a record outside of a span is left alone",
			log:  func(l *slog.Logger) { l.InfoContext(t.Context(), "m", "a", "b") },
			want: map[string]any{"a": "b"},
		},
		{
			name: "a record in a span gets its ids",
			log:  func(l *slog.Logger) { l.InfoContext(ctx, "m", "a", "b") },
			want: with(map[string]any{"a": "b"}),
		},
		{
			name: "so does one with attributes set before",
			log:  func(l *slog.Logger) { l.With("c", "d").InfoContext(ctx, "m", "a", "b") },
			want: with(map[string]any{"a": "b", "c": "d"}),
		},
		{
			name: "in a group, the ids stay at the top",
			log: func(l *slog.Logger) {
				l.With("c", "d").WithGroup("g").With("e", "f").InfoContext(ctx, "m", "a", "b")
			},
			want: with(map[string]any{"c": "d", "g": map[string]any{"a": "b", "e": "f"}}),
		},
		{
			name: "loggers made of one do not mix",
			log: func(l *slog.Logger) {
				// Three steps leave room for a fourth in a slice that grows.
				g := l.WithGroup("g").With("e", "f").With("h", "i")
				one := g.With("a", "b")
				g.With("x", "y")
				one.InfoContext(ctx, "m", "n", "o")
			},
			want: with(map[string]any{"g": map[string]any{"a": "b", "e": "f", "h": "i", "n": "o"}}),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var buf bytes.Buffer
			tt.log(slog.New(otel.LogHandler(slog.NewJSONHandler(&buf, nil))))
			got := decode(t, &buf)
			for _, key := range []string{slog.TimeKey, slog.LevelKey, slog.MessageKey} {
				delete(got, key)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
		})
	}
}

type account struct{ Name, Key string }

type lazy string

func (l lazy) LogValue() slog.Value { return slog.StringValue(string(l)) }

func TestRedactorLogHandler(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-secret"
	var r otel.Redactor
	r.Register(secret)
	var buf bytes.Buffer
	log := slog.New(r.LogHandler(slog.NewJSONHandler(&buf, nil)))
	log.With("set_before", secret).WithGroup("g").Info("message with "+secret,
		"text", secret,
		"err", errors.New("Get \"https://u:p@h/?a=b\": "+secret),
		"bytes", []byte(secret),
		"struct", account{Name: "n", Key: secret},
		"harmless", account{Name: "n", Key: "k"},
		"lazy", lazy(secret),
		"number", 7,
		slog.Group("inner", "text", secret),
	)
	if strings.Contains(buf.String(), "hunter2") {
		t.Errorf("a secret is in the log: %s", &buf)
	}
	got := decode(t, &buf)
	delete(got, slog.TimeKey)
	want := map[string]any{
		"level":      "INFO",
		"msg":        "message with REDACTED",
		"set_before": "REDACTED",
		"g": map[string]any{
			"text":     "REDACTED",
			"err":      `Get "https://h/?a=REDACTED": REDACTED`,
			"bytes":    "REDACTED",
			"struct":   "{Name:n Key:REDACTED}",
			"harmless": map[string]any{"Name": "n", "Key": "k"},
			"lazy":     "REDACTED",
			"number":   7.0,
			"inner":    map[string]any{"text": "REDACTED"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}
