package otel_test

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/attribute"

	"github.com/pullrun/pullrun/otel"
	"github.com/pullrun/pullrun/otel/oteltest"
	"github.com/pullrun/pullrun/otel/span"
)

// tenSpans is the tracing of one small run: ten spans of five attributes.
func tenSpans(ctx context.Context) {
	ctx, root := tracer().Start(ctx, "root")
	for range 9 {
		_, s := tracer().Start(ctx, "task")
		s.SetAttributes(
			attribute.String("cicd.pipeline.name", "greet"),
			attribute.String("cicd.pipeline.run.id", "0b7a2c1e-5f2f-4f0e-9a55-0d6f7d1f6a3b"),
			attribute.String("messaging.destination.name", "default"),
			attribute.Int("pullrun.attempt", 1),
			attribute.Bool("pullrun.synthetic", false),
		)
		s.End()
	}
	root.End()
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
