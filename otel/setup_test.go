package otel_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	otelapi "go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"github.com/pullrun/pullrun/otel"
	"github.com/pullrun/pullrun/otel/oteltest"
	"github.com/pullrun/pullrun/otel/span"
)

func TestTracingIsOffUntilTheEnvironmentAsks(t *testing.T) {
	for _, tt := range []struct {
		name string
		env  map[string]string // RECEIVER stands for the receiver's URL
		on   bool
	}{
		{name: "nothing is set"},
		{name: "an empty variable is unset", env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "", "OTEL_TRACES_EXPORTER": ""}},
		{name: "other variables ask for nothing", env: map[string]string{"OTEL_SERVICE_NAME": "x", "OTEL_EXPORTER_OTLP_HEADERS": "a=b"}},
		{name: "an endpoint asks", env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "RECEIVER"}, on: true},
		{name: "an endpoint for traces asks", env: map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "RECEIVER/v1/traces"}, on: true},
		{name: "the exporter none wins over an endpoint", env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "RECEIVER", "OTEL_TRACES_EXPORTER": "none"}},
		{name: "a disabled SDK wins over an endpoint", env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "RECEIVER", "OTEL_SDK_DISABLED": "true"}},
		{name: "a disabled SDK is written in any case", env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "RECEIVER", "OTEL_SDK_DISABLED": "TRUE"}},
		{name: "only true disables the SDK", env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "RECEIVER", "OTEL_SDK_DISABLED": "1"}, on: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := oteltest.NewReceiver(t)
			env := maps.Clone(tt.env)
			for name, value := range env {
				env[name] = strings.Replace(value, "RECEIVER", r.URL, 1)
			}
			var log lines
			shutdown := setup(t, otel.Options{Log: log.logger()}, env)

			_, s := tracer().Start(t.Context(), "one")
			if s.IsRecording() != tt.on {
				t.Errorf("IsRecording() = %v, want %v", s.IsRecording(), tt.on)
			}
			s.End()
			if err := shutdown(t.Context()); err != nil {
				t.Errorf("shutdown() = %v", err)
			}
			if got := len(r.Spans()); got != map[bool]int{true: 1}[tt.on] {
				t.Errorf("%d spans exported with tracing on = %v", got, tt.on)
			}
			if log.count() != 0 {
				t.Errorf("log lines where nothing went wrong:\n%s", &log)
			}
		})
	}
}

func TestSetupRefuses(t *testing.T) {
	for _, tt := range []struct {
		name     string
		env      map[string]string
		variable string
	}{
		{
			name:     "an unknown exporter",
			env:      map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"},
			variable: "OTEL_TRACES_EXPORTER",
		},
		{
			name:     "a protocol that is not built in",
			env:      map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
			variable: "OTEL_EXPORTER_OTLP_PROTOCOL",
		},
		{
			name:     "an endpoint without a scheme",
			env:      map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:4318"},
			variable: "OTEL_EXPORTER_OTLP_ENDPOINT",
		},
		{
			name:     "an endpoint that is no URL, without showing it",
			env:      map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://u:hunter2@host:port"},
			variable: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
		},
		{
			name:     "credentials in an endpoint, without showing them",
			env:      map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://u:hunter2@host:4318"},
			variable: "OTEL_EXPORTER_OTLP_HEADERS",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name, value := range tt.env {
				t.Setenv(name, value)
			}
			_, err := otel.Setup(t.Context(), otel.Options{Service: "svc"})
			if err == nil || !strings.Contains(err.Error(), tt.variable) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("Setup() = %v, want an error that names %s and no password", err, tt.variable)
			}
		})
	}
}

