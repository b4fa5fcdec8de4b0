package forward_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	logspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logpb "go.opentelemetry.io/proto/otlp/logs/v1"
	metricpb "go.opentelemetry.io/proto/otlp/metrics/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	spanpb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/pullrun/pullrun/otel/forward"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

var worker = forward.Sender{Service: "pullrun-worker", Instance: "edge-1"}

// A collector is the other end of the wire.
type collector struct {
	*httptest.Server
	got chan post // it sends

	mu     sync.Mutex // guards answer
	answer func(http.ResponseWriter, *http.Request)
}

type post struct {
	path   string
	header http.Header
	body   []byte
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{got: make(chan post, 1000)}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		answer := c.answer
		c.mu.Unlock()
		if answer != nil {
			answer(w, r)
			return
		}
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		body, err := io.ReadAll(z)
		if err != nil {
			t.Error(err)
		}
		c.got <- post{r.URL.Path, r.Header, body}
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) answering(answer func(http.ResponseWriter, *http.Request)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = answer
}

func (c *collector) next(t *testing.T) post {
	t.Helper()
	select {
	case p := <-c.got:
		return p
	case <-time.After(patience):
		t.Fatal("nothing has arrived at the collector")
		panic("unreachable")
	}
}

// started runs a forwarder until stop is called, or the test ends.
func started(t *testing.T, queue int, log slog.Handler) (f *forward.Forwarder, stop func()) {
	t.Helper()
	f, err := forward.FromEnv(queue, slog.New(log))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{}) // closed when Run has returned
	go func() {
		defer close(ended)
		f.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(stop)
	return f, stop
}

// spans is an export request with a span of each name, which claims to come
// from somebody else.
func spans(t testing.TB, names ...string) []byte {
	t.Helper()
	var out []*spanpb.Span
	for _, name := range names {
		out = append(out, &spanpb.Span{Name: name})
	}
	return encoded(t, &tracepb.ExportTraceServiceRequest{ResourceSpans: []*spanpb.ResourceSpans{{
		Resource: claimed(), ScopeSpans: []*spanpb.ScopeSpans{{Spans: out}},
	}}})
}

func claimed() *resourcepb.Resource {
	return &resourcepb.Resource{Attributes: []*commonpb.KeyValue{
		text("service.name", "billing"), text("service.namespace", "shop"), text("service.instance.id", "b-1"), text("host.name", "h"),
	}}
}

func text(key, value string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}}
}

