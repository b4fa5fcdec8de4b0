package otel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelapi "go.opentelemetry.io/otel"
	prometheusexporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// scrapesAtOnce bounds how many scrapes are answered side by side.
const scrapesAtOnce = 4

// Metrics are the metrics of a process, for Prometheus or whatever reads its
// text form. They need no collector and no setting. The instruments are in
// package meter.
type Metrics struct {
	provider *sdkmetric.MeterProvider
	handler  http.Handler
}

// SetupMetrics installs the meter provider of the OpenTelemetry API, which is
// the process's own: it is called once, by main. It exports nothing by itself:
// figures are read when [Metrics.ServeHTTP] is asked for them.
func SetupMetrics(ctx context.Context, opts Options) (*Metrics, error) {
	redactor := opts.Redactor
	if redactor == nil {
		redactor = new(Redactor)
	}
	res, err := newResource(ctx, opts, redactor)
	if err != nil {
		return nil, fmt.Errorf("set up metrics: %w", err)
	}
	registry := prometheus.NewRegistry()
	if err := errors.Join(
		registry.Register(collectors.NewGoCollector()),
		registry.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})),
	); err != nil {
		return nil, fmt.Errorf("set up metrics: %w", err)
	}
	exporter, err := prometheusexporter.New(prometheusexporter.WithRegisterer(registry), prometheusexporter.WithoutScopeInfo())
	if err != nil {
		return nil, fmt.Errorf("set up metrics: %w", err)
	}
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithResource(res), sdkmetric.WithReader(exporter))
	otelapi.SetMeterProvider(provider)
	log := slog.New(slog.DiscardHandler)
	if opts.Log != nil {
		log = slog.New(redactor.LogHandler(opts.Log.Handler()))
	}
	return &Metrics{provider: provider, handler: promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(log.With("component", "metrics").Handler(), slog.LevelWarn),
		MaxRequestsInFlight: scrapesAtOnce,
	})}, nil
}

// ServeHTTP answers a scrape.
func (m *Metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) { m.handler.ServeHTTP(w, r) }

// Shutdown stops measuring. What is scraped afterwards has no figures of ours.
func (m *Metrics) Shutdown(ctx context.Context) error {
	otelapi.SetMeterProvider(noop.NewMeterProvider())
	return m.provider.Shutdown(ctx)
}