// Settings that make no sense, but for where to export to, are ignored, and named
// once without what they hold.
func TestNonsenseIsIgnored(t *testing.T) {
	for _, tt := range []struct {
		name  string
		value string
		with  string // another variable
	}{
		{"OTEL_TRACES_SAMPLER", "hunter2", ""},
		{"OTEL_TRACES_SAMPLER_ARG", "hunter2", "OTEL_TRACES_SAMPLER=traceidratio"},
		{"OTEL_TRACES_SAMPLER_ARG", "1.5", "OTEL_TRACES_SAMPLER=parentbased_traceidratio"},
		{"OTEL_RESOURCE_ATTRIBUTES", "hunter2", ""},
		{"OTEL_RESOURCE_ATTRIBUTES", "a=b,note=hunter2%zz", ""},
		{"OTEL_BSP_SCHEDULE_DELAY", "hunter2", ""},
		{"OTEL_BSP_SCHEDULE_DELAY", "-4711", ""},
		{"OTEL_BSP_MAX_QUEUE_SIZE", "hunter2", ""},
		{"OTEL_METRIC_EXPORT_INTERVAL", "hunter2", ""},
		{"OTEL_EXPORTER_OTLP_TIMEOUT", "hunter2", ""},
		{"OTEL_SPAN_EVENT_COUNT_LIMIT", "hunter2", ""},
	} {
		t.Run(tt.name+"="+tt.value, func(t *testing.T) {
			r := oteltest.NewReceiver(t)
			t.Setenv(tt.name, tt.value)
			if name, value, ok := strings.Cut(tt.with, "="); ok {
				t.Setenv(name, value)
			}
			var log lines
			m, err := otel.SetupMetrics(t.Context(), otel.Options{Log: log.logger()})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Shutdown(t.Context())
			shutdown := setup(t, otel.Options{Log: log.logger()}, towards(r))
			_, s := tracer().Start(t.Context(), "one")
			s.End()
			if err := shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			if len(r.Spans()) != 1 {
				t.Errorf("%d spans are exported, want one", len(r.Spans()))
			}
			if log.count() != 1 || !strings.Contains(log.String(), "setting="+tt.name+"\n") || strings.Contains(log.String(), tt.value) {
				t.Errorf("the log is\n%s\nwant one line that names %s and not its value", &log, tt.name)
			}
		})
	}
}

func TestPropagatorIsInstalledWithoutTracing(t *testing.T) {
	setup(t, otel.Options{}, nil)
	got := otelapi.GetTextMapPropagator().Fields()
	slices.Sort(got)
	if want := []string{"traceparent", "tracestate"}; !slices.Equal(got, want) {
		t.Errorf("the propagator's fields are %q, want %q", got, want)
	}
}

