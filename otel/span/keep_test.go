package span_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	global "go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/pullrun/pullrun/otel"
	"github.com/pullrun/pullrun/otel/oteltest"
	"github.com/pullrun/pullrun/otel/span"
)

var done = span.Outcome{Result: span.Success}

func process(t *testing.T, k *span.Keep) (context.Context, trace.Span) {
	return k.Process(t.Context(), span.Carrier{TraceParent: sampled}, run, first)
}

func task(ctx context.Context, name string) (context.Context, trace.Span) {
	return span.Task(ctx, span.TaskInfo{Name: name, Kind: "tasks"})
}

func spanNames(all []oteltest.Span) []string {
	var out []string
	for _, s := range all {
		out = append(out, s.Name)
	}
	slices.Sort(out)
	return out
}

// A worker that is killed inside a task set leaves nothing without its parent,
// its own process span apart, in whose place the server writes one.
func TestASpanIsKeptUntilAllAboveItHaveEnded(t *testing.T) {
	get := func(t *testing.T, ctx context.Context) {
		t.Helper()
		server := httptest.NewServer(http.NotFoundHandler())
		defer server.Close()
		client := http.Client{Transport: otel.Transport(server.Client().Transport)}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	for _, tt := range []struct {
		name  string
		tasks func(t *testing.T, ctx context.Context)
		want  []string
	}{
		{name: "a task below the process span leaves at once", want: []string{"task first"},
			tasks: func(t *testing.T, ctx context.Context) {
				_, s := task(ctx, "first")
				span.EndTask(s, done)
			}},
		{name: "one below a task that goes on does not", want: []string{"task first"},
			tasks: func(t *testing.T, ctx context.Context) {
				_, s := task(ctx, "first")
				span.EndTask(s, done)
				steps, _ := task(ctx, "steps")
				for range 3 {
					_, s := task(steps, "say")
					span.EndTask(s, done)
				}
			}},
		{name: "nor does one whose parent alone has ended",
			tasks: func(t *testing.T, ctx context.Context) {
				steps, _ := task(ctx, "steps")
				inner, s := task(steps, "inner")
				_, c := span.Chip(inner, "http.get")
				c.End()
				span.EndTask(s, done)
			}},
		{name: "nor does a request",
			tasks: func(t *testing.T, ctx context.Context) {
				steps, _ := task(ctx, "steps")
				chip, c := span.Chip(steps, "http.get")
				get(t, chip)
				c.End()
			}},
		{name: "all leave with the outermost", want: []string{"GET", "chip http.get", "task inner", "task steps"},
			tasks: func(t *testing.T, ctx context.Context) {
				steps, outer := task(ctx, "steps")
				inner, s := task(steps, "inner")
				chip, c := span.Chip(inner, "http.get")
				get(t, chip)
				c.End()
				span.EndTask(s, done)
				span.EndTask(outer, done)
			}},
		{name: "what goes on when the outermost has ended leaves when it ends", want: []string{"task background", "task steps"},
			tasks: func(t *testing.T, ctx context.Context) {
				steps, outer := task(ctx, "steps")
				background, s := task(steps, "background")
				span.EndTask(outer, done)
				_, _ = task(background, "never ends")
				span.EndTask(s, done)
			}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			finish := oteltest.Record(t, "svc")
			ctx, _ := process(t, new(span.Keep))
			tt.tasks(t, ctx)
			all := finish()
			if got := spanNames(all); !slices.Equal(got, tt.want) {
				t.Errorf("exported %q, want %q", got, tt.want)
			}
		})
	}
}

// What is kept says of itself when it was.
func TestAKeptSpanHasItsOwnTimes(t *testing.T) {
	finish := oteltest.Record(t, "svc")
	ctx, p := process(t, new(span.Keep))
	steps, outer := task(ctx, "steps")
	_, inner := task(steps, "inner")
	before := time.Now()
	span.EndTask(inner, done)
	after := time.Now()
	if inner.IsRecording() {
		t.Error("a span that has ended is recording")
	}
	span.EndTask(inner, done) // changes nothing
	span.EndTask(outer, done)
	span.EndRun(p, done)
	all := finish()
	if err := oteltest.Check(all, sampled[36:52]); err != nil || len(all) != 3 {
		t.Fatalf("%v:\n%s", err, oteltest.Tree(all))
	}
	for _, s := range all {
		if s.Name == "task inner" && (s.End.Before(before.Add(-time.Microsecond)) || s.End.After(after)) {
			t.Errorf("ends at %v, want between %v and %v", s.End, before, after)
		}
	}
}

