package otel

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
)

// Check sends an export without a span where OTEL_* says, and returns where that
// is: "" when nothing is exported, or nothing over the network. It tries again
// what may be tried again, until ctx ends.
func Check(ctx context.Context) (collector string, err error) {
	kind, err := exporterFromEnv(false)
	if err != nil || kind != exporterOTLP {
		return "", err
	}
	if _, collector = otlpEnv("TRACES", "ENDPOINT"); collector == "" {
		collector = defaultEndpoint
	}
	collector = redactURLs(collector)
	client := otlptracehttp.NewClient(endpointOptions()...)
	if err := client.Start(ctx); err != nil {
		return collector, fmt.Errorf("set up the exporter: %w", err)
	}
	if err := client.UploadTraces(ctx, nil); err != nil {
		return collector, err
	}
	return collector, client.Stop(ctx)
}
