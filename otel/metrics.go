package otel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"

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
// text form, and for a collector where there is one. They need no collector and
// no setting. The instruments are in package meter.
type Metrics struct {
	provider   *sdkmetric.MeterProvider
	reader     sdkmetric.Reader // of scrapes and of the pusher
	handler    http.Handler
	complaints *complaints

	mu     sync.Mutex
	pusher *pusher // nil while nothing is exported; guarded by mu
	closed bool    // guarded by mu
}

// SetupMetrics installs the meter provider of the OpenTelemetry API, which is
// the process's own: it is called once, by main. Figures are read when
// [Metrics.ServeHTTP] is asked for them. They are exported as well where
// OTEL_METRICS_EXPORTER is "otlp" or OTEL_EXPORTER_OTLP_METRICS_ENDPOINT names a
// place, every OTEL_METRIC_EXPORT_INTERVAL milliseconds (60000).
func SetupMetrics(ctx context.Context, opts Options) (*Metrics, error) {
	redactor := opts.Redactor
	if redactor == nil {
		redactor = new(Redactor)
	}
	kind, err := metricsFromEnv(false)
	if err != nil {
		return nil, fmt.Errorf("set up metrics: %w", err)
	}
	complaints := hear(opts.Log, redactor)
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
	m := &Metrics{provider: provider, reader: exporter, complaints: complaints, handler: promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(complaints.log.With("component", "metrics").Handler(), slog.LevelWarn),
		MaxRequestsInFlight: scrapesAtOnce,
	})}
	if kind == exporterOTLP {
		err = m.export(ctx, kind, nil)
	}
	return m, err
}

// ExportThrough exports to a place that the environment does not name, unless
// the environment has named one or wants nothing exported, or they are exported
// already. It reports whether it has begun.
func (m *Metrics) ExportThrough(ctx context.Context, through Through) (bool, error) {
	if kind, err := metricsFromEnv(true); err != nil || kind != exporterThrough {
		return false, err
	}
	m.mu.Lock()
	on := m.pusher != nil || m.closed
	m.mu.Unlock()
	if on {
		return false, nil
	}
	err := m.export(ctx, exporterThrough, &through)
	return err == nil, err
}

func (m *Metrics) export(ctx context.Context, kind exporterKind, through *Through) error {
	to, err := newMetricExporter(ctx, kind, through)
	if err != nil {
		return fmt.Errorf("export metrics: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return to.Shutdown(ctx)
	}
	m.pusher, err = startPushing(m.reader, to, m.complaints)
	return err
}

// ServeHTTP answers a scrape.
func (m *Metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) { m.handler.ServeHTTP(w, r) }

// Shutdown exports the last figures, where any are exported, for at most
// [FlushTimeout] even where ctx has ended, and stops measuring. What is scraped
// afterwards has no figures of ours. A second call does nothing.
func (m *Metrics) Shutdown(ctx context.Context) error {
	m.mu.Lock()
	p, closed := m.pusher, m.closed
	m.closed = true
	m.mu.Unlock()
	if closed {
		return nil
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), FlushTimeout-abortTimeout)
	defer cancel()
	var unpushed error
	if p != nil {
		if unpushed = p.shutdown(bounded); unpushed != nil {
			unpushed = fmt.Errorf("flush metrics: %w", unpushed)
		}
	}
	m.complaints.flush()
	otelapi.SetMeterProvider(noop.NewMeterProvider())
	return errors.Join(unpushed, m.provider.Shutdown(bounded))
}
