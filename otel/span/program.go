package span

import (
	"context"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Program says on the span of a chip which program it has run and how that ended,
// in the words of https://opentelemetry.io/docs/specs/semconv/cli/cli-spans/ and
// never with its arguments. A negative exit code is none: a signal ended it.
func Program(ctx context.Context, name string, exitCode int) {
	s := trace.SpanFromContext(ctx)
	if !s.IsRecording() {
		return
	}
	s.SetAttributes(semconv.ProcessExecutableName(name))
	if exitCode >= 0 {
		s.SetAttributes(semconv.ProcessExitCode(exitCode))
	}
}