func encoded(t testing.TB, m proto.Message) []byte {
	t.Helper()
	raw, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func decoded[M any, P interface {
	*M
	proto.Message
}](t testing.TB, raw []byte) P {
	t.Helper()
	m := P(new(M))
	if err := proto.Unmarshal(raw, m); err != nil {
		t.Fatal(err)
	}
	return m
}

func attributes(r *resourcepb.Resource) string {
	var out []string
	for _, kv := range r.Attributes {
		out = append(out, kv.Key+"="+kv.Value.GetStringValue())
	}
	return strings.Join(out, " ")
}

func TestEverySignalArrivesAsItsSenders(t *testing.T) {
	c := newCollector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	t.Setenv("OTEL_METRICS_EXPORTER", "otlp")
	t.Setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", c.URL+"/elsewhere")
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20abc")
	f, _ := started(t, 0, slog.DiscardHandler)
	for _, tt := range []struct {
		signal   forward.Signal
		body     []byte
		path     string
		resource func([]byte) *resourcepb.Resource
	}{
		{forward.Traces, spans(t, "a"), "/v1/traces", func(raw []byte) *resourcepb.Resource {
			return decoded[tracepb.ExportTraceServiceRequest](t, raw).ResourceSpans[0].Resource
		}},
		{forward.Metrics, encoded(t, &metricspb.ExportMetricsServiceRequest{ResourceMetrics: []*metricpb.ResourceMetrics{{
			Resource: claimed(), ScopeMetrics: []*metricpb.ScopeMetrics{{Metrics: []*metricpb.Metric{{
				Name: "m", Data: &metricpb.Metric_Gauge{Gauge: &metricpb.Gauge{DataPoints: []*metricpb.NumberDataPoint{{}}}},
			}}}},
		}}}), "/v1/metrics", func(raw []byte) *resourcepb.Resource {
			return decoded[metricspb.ExportMetricsServiceRequest](t, raw).ResourceMetrics[0].Resource
		}},
		{forward.Logs, encoded(t, &logspb.ExportLogsServiceRequest{ResourceLogs: []*logpb.ResourceLogs{{
			Resource: claimed(), ScopeLogs: []*logpb.ScopeLogs{{LogRecords: []*logpb.LogRecord{{SeverityText: "info"}}}},
		}}}), "/elsewhere", func(raw []byte) *resourcepb.Resource {
			return decoded[logspb.ExportLogsServiceRequest](t, raw).ResourceLogs[0].Resource
		}},
	} {
		if rejected, err := f.Take(tt.signal, tt.body, worker); rejected != 0 || err != nil {
			t.Fatalf("Take(%s) = %d, %v", tt.signal, rejected, err)
		}
		p := c.next(t)
		if p.path != tt.path || p.header.Get("Authorization") != "Bearer abc" {
			t.Errorf("%s arrived at %s with %q, want %s", tt.signal, p.path, p.header.Get("Authorization"), tt.path)
		}
		want := "host.name=h service.name=pullrun-worker service.instance.id=edge-1"
		if got := attributes(tt.resource(p.body)); got != want {
			t.Errorf("%s arrived from %s, want %s", tt.signal, got, want)
		}
	}
}

func TestWhatHasNoResourceGetsOne(t *testing.T) {
	c := newCollector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	f, _ := started(t, 0, slog.DiscardHandler)
	body := encoded(t, &tracepb.ExportTraceServiceRequest{ResourceSpans: []*spanpb.ResourceSpans{{
		ScopeSpans: []*spanpb.ScopeSpans{{Spans: []*spanpb.Span{{Name: "a"}}}},
	}}})
	if _, err := f.Take(forward.Traces, body, worker); err != nil {
		t.Fatal(err)
	}
	got := attributes(decoded[tracepb.ExportTraceServiceRequest](t, c.next(t).body).ResourceSpans[0].Resource)
	if want := "service.name=pullrun-worker service.instance.id=edge-1"; got != want {
		t.Errorf("the resource is %s, want %s", got, want)
	}
}

func TestSignalsFollowTheEnvironment(t *testing.T) {
	for _, tt := range []struct {
		name string
		env  map[string]string
		want string
	}{
		{"nothing is forwarded where nothing is set", nil, ""},
		{"the address for all is for traces", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, "traces"},
		{"metrics and logs are asked for", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_METRICS_EXPORTER": "otlp", "OTEL_LOGS_EXPORTER": "otlp"}, "traces metrics logs"},
		{"an address of a signal's own is enough", map[string]string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c/x"}, "metrics"},
		{"who is scraped may forward", map[string]string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c/x", "OTEL_METRICS_EXPORTER": "prometheus"}, "metrics"},
		{"who is scraped does not forward unasked", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_METRICS_EXPORTER": "prometheus"}, "traces"},
		{"an exporter that is none is none", map[string]string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c/x", "OTEL_METRICS_EXPORTER": "none"}, ""},
		{"an exporter of another kind is no collector", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_EXPORTER": "console"}, ""},
		{"disabled is disabled", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "true"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name, value := range tt.env {
				t.Setenv(name, value)
			}
			f, _ := started(t, 0, slog.DiscardHandler)
			var got []string
			for _, s := range f.Signals() {
				got = append(got, string(s))
			}
			if got := strings.Join(got, " "); got != tt.want {
				t.Errorf("Signals() = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSettingsThatMakeNoSenseAreRefused(t *testing.T) {
	for name, env := range map[string][2]string{
		"an address without a scheme":   {"OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"},
		"an address with a password":    {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://u:hunter22@c"},
		"a certificate that is nowhere": {"OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere.pem"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c")
			t.Setenv(env[0], env[1])
			_, err := forward.FromEnv(0, slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), env[0]) || strings.Contains(err.Error(), "hunter22") {
				t.Errorf("FromEnv() = %v, want an error that names %s and no password", err, env[0])
			}
		})
	}
}

func TestWhatIsNoExportRequestIsRefused(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", newCollector(t).URL)
	f, _ := started(t, 0, slog.DiscardHandler)
	var invalid *forward.InvalidError
	if _, err := f.Take(forward.Traces, []byte("{}"), worker); !errors.As(err, &invalid) {
		t.Errorf("Take() = %v, want an InvalidError", err)
	}
	var not forward.NotForwardedError
	if _, err := f.Take(forward.Logs, nil, worker); !errors.As(err, &not) || not.Signal != forward.Logs {
		t.Errorf("Take() = %v, want a NotForwardedError", err)
	}
}

func TestAFullQueueDropsAndCounts(t *testing.T) {
	c := newCollector(t)
	held := make(chan struct{}, 1000) // the collector sends
	letGo := make(chan struct{})      // closed to let it answer
	c.answering(func(http.ResponseWriter, *http.Request) {
		held <- struct{}{}
		<-letGo
	})
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	one := spans(t, strings.Repeat("x", 1000), "second")
	f, stop := started(t, 4000, slog.DiscardHandler)
	if _, err := f.Take(forward.Traces, one, worker); err != nil {
		t.Fatal(err)
	}
	<-held // it has left the queue
	rejected := 0
	for range 10 {
		n, err := f.Take(forward.Traces, one, worker)
		if err != nil {
			t.Fatal(err)
		}
		rejected += n
	}
	if want := 2 * 7; rejected != want || f.Dropped(forward.Traces) != int64(want) {
		t.Errorf("of 10 requests with two spans, in a queue for 3, %d spans were rejected and %d counted, want %d", rejected, f.Dropped(forward.Traces), want)
	}
	close(letGo)
	stop()
}

func TestAnOutageIsWaitedOut(t *testing.T) {
	c := newCollector(t)
	refused := make(chan struct{}, 10)
	c.answering(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		refused <- struct{}{}
	})
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	var log lines
	f, _ := started(t, 0, slog.NewJSONHandler(&log, nil))
	if _, err := f.Take(forward.Traces, spans(t, "a"), worker); err != nil {
		t.Fatal(err)
	}
	<-refused
	c.answering(nil)
	if _, err := f.Take(forward.Traces, spans(t, "b"), worker); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a", "b"} {
		got := decoded[tracepb.ExportTraceServiceRequest](t, c.next(t).body).ResourceSpans[0].ScopeSpans[0].Spans[0].Name
		if got != want {
			t.Errorf("arrived: %q, want %q", got, want)
		}
	}
	if got := log.String(); strings.Count(got, `"level":"WARN"`) != 1 || strings.Count(got, `"level":"INFO"`) != 1 {
		t.Errorf("the log says\n%s\nwant one line for the outage and one for its end", got)
	}
}

func TestWhatTheCollectorRefusesIsNotSentAgain(t *testing.T) {
	c := newCollector(t)
	refused := make(chan struct{}, 10)
	c.answering(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		refused <- struct{}{}
	})
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	f, stop := started(t, 0, slog.DiscardHandler)
	if _, err := f.Take(forward.Traces, spans(t, "a", "b"), worker); err != nil {
		t.Fatal(err)
	}
	<-refused
	stop()
	if got := f.Dropped(forward.Traces); got != 2 || len(refused) > 0 {
		t.Errorf("dropped %d spans after %d more tries, want 2 after none", got, len(refused))
	}
}

// What one worker sends does not cost the others what they have sent with it.
func TestOneThatIsRefusedIsRefusedAlone(t *testing.T) {
	c := newCollector(t)
	var mu sync.Mutex
	var taken []string // guarded by mu
	c.answering(func(w http.ResponseWriter, r *http.Request) {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		body, err := io.ReadAll(z)
		if err != nil {
			t.Error(err)
		}
		if bytes.Contains(body, []byte("too old")) {
			http.Error(w, "out of bounds", http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for _, r := range decoded[tracepb.ExportTraceServiceRequest](t, body).ResourceSpans {
			taken = append(taken, r.ScopeSpans[0].Spans[0].Name)
		}
	})
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	var log lines
	f, err := forward.FromEnv(0, slog.New(slog.NewJSONHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"a", "too old", "b"} {
		if _, err := f.Take(forward.Traces, spans(t, name), forward.Sender{Instance: fmt.Sprint("edge-", i)}); err != nil {
			t.Fatal(err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	f.Run(ended)
	if dropped := f.Dropped(forward.Traces); dropped != 1 || !slices.Equal(taken, []string{"a", "b"}) {
		t.Errorf("the collector took %v and %d were dropped, want a and b, and one", taken, dropped)
	}
	if got := log.String(); !strings.Contains(got, `the collector answers 400: \"out of bounds\"`) || !strings.Contains(got, `"worker":"edge-1"`) {
		t.Errorf("the log does not say whose it was, and why:\n%s", got)
	}
}

func TestTheEndSendsWhatWaits(t *testing.T) {
	c := newCollector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	f, err := forward.FromEnv(0, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b", "c"} {
		if _, err := f.Take(forward.Traces, spans(t, name), worker); err != nil {
			t.Fatal(err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	f.Run(ended)
	// What waits is sent together.
	if got := decoded[tracepb.ExportTraceServiceRequest](t, c.next(t).body); len(got.ResourceSpans) != 3 {
		t.Errorf("arrived: %d resources, want 3", len(got.ResourceSpans))
	}
}

func TestTheEndDoesNotWaitForACollectorThatHangs(t *testing.T) {
	c := newCollector(t)
	held := make(chan struct{}, 10)
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	c.answering(func(http.ResponseWriter, *http.Request) {
		held <- struct{}{}
		<-done
	})
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	f, stop := started(t, 0, slog.DiscardHandler)
	if _, err := f.Take(forward.Traces, spans(t, "a"), worker); err != nil {
		t.Fatal(err)
	}
	<-held
	stopped := make(chan struct{})
	go func() {
		stop()
		close(stopped)
	}()
	select {
	case <-stopped:
	case <-time.After(patience):
		t.Fatal("Run goes on after its context has ended")
	}
	if got := f.Dropped(forward.Traces); got != 1 {
		t.Errorf("dropped %d spans, want 1", got)
	}
}

// lines is a log that may be written to and read concurrently.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// A few bytes that decode into many messages are refused before they are, and
// what an SDK sends at once is not.
func TestMessagesAreCounted(t *testing.T) {
	c := newCollector(t)
	for _, signal := range forward.Signals {
		t.Setenv("OTEL_EXPORTER_OTLP_"+strings.ToUpper(string(signal))+"_ENDPOINT", c.URL)
	}
	f, err := forward.FromEnv(0, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	in := func(content string, fields ...protowire.Number) []byte { // the innermost first
		raw := []byte(content)
		for _, n := range fields {
			raw = protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), raw)
		}
		return raw
	}
	const most = forward.MaxMessages
	empty := func(tag byte, n int) string { return strings.Repeat(string([]byte{tag<<3 | 2, 0}), n) }
	deep := ""
	for range 200 {
		deep = string(in(deep, 1, 5))
	}
	for _, tt := range []struct {
		name    string
		signal  forward.Signal
		body    []byte
		refused bool
	}{
		{"spans", forward.Traces, in(empty(2, most), 2, 1), true},
		{"spans, just enough", forward.Traces, in(empty(2, most-2), 2, 1), false},
		{"resources", forward.Traces, []byte(empty(1, most+1)), true},
		{"attributes of a span", forward.Traces, in(empty(9, most), 2, 2, 1), true},
		{"names of entities", forward.Traces, in(empty(3, most), 3, 1, 1), true},
		{"points", forward.Metrics, in(empty(1, most), 5, 2, 2, 1), true},
		{"log records", forward.Logs, in(empty(2, most), 2, 1), true},
		{"bytes that nobody knows", forward.Logs, in(empty(15, most), 2, 1), false},
		{"one long text", forward.Traces, in(strings.Repeat("x", 2*most), 5, 2, 2, 1), false},
		{"a value that is nested without end", forward.Logs, append(in(deep, 5, 2, 2, 1), in(strings.Repeat("x", 2*most), 3, 2, 2, 1)...), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := f.Take(tt.signal, tt.body, worker)
			if got := errors.Is(err, forward.ErrTooMany); got != tt.refused {
				t.Errorf("Take() of %d bytes = %v, want it refused: %t", len(tt.body), err, tt.refused)
			}
		})
	}
}
