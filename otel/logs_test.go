package otel_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	logspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/pullrun/pullrun/otel"
)

// A logReceiver is a collector that takes logs.
type logReceiver struct {
	*httptest.Server
	mu sync.Mutex
	// Guarded by mu.
	lines []string // severity, body, attributes and ids of each
	raw   []byte
}

func newLogReceiver(t *testing.T) *logReceiver {
	r := &logReceiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var body io.Reader = req.Body
		if req.Header.Get("Content-Encoding") == "gzip" {
			zip, err := gzip.NewReader(req.Body)
			if err != nil {
				t.Error(err)
				return
			}
			body = zip
		}
		raw, err := io.ReadAll(body)
		var in logspb.ExportLogsServiceRequest
		if err == nil {
			err = proto.Unmarshal(raw, &in)
		}
		if err != nil || req.URL.Path != "/v1/logs" {
			t.Errorf("%s: %v", req.URL.Path, err)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.raw = append(r.raw, raw...)
		for _, resource := range in.ResourceLogs {
			for _, scope := range resource.ScopeLogs {
				for _, l := range scope.LogRecords {
					line := l.SeverityText + " " + l.Body.GetStringValue()
					for _, a := range l.Attributes {
						line += fmt.Sprintf(" %s=%s", a.Key, a.Value.GetStringValue())
						for _, member := range a.Value.GetKvlistValue().GetValues() {
							line += fmt.Sprintf("(%s=%s)", member.Key, member.Value.GetStringValue())
						}
					}
					if len(l.TraceId) > 0 {
						line += fmt.Sprintf(" in %x/%x", l.TraceId, l.SpanId)
					}
					r.lines = append(r.lines, line)
				}
			}
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *logReceiver) got() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, "\n")
}

// The log is exported when that is asked for: what its level lets through, with
// the ids of its spans and without secrets.
type word string // a kind of text other than string

func TestTheLogIsExported(t *testing.T) {
	r := newLogReceiver(t)
	t.Setenv("OTEL_LOGS_EXPORTER", "otlp")
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", r.URL)
	redactor := &otel.Redactor{}
	redactor.Register("planted-secret")
	logs, err := otel.SetupLogs(t.Context(), otel.Options{Service: "test", Redactor: redactor})
	if err != nil {
		t.Fatal(err)
	}
	level := new(slog.LevelVar)
	log := slog.New(redactor.LogHandler(logs.Handler(level))).With("component", "test")
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	ctx := trace.ContextWithSpanContext(t.Context(), sc)
	log.InfoContext(ctx, "run ended", "cookie", "c", "rc", word("OK"), "took", 1500*time.Millisecond, "err", fmt.Errorf("planted-secret is wrong"),
		"addr", netip.MustParseAddr("::1"), "by", (*net.IPNet)(nil), slog.Group("text", "from", word("a"), "to", time.Second))
	log.Debug("not told")
	level.Set(slog.LevelDebug)
	log.Debug("told")
	if err := logs.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := "INFO run ended component=test cookie=c rc=OK took=1.5s err=REDACTED is wrong addr=::1 by=<nil> text=(from=a)(to=1s) in " + sc.TraceID().String() + "/" + sc.SpanID().String() + "\nDEBUG told component=test"
	if got := r.got(); got != want {
		t.Errorf("exported\n%s\nwant\n%s", got, want)
	}
	if bytes.Contains(r.raw, []byte("planted-secret")) {
		t.Error("a secret was exported")
	}
	log.Info("too late") // and does no harm
	if err := logs.Shutdown(t.Context()); err != nil {
		t.Errorf("the second Shutdown() = %v", err)
	}
}

// A log whose place becomes known later is exported from then on, also by the
// loggers that there were before, and where the environment says nothing against
// it.
func TestTheLogIsExportedLater(t *testing.T) {
	for _, tt := range []struct {
		name string
		env  map[string]string
		want string
	}{
		{name: "nothing is said", want: "INFO after component=test"},
		{name: "none is wanted", env: map[string]string{"OTEL_LOGS_EXPORTER": "none"}},
		{name: "there is a collector, which is not asked to take logs", env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}},
		{name: "all is disabled", env: map[string]string{"OTEL_SDK_DISABLED": "true"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name, value := range tt.env {
				t.Setenv(name, value)
			}
			r := newLogReceiver(t)
			logs, err := otel.SetupLogs(t.Context(), otel.Options{Service: "test", Later: true})
			if err != nil {
				t.Fatal(err)
			}
			log := slog.New(slog.DiscardHandler)
			if logs != nil {
				log = slog.New(logs.Handler(slog.LevelInfo)).With("component", "test")
				if log.Enabled(t.Context(), slog.LevelError) {
					t.Error("records are made before there is a place for them")
				}
			}
			log.Info("before")
			through := otel.Through{Endpoint: r.URL, Client: http.DefaultClient}
			for i, want := range []bool{tt.want != "", false} {
				if got, err := logs.ExportThrough(t.Context(), through); err != nil || got != want {
					t.Errorf("call %d of ExportThrough = %t, %v, want %t", i+1, got, err, want)
				}
			}
			log.Info("after")
			if logs != nil {
				if err := logs.Shutdown(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if got := r.got(); got != tt.want {
				t.Errorf("exported %q, want %q", got, tt.want)
			}
		})
	}
}

// A collector that does not answer holds nothing up: not the log, and not the
// end for longer than its bound.
func TestACollectorOfLogsThatHangs(t *testing.T) {
	held := make(chan struct{})
	hang := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-held:
		case <-r.Context().Done():
		}
	}))
	defer hang.Close()
	defer close(held)
	t.Setenv("OTEL_LOGS_EXPORTER", "otlp")
	t.Setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", hang.URL+"/v1/logs")
	logs, err := otel.SetupLogs(t.Context(), otel.Options{Service: "test"})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(logs.Handler(slog.LevelInfo))
	for i := range 50_000 {
		log.Info("line", "count", i)
	}
	ended := make(chan error, 1)
	go func() { ended <- logs.Shutdown(context.Background()) }()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("Shutdown() = nil, though nothing was exported")
		}
	case <-time.After(30 * time.Second):
		t.Fatal("Shutdown() does not return")
	}
}

// Nothing is exported that was not asked for, and what is asked for wrongly is
// refused.
func TestWhatOfTheLogIsAskedFor(t *testing.T) {
	for _, tt := range []struct {
		name     string
		exporter string
		more     [2]string
		on       bool
		err      string
	}{
		{name: "nothing, by default", more: [2]string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"}},
		{name: "nothing", exporter: "none"},
		{name: "OTLP", exporter: "otlp", on: true},
		{name: "not where all is disabled", exporter: "otlp", more: [2]string{"OTEL_SDK_DISABLED", "true"}},
		{name: "an unknown exporter", exporter: "console", err: `OTEL_LOGS_EXPORTER: unknown exporter "console"`},
		{name: "a protocol that is not built in", exporter: "otlp", more: [2]string{"OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "grpc"}, err: "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL"},
		{name: "an endpoint that is none", exporter: "otlp", more: [2]string{"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "c:4318"}, err: "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("OTEL_LOGS_EXPORTER", tt.exporter)
			if tt.more[0] != "" {
				t.Setenv(tt.more[0], tt.more[1])
			}
			logs, err := otel.SetupLogs(t.Context(), otel.Options{})
			if (logs != nil) != tt.on || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("SetupLogs() = %v, %v, want on %v and %q", logs != nil, err, tt.on, tt.err)
			}
			if logs != nil {
				if err := logs.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
