package otel

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/pullrun/pullrun/otel/meter"
)

// The specification's times.
const (
	pushEvery   = time.Minute
	pushTimeout = 30 * time.Second
)

// A pusher exports the figures that scrapes show as well, from the same reader,
// so that nothing is counted twice. Counters are therefore cumulative.
type pusher struct {
	reader     sdkmetric.Reader
	exporter   sdkmetric.Exporter
	complaints *complaints
	meter      *meter.ExportMeter
	every      time.Duration
	timeout    time.Duration

	once  sync.Once
	stop  context.CancelFunc
	ended chan struct{} // closed when run has returned
}

// startPushing exports until shutdown.
func startPushing(reader sdkmetric.Reader, exporter sdkmetric.Exporter, complaints *complaints) (*pusher, error) {
	dropped, err := meter.NewExports("metrics")
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &pusher{
		reader: reader, exporter: exporter, complaints: complaints, meter: dropped, stop: stop, ended: make(chan struct{}),
		every: milliseconds("OTEL_METRIC_EXPORT_INTERVAL", pushEvery), timeout: milliseconds("OTEL_METRIC_EXPORT_TIMEOUT", pushTimeout),
	}
	go p.run(ctx)
	return p, nil
}

// run begins anywhere in the first interval, so that the workers of a server
// that has been started again do not export in one breath.
func (p *pusher) run(ctx context.Context) {
	defer close(p.ended)
	wait := time.NewTimer(rand.N(p.every))
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
			wait.Reset(p.every)
		}
		within, cancel := context.WithTimeout(ctx, p.timeout)
		if err := p.push(within); err != nil && ctx.Err() == nil {
			p.complaints.Handle(err)
		}
		cancel()
	}
}

// push exports the figures of now. What cannot be read is left out.
func (p *pusher) push(ctx context.Context) error {
	var all metricdata.ResourceMetrics
	unread := p.reader.Collect(ctx, &all)
	err := p.exporter.Export(ctx, &all)
	if err != nil {
		for _, scope := range all.ScopeMetrics {
			p.meter.Dropped(len(scope.Metrics), meter.NotTaken)
		}
	}
	return errors.Join(unread, err)
}

// shutdown exports the last figures until ctx ends.
func (p *pusher) shutdown(ctx context.Context) (err error) {
	p.once.Do(func() {
		p.stop()
		<-p.ended
		err = errors.Join(p.push(ctx), p.exporter.Shutdown(ctx))
	})
	return err
}

// metricsFromEnv reads where the metrics go, besides to those who ask for them.
// Where it names no place for anything, and another is known, they go there.
func metricsFromEnv(elsewhere bool) (exporterKind, error) {
	if strings.EqualFold(env("OTEL_SDK_DISABLED"), "true") {
		return exporterNone, nil
	}
	switch kind := exporterKind(env("OTEL_METRICS_EXPORTER")); kind {
	case "":
		switch {
		case env("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT") != "":
		case elsewhere && env("OTEL_EXPORTER_OTLP_ENDPOINT") == "":
			return exporterThrough, checkHeaders("METRICS")
		default:
			return exporterNone, nil
		}
	case exporterNone, "prometheus": // which is always there
		return exporterNone, nil
	case exporterOTLP:
	default:
		return "", fmt.Errorf(`OTEL_METRICS_EXPORTER: unknown exporter %q; choose "otlp", "prometheus" or "none"`, kind)
	}
	return exporterOTLP, checkExport("METRICS")
}

func newMetricExporter(ctx context.Context, kind exporterKind, through *Through) (sdkmetric.Exporter, error) {
	if kind == exporterThrough {
		return otlpmetrichttp.New(ctx,
			otlpmetrichttp.WithEndpointURL(through.Endpoint+"/v1/metrics"),
			otlpmetrichttp.WithHTTPClient(through.Client),
			otlpmetrichttp.WithCompression(otlpmetrichttp.GzipCompression),
		)
	}
	var to []otlpmetrichttp.Option
	if _, endpoint := otlpEnv("METRICS", "ENDPOINT"); endpoint == "" {
		to = append(to, otlpmetrichttp.WithEndpointURL("http://localhost:4318/v1/metrics"))
	}
	return otlpmetrichttp.New(ctx, to...)
}

// milliseconds reads a variable that holds a time.
func milliseconds(name string, otherwise time.Duration) time.Duration {
	return time.Duration(positive(name, int(otherwise.Milliseconds()))) * time.Millisecond
}
