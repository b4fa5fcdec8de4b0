// Package oteltest receives telemetry in tests, over the same OTLP/HTTP that a
// collector speaks, and compares them with the tree that is expected.
//
// A [Receiver] keeps what it gets, as spans and as bytes: a trace is correct
// when its [Tree] is the one in the test, and clean when no secret is found
// in [Receiver.Raw]. It can also behave like a collector that is down. The
// trees work on any spans, so the same expectations hold for traces that are
// read back from elsewhere.
package oteltest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

const maxBody = 64 << 20

// Receiver is an OTLP/HTTP receiver. Its methods may be called concurrently.
type Receiver struct {
	// URL is what OTEL_EXPORTER_OTLP_ENDPOINT is set to.
	URL string

	closing chan struct{} // closed at the end of the test

	mu      sync.Mutex // guards what follows
	mode    mode
	spans   []Span
	metrics []Metric
	raw     []byte
	changed chan struct{} // closed and replaced when a request has arrived
	arrived int           // requests
}

// mode is how requests are answered.
type mode struct {
	status int           // 0 stores the spans
	delay  time.Duration // before the answer
	gate   chan struct{} // closed to let requests through; nil is open
}

// NewReceiver starts a receiver on a free port, which is closed at the end of
// the test.
func NewReceiver(t testing.TB) *Receiver {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &Receiver{
		URL:     "http://" + listener.Addr().String(),
		closing: make(chan struct{}),
		changed: make(chan struct{}),
	}
	// Not an httptest.Server: closing one breaks requests that other tests
	// have under way on http.DefaultTransport.
	server := &http.Server{Handler: http.HandlerFunc(r.serve)}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("receiver: %v", err)
		}
	})
	t.Cleanup(func() {
		close(r.closing)
		if err := server.Close(); err != nil {
			t.Errorf("close receiver: %v", err)
		}
		serving.Wait()
	})
	return r
}

// Refuse makes the receiver answer the status, and keep nothing.
func (r *Receiver) Refuse(status int) { r.set(mode{status: status}) }

// Hang makes the receiver answer nothing until another mode is set.
func (r *Receiver) Hang() { r.set(mode{gate: make(chan struct{})}) }

// Slow makes the receiver keep what it gets, and answer only after d.
func (r *Receiver) Slow(d time.Duration) { r.set(mode{delay: d}) }

// Accept makes the receiver keep what it gets, as it does at first.
func (r *Receiver) Accept() { r.set(mode{}) }

func (r *Receiver) set(m mode) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mode.gate != nil {
		close(r.mode.gate)
	}
	r.mode = m
}

// Spans returns what has been received so far, in that order.
func (r *Receiver) Spans() []Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.spans)
}

// Raw returns the bodies of all requests, decompressed, one after the other.
func (r *Receiver) Raw() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.raw)
}

// WaitForText blocks until a body with this text has arrived.
func (r *Receiver) WaitForText(ctx context.Context, text string) error {
	if err := r.wait(ctx, func() bool { return bytes.Contains(r.raw, []byte(text)) }); err != nil {
		return fmt.Errorf("wait for %q: %w", text, err)
	}
	return nil
}

// WaitFor blocks until the received spans are as wanted, and returns them. If
// ctx ends first, the error shows what there was.
func (r *Receiver) WaitFor(ctx context.Context, want func([]Span) bool) ([]Span, error) {
	var spans []Span
	err := r.wait(ctx, func() bool {
		spans = slices.Clone(r.spans)
		return want(spans)
	})
	if err != nil {
		return nil, fmt.Errorf("wait for spans: %w; received:\n%s", err, Tree(spans))
	}
	return spans, nil
}

// Endpoint is URL.
func (r *Receiver) Endpoint() string { return r.URL }

// Trace is WaitFor with the spans of one trace.
func (r *Receiver) Trace(ctx context.Context, id string, want func([]Span) bool) ([]Span, error) {
	all, err := r.WaitFor(ctx, func(all []Span) bool { return want(ofTrace(all, id)) })
	return ofTrace(all, id), err
}

// WaitRequests blocks until n requests have arrived, answered or not.
func (r *Receiver) WaitRequests(ctx context.Context, n int) error {
	if err := r.wait(ctx, func() bool { return r.arrived >= n }); err != nil {
		return fmt.Errorf("wait for %d requests: %w", n, err)
	}
	return nil
}

// wait blocks until ready, which is called with mu held.
func (r *Receiver) wait(ctx context.Context, ready func() bool) error {
	for {
		r.mu.Lock()
		done, changed := ready(), r.changed
		r.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// AtLeast wants n spans.
func AtLeast(n int) func([]Span) bool {
	return func(spans []Span) bool { return len(spans) >= n }
}

func (r *Receiver) serve(w http.ResponseWriter, req *http.Request) {
	body, spans, metrics, err := read(req)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	m := r.receive(body)
	if m.gate != nil {
		select {
		case <-m.gate:
			m.gate = nil
		case <-req.Context().Done():
			return
		case <-r.closing:
			return
		}
	}
	if m.status != 0 {
		w.WriteHeader(m.status)
		return
	}
	r.keep(spans, metrics)
	if m.delay > 0 {
		select {
		case <-time.After(m.delay):
		case <-req.Context().Done():
			return
		case <-r.closing:
			return
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// receive counts a request, and returns how to answer it.
func (r *Receiver) receive(body []byte) mode {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.raw = append(r.raw, body...)
	r.arrived++
	r.notify()
	return r.mode
}

func (r *Receiver) keep(spans []Span, metrics []Metric) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spans = append(r.spans, spans...)
	r.metrics = append(r.metrics, metrics...)
	r.notify()
}

// notify is called with mu held.
func (r *Receiver) notify() {
	close(r.changed)
	r.changed = make(chan struct{})
}

func read(req *http.Request) (body []byte, spans []Span, metrics []Metric, err error) {
	if req.Method != http.MethodPost {
		return nil, nil, nil, fmt.Errorf("want POST, got %s", req.Method)
	}
	var from io.Reader = http.MaxBytesReader(nil, req.Body, maxBody)
	if req.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(from)
		if err != nil {
			return nil, nil, nil, err
		}
		from = io.LimitReader(unzipped, maxBody)
	}
	if body, err = io.ReadAll(from); err != nil {
		return nil, nil, nil, err
	}
	switch req.URL.Path {
	case "/v1/traces":
		var export collectorpb.ExportTraceServiceRequest
		err = proto.Unmarshal(body, &export)
		spans = FromOTLP(export.GetResourceSpans())
	case "/v1/metrics":
		metrics, err = metricsOf(body)
	case "/v1/logs": // whose texts can be found in the body
	default:
		err = fmt.Errorf("want the path of a signal, got %s", req.URL.Path)
	}
	return body, spans, metrics, err
}

// ofTrace are the spans of one trace.
func ofTrace(all []Span, id string) []Span {
	return slices.DeleteFunc(slices.Clone(all), func(s Span) bool { return s.TraceID != id })
}
