package span

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// A ModelCall is what the answer of a language model says of the call.
type ModelCall struct {
	Operation, Provider, Model string
	Input, Output              int // tokens
}

// Model says on the span of a chip what a language model has read and written, in
// the words of https://opentelemetry.io/docs/specs/semconv/gen-ai/ and never with
// what was said. Of several calls the last is shown.
func Model(ctx context.Context, c ModelCall) {
	s := trace.SpanFromContext(ctx)
	if !s.IsRecording() {
		return
	}
	s.SetAttributes(
		attribute.String("gen_ai.operation.name", c.Operation),
		attribute.String("gen_ai.provider.name", c.Provider),
		attribute.String("gen_ai.response.model", c.Model),
		attribute.Int("gen_ai.usage.input_tokens", c.Input),
		attribute.Int("gen_ai.usage.output_tokens", c.Output),
	)
}
