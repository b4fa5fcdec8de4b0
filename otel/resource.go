package otel

import (
	"context"
	"fmt"
	"sync"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// instance names this process in its traces, metrics and logs alike.
var instance = sync.OnceValue(uuid.NewString)

// newResource says who exports. The order is the precedence, the last wins:
// WithService brings an id of its own at each call, and a service.name made of
// the executable's, so ours comes after it, and the environment after ours.
func newResource(ctx context.Context, opts Options, redactor *Redactor) (*resource.Resource, error) {
	ours := []attribute.KeyValue{semconv.ServiceInstanceID(instance())}
	if opts.Service != "" {
		ours = append(ours, semconv.ServiceName(opts.Service))
	}
	if opts.Version != "" {
		ours = append(ours, semconv.ServiceVersion(opts.Version))
	}
	res, err := resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithHost(),
		resource.WithService(),
		resource.WithAttributes(ours...),
		resource.WithFromEnv(),
	)
	if err != nil {
		return nil, fmt.Errorf("describe this process: %w", err)
	}
	return resource.NewWithAttributes(res.SchemaURL(), redactor.attributes(res.Attributes(), valueLimit)...), nil
}
