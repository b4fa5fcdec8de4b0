package otel_test

import (
	"context"
	"testing"
	"time"

	"github.com/pullrun/pullrun/otel"
	"github.com/pullrun/pullrun/otel/oteltest"
	"github.com/pullrun/pullrun/otel/span"
)

// tenSpans is the tracing of one small run, on the server and the worker: ten
// spans, with the attributes that they have.
func tenSpans(ctx context.Context) {
	run := span.Run{Cookie: "0b7a2c1e-5f2f-4f0e-9a55-0d6f7d1f6a3b", Pipeline: "greet", Queue: "default"}
	attempt := span.Attempt{Number: 1, Worker: "w-1"}
	done := span.Outcome{Result: span.Success}

	sendCtx, sent := span.Send(ctx, run, 42)
	send := span.Inject(sendCtx).OrNew() // as the server does it
	began := time.Now()
	sent()

	processCtx, process := new(span.Keep).Process(context.Background(), send, run, attempt, span.Lease(send, 1))
	for _, name := range []string{"fetch", "summarise", "answer"} {
		taskCtx, task := span.Task(processCtx, span.TaskInfo{Name: name, Kind: "chip", ID: "greet/1"})
		if name == "fetch" {
			_, chip := span.Chip(taskCtx, "http.get")
			chip.End()
		}
		span.EndTask(task, done)
	}
	_, settle := span.Settle(processCtx, run, attempt)
	settle.End()
	span.EndRun(process, done)

	ended := time.Now()
	span.WriteQueue(span.Stored{Parent: send, Start: began, End: ended}, run, attempt)
	span.WriteLease(span.Stored{Parent: send, Self: span.Lease(send, 1), Start: began, End: ended}, run, attempt, span.LeaseSettled)
	span.WriteRun(span.Stored{Parent: send, Start: began, End: ended}, run, span.Whole{Attempts: 1, Outcome: done})
}

func BenchmarkTenSpans(b *testing.B) {
	quiet := span.Carrier{TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"}.Context(b.Context())
	for _, bb := range []struct {
		name string
		on   bool
		ctx  context.Context
	}{
		{name: "off", ctx: b.Context()},
		{name: "unsampled", on: true, ctx: quiet},
		{name: "on", on: true, ctx: b.Context()},
	} {
		b.Run(bb.name, func(b *testing.B) {
			env := map[string]string{}
			if bb.on {
				env = towards(oteltest.NewReceiver(b))
			}
			shutdown := setup(b, otel.Options{}, env)
			b.ReportAllocs()
			for b.Loop() {
				tenSpans(bb.ctx)
			}
			b.StopTimer()
			if err := shutdown(b.Context()); err != nil {
				b.Error(err)
			}
		})
	}
}

func BenchmarkRedactor(b *testing.B) {
	var r otel.Redactor
	for _, secret := range []string{"a-worker-token", "a-collector-key", "a-chip-password"} {
		r.Register(secret)
	}
	for _, bb := range []struct {
		name, text string
	}{
		{"a name", "process default"},
		{"a URL", "https://api.example.com/v1/items?token=abc&page=2"},
		{"an error", `Get "https://api.example.com/v1/items?token=abc": dial tcp: lookup api.example.com: no such host`},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.String(bb.text)
			}
		})
	}
}
