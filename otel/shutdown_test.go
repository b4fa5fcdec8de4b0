package otel_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/pullrun/pullrun/otel"
	"github.com/pullrun/pullrun/otel/oteltest"
)

// bound is FlushTimeout and what a busy machine adds.
const bound = otel.FlushTimeout + 500*time.Millisecond

// emit makes n spans of about a kilobyte.
func emit(t *testing.T, n int) {
	t.Helper()
	for range n {
		// A text of its own for each, as from real data.
		value := strings.Repeat("x", 1000)
		_, s := tracer().Start(t.Context(), "one", trace.WithAttributes(attribute.String("text", value)))
		s.End()
	}
}

func TestShutdownIsBounded(t *testing.T) {
	for _, tt := range []struct {
		name     string
		collect  func(*oteltest.Receiver)
		wantErr  error
		wantLine bool
		kept     int
	}{
		{name: "a collector that accepts", collect: (*oteltest.Receiver).Accept, kept: 3},
		{name: "a slow collector", collect: func(r *oteltest.Receiver) { r.Slow(100 * time.Millisecond) }, kept: 3},
		{name: "a collector that refuses", collect: func(r *oteltest.Receiver) { r.Refuse(http.StatusBadRequest) }, wantLine: true},
		{name: "a collector that asks to try again", collect: func(r *oteltest.Receiver) { r.Refuse(http.StatusServiceUnavailable) }, wantErr: context.DeadlineExceeded, wantLine: true},
		{name: "a collector that never answers", collect: (*oteltest.Receiver).Hang, wantErr: context.DeadlineExceeded, wantLine: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := oteltest.NewReceiver(t)
			tt.collect(r)
			var log lines
			shutdown := setup(t, otel.Options{Log: log.logger()}, towards(r))
			emit(t, 3)

			// As after a signal: the context has ended already.
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			began := time.Now()
			err := shutdown(ctx)
			if took := time.Since(began); took > bound {
				t.Errorf("shutdown() took %v, want at most %v", took, bound)
			}
			if !errors.Is(err, tt.wantErr) {
				t.Errorf("shutdown() = %v, want %v", err, tt.wantErr)
			}
			if got := log.count() == 1; got != tt.wantLine {
				t.Errorf("log is %q, want a line: %v", &log, tt.wantLine)
			}
			if n := len(r.Spans()); n != tt.kept {
				t.Errorf("%d spans arrived, want %d", n, tt.kept)
			}
		})
	}
}

func TestShutdownWithoutACollector(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	var log lines
	shutdown := setup(t, otel.Options{Log: log.logger()}, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://" + addr})
	emit(t, 3)
	began := time.Now()
	if err := shutdown(t.Context()); err != nil {
		t.Errorf("shutdown() = %v", err)
	}
	if took := time.Since(began); took > bound {
		t.Errorf("shutdown() took %v, want at most %v", took, bound)
	}
	if log.count() != 1 || !strings.Contains(log.String(), "connection refused") {
		t.Errorf("log is %q, want one line with the reason", &log)
	}
}

func TestShutdownIsCutShort(t *testing.T) {
	r := oteltest.NewReceiver(t)
	r.Hang()
	shutdown := setup(t, otel.Options{}, towards(r))
	emit(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- shutdown(ctx) }()
	if err := r.WaitRequests(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("shutdown() = %v, want %v", err, context.Canceled)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("shutdown() took %v after its context, want next to nothing", took)
	}
}

func TestQueueIsBounded(t *testing.T) {
	r := oteltest.NewReceiver(t)
	r.Hang()
	shutdown := setup(t, otel.Options{}, towards(r))
	emit(t, 512) // one batch, which goes at once
	if err := r.WaitRequests(t.Context(), 1); err != nil {
		t.Fatal(err)
	}

	before := heap()
	emit(t, 20_000)
	// 2,048 spans of about 2 kB wait; the rest, 40 MB, is gone.
	if grown := heap() - before; grown > 10<<20 {
		t.Errorf("heap grew by %d MiB, want at most 10", grown>>20)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := shutdown(ctx); err == nil {
		t.Error("shutdown() = nil, though spans were lost")
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
