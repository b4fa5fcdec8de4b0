package span_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"

	"github.com/pullrun/pullrun/otel/oteltest"
	"github.com/pullrun/pullrun/otel/span"
)

var update = flag.Bool("update", false, "write testdata/spans.golden")

// story traces a run whose first worker dies and whose second fails, as
// client, server and workers do it.
func story(ctx context.Context) {
	second := span.Attempt{Number: 2, Worker: "w-2"}
	failure := span.Outcome{Result: span.Failure, Type: "http_status", Message: "status 503"}

	// The client's call, and the server that accepts it.
	ctx, submit := span.Submit(ctx, run)
	request := span.Inject(ctx)
	accepted := time.Now()
	sendCtx, sent := span.Send(ctx, run, 42)
	send := span.Inject(sendCtx)
	sent()

	// The first worker has exported a task when it dies. Its process span
	// never ends, so the server writes it.
	queued, delivered := time.Now(), time.Now()
	processCtx, _ := new(span.Keep).Process(context.Background(), send, run, first)
	_, task := span.Task(processCtx, span.TaskInfo{Name: "fetch", Kind: "chip", ID: "greet/0"})
	span.EndTask(task, span.Outcome{Result: span.Success})
	died := span.Inject(processCtx)
	expired := time.Now()
	span.WriteQueue(span.Stored{Parent: send, Start: queued, End: delivered}, run, first)
	span.WriteLease(span.Stored{Parent: send, Self: span.Lease(send, 1), Start: delivered, End: expired}, run, first, span.LeaseExpired)
	span.WriteTombstone(span.Stored{Parent: send, Self: died, Start: delivered, End: expired}, run, first, span.LeaseExpired,
		func() span.Last { return span.Last{Task: "steps > rounds 3/5", At: time.Unix(1_800_000_000, 0)} })

	// The second one runs it to a failure.
	lease, redelivered := span.Lease(send, 2), time.Now()
	processCtx, process := new(span.Keep).Process(context.Background(), send, run, second, lease, died)
	span.CancelRequested(process)
	loopCtx, loop := span.Task(processCtx, span.TaskInfo{Kind: "loop", ID: "greet/1"})
	loop.SetAttributes(span.LoopIterationsKey.Int(20_000), span.SpansDroppedKey.Int(19_975))
	_, chip := span.Chip(loopCtx, "http.get")
	span.Fail(chip, errors.New("status 503"), "http_status")
	chip.End()
	span.EndTask(loop, failure)
	settleCtx, settle := span.Settle(processCtx, run, second)
	span.AddSend(settleCtx)
	settle.SetAttributes(span.PostAttemptsKey.Int(span.Sends(settleCtx)))
	settle.End()
	span.EndRun(process, failure)

	settled := time.Now()
	span.WriteQueue(span.Stored{Parent: send, Start: expired, End: redelivered}, run, second)
	span.WriteLease(span.Stored{Parent: send, Self: lease, Start: redelivered, End: settled}, run, second, span.LeaseSettled)
	span.WriteRun(span.Stored{Parent: request, Start: accepted, End: settled}, run, span.Whole{Submitter: "ci", Attempts: 2, Outcome: failure})
	submit.End()
}

// Names, kinds and attributes are what dashboards and alerts are made of:
// they change on purpose, with -update, or not at all.
func TestGolden(t *testing.T) {
	finish := oteltest.Record(t, "svc")
	story(t.Context())
	spans := finish()
	if err := oteltest.Check(spans); err != nil {
		t.Errorf("the trace is not whole: %v", err)
	}

	var b strings.Builder
	names := make(map[string]string)
	for _, s := range spans {
		names[s.SpanID] = fmt.Sprintf("%s #%s", s.Name, s.Attributes["pullrun.attempt"])
	}
	slices.SortStableFunc(spans, func(a, b oteltest.Span) int {
		return strings.Compare(names[a.SpanID], names[b.SpanID])
	})
	for _, s := range spans {
		fmt.Fprintf(&b, "%s (%s)", s.Name, s.Kind)
		if s.Status != "" {
			fmt.Fprintf(&b, " %s %q", s.Status, s.Message)
		}
		b.WriteByte('\n')
		describe(&b, "  ", s.Attributes)
		for _, e := range s.Events {
			fmt.Fprintf(&b, "  event %s\n", e.Name)
			describe(&b, "    ", e.Attributes)
		}
		for _, l := range s.Links {
			fmt.Fprintf(&b, "  link to %s\n", names[l.SpanID])
		}
	}
	const file = "testdata/spans.golden"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func describe(b *strings.Builder, indent string, attrs map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(attrs)) {
		fmt.Fprintf(b, "%s%s = %s\n", indent, key, attrs[key])
	}
}

func TestTreeOfARun(t *testing.T) {
	finish := oteltest.Record(t, "svc")
	story(t.Context())
	oteltest.AssertTree(t, finish(), `
		submit greet (internal, svc)
		  RUN greet (server, svc) error=http_status
		  send default (producer, svc)
		    queue default (internal, svc)
		    lease default (internal, svc) error=lease_expired
		    process default (consumer, svc) error=lease_expired
		      task fetch (internal, svc)
		    queue default (internal, svc)
		    lease default (internal, svc)
		    process default (consumer, svc) error=http_status
		      task loop (internal, svc) error=http_status
		        chip http.get (internal, svc) error=http_status
		      settle default (client, svc)
	`)
}

func TestNamesDoNotGrowWithUse(t *testing.T) {
	finish := oteltest.Record(t, "svc")
	for i := range 2 {
		r := span.Run{Cookie: fmt.Sprint("cookie-", i), Pipeline: "p", Queue: "q"}
		a := span.Attempt{Number: i, Worker: fmt.Sprint("worker-", i)}
		parent := span.Carrier{TraceParent: sampled}
		_, sent := span.Send(t.Context(), r, i)
		sent()
		for _, open := range []func() (context.Context, trace.Span){
			func() (context.Context, trace.Span) { return span.Submit(t.Context(), r) },
			func() (context.Context, trace.Span) { return new(span.Keep).Process(t.Context(), parent, r, a) },
			func() (context.Context, trace.Span) { return span.Settle(t.Context(), r, a) },
			func() (context.Context, trace.Span) { return span.Chip(t.Context(), "k") },
			func() (context.Context, trace.Span) {
				return span.Task(t.Context(), span.TaskInfo{Name: "n", ID: fmt.Sprint(i)})
			},
		} {
			_, s := open()
			s.End()
		}
		w := span.Stored{Parent: parent, Start: time.Unix(1, 0), End: time.Unix(2, 0)}
		span.WriteRun(w, r, span.Whole{Attempts: i, Outcome: span.Outcome{Result: span.Success}})
		span.WriteQueue(w, r, a)
		span.WriteLease(w, r, a, span.LeaseReleased)
	}
	names := make(map[string]int)
	for _, s := range finish() {
		names[s.Name]++
	}
	for name, n := range names {
		if n != 2 {
			t.Errorf("%q is the name of %d spans, want 2", name, n)
		}
	}
	if len(names) != 9 {
		t.Errorf("%d names, want 9: %v", len(names), names)
	}
}