// Beyond its room a process begins nothing below process spans, and so tears
// nothing; the room comes back when spans leave, or when nobody waits for them.
// recording has spans recorded which go nowhere.
func recording(t *testing.T) {
	before := global.GetTracerProvider()
	global.SetTracerProvider(sdktrace.NewTracerProvider())
	t.Cleanup(func() { global.SetTracerProvider(before) })
}

func TestAKeepIsBounded(t *testing.T) {
	fill := func(t *testing.T, ctx context.Context) (all []trace.Span) {
		t.Helper()
		ctx, outer := task(ctx, "outer")
		for range span.MostKept - 1 {
			_, s := task(ctx, "inner")
			span.EndTask(s, done)
		}
		all = append(all, outer)
		inner, s := task(ctx, "too many")
		if _, below := task(inner, "below"); s.IsRecording() || below.IsRecording() {
			t.Fatal("there is room for more than there may be")
		}
		return all
	}
	for _, tt := range []struct {
		name string
		free func(ctx context.Context, process, outer trace.Span)
	}{
		{"when the outermost has ended", func(_ context.Context, _, outer trace.Span) { span.EndTask(outer, done) }},
		{"when the process span has", func(_ context.Context, process, _ trace.Span) { span.EndRun(process, done) }},
		{"when its run is abandoned", func(ctx context.Context, _, _ trace.Span) { span.Abandon(ctx) }},
		{"once", func(ctx context.Context, process, outer trace.Span) {
			span.Abandon(ctx)
			span.EndTask(outer, done)
			span.EndRun(process, done)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			recording(t)
			var k span.Keep
			ctx, p := process(t, &k)
			outer := fill(t, ctx)[0]
			other, _ := process(t, &k)
			if _, s := task(other, "another run's"); s.IsRecording() {
				t.Error("another run has room of its own")
			}
			tt.free(ctx, p, outer)
			fill(t, other)
		})
	}
}

// A request that has no span for want of room is counted.
func TestRefusedRequestsAreCounted(t *testing.T) {
	finish := oteltest.Record(t, "svc")
	defer finish()
	ctx, p := process(t, new(span.Keep))
	ctx, _ = task(ctx, "outer")
	for range span.MostKept + 4 {
		_, s := trace.SpanFromContext(ctx).TracerProvider().Tracer("test").Start(ctx, "GET")
		s.End()
	}
	if n := span.Refused(p); n != 5 {
		t.Errorf("Refused() = %d, want 5", n)
	}
	if n := span.Refused(trace.SpanFromContext(t.Context())); n != 0 {
		t.Errorf("Refused() of another span = %d, want 0", n)
	}
}

// As many as may be kept can leave at once without being dropped.
func TestAllThatIsKeptMayLeaveAtOnce(t *testing.T) {
	r := oteltest.NewReceiver(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", r.URL)
	shutdown, err := otel.Setup(t.Context(), otel.Options{Service: "svc", Bursts: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = shutdown(t.Context()) }()
	var k span.Keep
	var outers []trace.Span
	for run := range 4 {
		ctx, _ := process(t, &k)
		ctx, outer := task(ctx, fmt.Sprint("outer ", run))
		for range span.MostKept/4 - 1 {
			_, s := task(ctx, "inner")
			span.EndTask(s, done)
		}
		outers = append(outers, outer)
	}
	r.Hang() // so that it all has to wait
	for _, outer := range outers {
		span.EndTask(outer, done)
	}
	r.Accept()
	if err := shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := len(r.Spans()); got != span.MostKept {
		t.Errorf("%d spans arrived, want %d", got, span.MostKept)
	}
}
