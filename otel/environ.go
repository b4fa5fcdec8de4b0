package otel

import (
	"context"

	"github.com/pullrun/pullrun/otel/span"
)

// Environ returns the environment variables that tell a child process which
// span it belongs to, TRACEPARENT and, where the trace has one, TRACESTATE; none
// where there is no span in ctx. Baggage never goes out.
func Environ(ctx context.Context) []string {
	var env []string
	c := span.Inject(ctx)
	if c.TraceParent != "" {
		env = append(env, "TRACEPARENT="+c.TraceParent)
	}
	if c.TraceState != "" {
		env = append(env, "TRACESTATE="+c.TraceState)
	}
	return env
}
