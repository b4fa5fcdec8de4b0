package otel

import (
	"context"
	"fmt"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/pullrun/pullrun/otel/meter"
)

const (
	// batchDelay is how long a span waits for others. The SDK's 5 s would
	// lose a killed worker's last 5 s of spans.
	batchDelay = time.Second

	// valueLimit is the longest text in a span, in characters. The SDK's
	// default is no limit.
	valueLimit = 1024
)

// provider is the SDK's provider and the exporter that it feeds.
type provider struct {
	tracers  *sdktrace.TracerProvider
	exporter *exporter
}

func newProvider(ctx context.Context, kind exporterKind, opts Options, redactor *Redactor) (*provider, error) {
	res, err := newResource(ctx, opts, redactor)
	if err != nil {
		return nil, err
	}
	next, err := newExporter(ctx, kind, opts.Through)
	if err != nil {
		return nil, err
	}

	limits := sdktrace.NewSpanLimits()
	if limits.AttributeValueLengthLimit < 0 {
		limits.AttributeValueLengthLimit = valueLimit
	}
	room := queueSize(opts.Bursts)
	batching := []sdktrace.BatchSpanProcessorOption{sdktrace.WithMaxQueueSize(room)}
	if env("OTEL_BSP_SCHEDULE_DELAY") == "" {
		batching = append(batching, sdktrace.WithBatchTimeout(batchDelay))
	}
	dropped, err := meter.NewExports("traces")
	if err != nil {
		return nil, err
	}
	exp := guard(next, redactor, limits.AttributeValueLengthLimit, room, dropped)
	// No WithSampler: one that is set here switches OTEL_TRACES_SAMPLER off.
	return &provider{
		exporter: exp,
		tracers: sdktrace.NewTracerProvider(
			sdktrace.WithResource(res),
			sdktrace.WithRawSpanLimits(limits),
			sdktrace.WithIDGenerator(idGenerator{}),
			sdktrace.WithSpanProcessor(counted{sdktrace.NewBatchSpanProcessor(exp, batching...), exp}),
		),
	}, nil
}

// shutdown flushes within [FlushTimeout]. The SDK's own Shutdown returns in
// time as well, but leaves the export that it waited for running; so that is
// aborted.
func (p *provider) shutdown(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), FlushTimeout-abortTimeout)
	defer cancel()
	if ctx.Err() == nil {
		defer context.AfterFunc(ctx, cancel)()
	}
	err := p.tracers.Shutdown(bounded)
	p.exporter.abort()
	if err != nil {
		return fmt.Errorf("flush traces: %w", err)
	}
	return nil
}