// The specification's default endpoint is plain http, the Go exporter's own
// is https.
func TestDefaultEndpoint(t *testing.T) {
	listener, err := net.Listen("tcp", "localhost:4318")
	if err != nil {
		t.Skipf("the port of collectors is taken: %v", err)
	}
	defer listener.Close()
	lines := make(chan string, 1)
	go func() {
		defer close(lines)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		line, _ := bufio.NewReader(conn).ReadString('\n') // a line that is cut short is not the one that is wanted
		lines <- strings.TrimSpace(line)
	}()
	shutdown := setup(t, otel.Options{}, map[string]string{"OTEL_TRACES_EXPORTER": "otlp"})
	_, s := tracer().Start(t.Context(), "one")
	s.End()
	if got, want := <-lines, "POST /v1/traces HTTP/1.1"; got != want {
		t.Errorf("the collector received %q, want %q", got, want)
	}
	if err := shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestConsole(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	stderr := os.Stderr
	os.Stderr = file
	t.Cleanup(func() { os.Stderr = stderr })

	shutdown := setup(t, otel.Options{}, map[string]string{"OTEL_TRACES_EXPORTER": "console"})
	_, s := tracer().Start(t.Context(), "on the console")
	s.End()
	if err := shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(file); err != nil || !strings.Contains(string(got), `"on the console"`) {
		t.Errorf("stderr = %q, %v, want the span", got, err)
	}
}

func TestResource(t *testing.T) {
	for _, tt := range []struct {
		name string
		env  map[string]string
		want map[string]string
	}{
		{
			name: "the program names itself",
			want: map[string]string{"service.name": "svc", "service.version": "v1.2.3", "telemetry.sdk.language": "go"},
		},
		{
			name: "OTEL_SERVICE_NAME wins",
			env:  map[string]string{"OTEL_SERVICE_NAME": "mine"},
			want: map[string]string{"service.name": "mine", "service.version": "v1.2.3"},
		},
		{
			name: "OTEL_RESOURCE_ATTRIBUTES wins",
			env:  map[string]string{"OTEL_RESOURCE_ATTRIBUTES": "service.name=mine,service.version=9,team=a%20b"},
			want: map[string]string{"service.name": "mine", "service.version": "9", "team": "a b"},
		},
		{
			name: "OTEL_SERVICE_NAME wins over OTEL_RESOURCE_ATTRIBUTES",
			env:  map[string]string{"OTEL_SERVICE_NAME": "mine", "OTEL_RESOURCE_ATTRIBUTES": "service.name=theirs"},
			want: map[string]string{"service.name": "mine"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := oteltest.NewReceiver(t)
			env := towards(r)
			maps.Copy(env, tt.env)
			shutdown := setup(t, otel.Options{Version: "v1.2.3"}, env)
			_, s := tracer().Start(t.Context(), "one")
			s.End()
			if err := shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := r.Spans()[0].Resource
			for key, want := range tt.want {
				if got[key] != want {
					t.Errorf("resource %s = %q, want %q", key, got[key], want)
				}
			}
			for _, key := range []string{"host.name", "service.instance.id"} {
				if got[key] == "" {
					t.Errorf("resource has no %s: %v", key, got)
				}
			}
		})
	}
}

// A worker that is killed has exported what ended a second before, while the
// spans above were still open.
func TestSpansLeaveWithoutAFlush(t *testing.T) {
	r := oteltest.NewReceiver(t)
	setup(t, otel.Options{}, towards(r))
	ctx, root := tracer().Start(t.Context(), "still open")
	defer root.End()
	ended := time.Now()
	_, s := tracer().Start(ctx, "ended")
	s.End()
	if _, err := r.WaitFor(t.Context(), oteltest.AtLeast(1)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(ended); took > 3*time.Second {
		t.Errorf("the span took %v to arrive, want about a second", took)
	}
}

func TestUnsampledParentIsHonoured(t *testing.T) {
	r := oteltest.NewReceiver(t)
	shutdown := setup(t, otel.Options{}, towards(r))
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	ctx := span.Carrier{TraceParent: parent}.Context(t.Context())
	ctx, s := tracer().Start(ctx, "not wanted")
	got := span.Inject(ctx)
	s.End()
	if err := shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(r.Spans()); n != 0 {
		t.Errorf("%d spans exported, want none", n)
	}
	if got.TraceID() != "0af7651916cd43dd8448eb211c80319c" || !strings.HasSuffix(got.TraceParent, "-00") {
		t.Errorf("passed on %q, want the same trace, not sampled", got.TraceParent)
	}
}

func TestSamplerFromTheEnvironment(t *testing.T) {
	r := oteltest.NewReceiver(t)
	env := towards(r)
	env["OTEL_TRACES_SAMPLER"] = "always_off"
	setup(t, otel.Options{}, env)
	if _, s := tracer().Start(t.Context(), "one"); s.IsRecording() {
		t.Error("IsRecording() = true with the sampler always_off")
	}
}

func TestComplaintsAreLimited(t *testing.T) {
	t.Setenv("OTEL_TRACES_EXPORTER", "console")
	synctest.Test(t, func(t *testing.T) {
		var log lines
		shutdown, err := otel.Setup(t.Context(), otel.Options{Log: log.logger()})
		if err != nil {
			t.Fatal(err)
		}
		complain := func(n int) {
			for range n {
				otelapi.Handle(errors.New("collector is down"))
			}
		}
		expect := func(when string, count int, last string) {
			t.Helper()
			if log.count() != count || !strings.HasSuffix(log.String(), last+"\n") {
				t.Errorf("%s: log is\n%swant %d lines, the last with %q", when, &log, count, last)
			}
		}
		complain(100)
		expect("at once", 1, `err="collector is down" count=1`)
		time.Sleep(59 * time.Second)
		complain(1)
		expect("within the minute", 1, "count=1")
		time.Sleep(time.Second)
		complain(1)
		expect("after a minute", 2, "count=101")
		complain(5)
		if err := shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		expect("at the end", 3, "count=5")
	})
}

// Headers that cannot be read are refused by the name of their variable, whatever
// is exported, and nobody says what they hold.
func TestMalformedHeadersAreRefusedUnseen(t *testing.T) {
	for _, headers := range []string{
		"x-api-key:hunter2-secret", "authorization=Bearer%zzhunter2-secret", "bad name=hunter2-secret", "a=b,hunter2-secret", "=hunter2-secret",
	} {
		for _, signal := range []string{"TRACES", "METRICS", "LOGS"} {
			for _, name := range []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_" + signal + "_HEADERS"} {
				t.Run(name+" of "+signal+"/"+headers, func(t *testing.T) {
					t.Setenv("OTEL_"+signal+"_EXPORTER", "otlp")
					t.Setenv(name, headers)
					var log lines
					opts := otel.Options{Service: "svc", Log: log.logger()}
					var err error
					said := stderrOf(t, func() {
						switch signal {
						case "TRACES":
							_, err = otel.Setup(t.Context(), opts)
						case "METRICS":
							_, err = otel.SetupMetrics(t.Context(), opts)
						case "LOGS":
							_, err = otel.SetupLogs(t.Context(), opts)
						}
					})
					if err == nil || !strings.Contains(err.Error(), name+": ") {
						t.Errorf("%s = %v, want it refused by its name", name, err)
					}
					if err == nil || strings.Contains(err.Error()+log.String()+said, "hunter2") {
						t.Errorf("the headers are shown: %v\n%s%s", err, &log, said)
					}
				})
			}
		}
	}
}

// stderrOf is what f writes to standard error, past every log.
func stderrOf(t *testing.T, f func()) string {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	stderr := os.Stderr
	os.Stderr = file
	defer func() { os.Stderr = stderr }()
	f()
	raw, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestNothingRecordsAfterShutdown(t *testing.T) {
	r := oteltest.NewReceiver(t)
	shutdown := setup(t, otel.Options{}, towards(r))
	if err := shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, s := tracer().Start(t.Context(), "late"); s.IsRecording() {
		t.Error("IsRecording() = true after shutdown")
	}
	if err := shutdown(t.Context()); err != nil {
		t.Errorf("second shutdown() = %v", err)
	}
}

func TestAWrittenSpanHasTheIDThatOthersKnow(t *testing.T) {
	r := oteltest.NewReceiver(t)
	shutdown := setup(t, otel.Options{}, towards(r))
	ctx, sent := span.Send(t.Context(), span.Run{Queue: "q"}, 1)
	sent()
	parent := span.Inject(ctx)
	lease := span.Lease(parent, 1)
	span.WriteLease(span.Stored{Parent: parent, Self: lease, Start: time.Unix(1, 0), End: time.Unix(2, 0)}, span.Run{Queue: "q"}, span.Attempt{Number: 1}, span.LeaseSettled)
	if err := shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := trace.SpanContextFromContext(lease.Context(context.Background())).SpanID().String()
	if got := r.Spans()[1].SpanID; got != want {
		t.Errorf("lease was written as %s, want %s", got, want)
	}
}
