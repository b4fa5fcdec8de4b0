package oteltest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// Prometheus is a real Prometheus, which takes metrics by OTLP on loopback and
// answers queries. Its methods may be called concurrently.
type Prometheus struct {
	// URL is that of its pages.
	URL string
	// MetricsURL is what OTEL_EXPORTER_OTLP_METRICS_ENDPOINT is set to.
	MetricsURL string
}

// A Sample is one of those that a query answers, with its labels.
type Sample struct {
	Labels map[string]string
	Value  float64
}

// StartPrometheus starts Prometheus with a configuration file, which is killed
// at the end of the test.
func StartPrometheus(t testing.TB, program, config string) *Prometheus {
	t.Helper()
	addr := freePorts(t, 1)[0]
	cmd := exec.Command(program, "--config.file="+config, "--storage.tsdb.path="+t.TempDir(),
		"--web.listen-address="+addr, "--web.enable-otlp-receiver", "--log.level=warn")
	p := &Prometheus{URL: "http://" + addr, MetricsURL: "http://" + addr + "/api/v1/otlp/v1/metrics"}
	startBackend(t, cmd, p.URL+"/-/ready")
	return p
}

// Await asks a query until it answers at least one sample, and returns them.
func (p *Prometheus) Await(ctx context.Context, query string) ([]Sample, error) {
	for {
		samples, err := p.Query(ctx, query)
		if err == nil && len(samples) > 0 {
			return samples, nil
		}
		select {
		case <-time.After(100 * time.Millisecond): // it does not tell when there is more
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for %s in Prometheus: %w", query, errors.Join(err, context.Cause(ctx)))
		}
	}
}

// Query asks a query that answers a vector, as of now.
func (p *Prometheus) Query(ctx context.Context, query string) ([]Sample, error) {
	var vector struct {
		Result []struct {
			Metric map[string]string
			Value  [2]any // the time, and the value as a text
		}
	}
	if err := p.Get(ctx, "query?query="+url.QueryEscape(query), &vector); err != nil {
		return nil, err
	}
	var out []Sample
	for _, r := range vector.Result {
		value, err := strconv.ParseFloat(fmt.Sprint(r.Value[1]), 64)
		if err != nil {
			return nil, err
		}
		out = append(out, Sample{Labels: r.Metric, Value: value})
	}
	return out, nil
}

// Get asks a call below /api/v1, and decodes the data of its answer.
func (p *Prometheus) Get(ctx context.Context, call string, data any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+"/api/v1/"+call, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer := struct {
		Error string
		Data  any
	}{Data: data}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Error != "" {
		return errors.New(answer.Error)
	}
	return nil
}
