package server_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/otel/forward"
	"github.com/pullrun/pullrun/otel/oteltest"
)

// forwarding gives a world a collector. Tests that call it are not parallel.
func forwarding(t *testing.T, queue int) (*oteltest.Receiver, func(*setup)) {
	t.Helper()
	r := oteltest.NewReceiver(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", r.URL)
	return r, func(s *setup) {
		f, err := forward.FromEnv(queue, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		s.Forwarder = f
		ctx, stop := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { f.Run(ctx) })
		t.Cleanup(func() {
			stop()
			running.Wait()
		})
	}
}

// exported is an export request with a span that claims to be a service's.
func exported(t *testing.T, service, name string) string {
	t.Helper()
	raw, err := proto.Marshal(&collectorpb.ExportTraceServiceRequest{ResourceSpans: []*tracepb.ResourceSpans{{
		Resource: &resourcepb.Resource{Attributes: []*commonpb.KeyValue{{
			Key: "service.name", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: service}},
		}}},
		ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{{Name: name}}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func gzipped(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// under is a resource's spans in protobuf that hold content as field n of
// their resource (1) or of their scope's spans (2).
func under(n protowire.Number, content string) string {
	inner := protowire.AppendString(protowire.AppendTag(nil, n, protowire.BytesType), content)
	return string(protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), inner))
}

var protobuf = []string{"Content-Type", "application/x-protobuf"}

func TestWhatAWorkerExportsIsShownAsTheWorkers(t *testing.T) {
	r, edit := forwarding(t, 0)
	w := newWorld(t, edit)
	_, registered := w.registered("edge-1", 1)
	if !slices.Equal(registered.OTLP, []api.Signal{api.SignalTraces}) {
		t.Errorf("REGISTER says that %v are forwarded, want traces", registered.OTLP)
	}
	path := "/v1/workers/edge-1/otlp/v1/traces"
	w.want(http.StatusOK, "POST", path, exported(t, "pullrun-server", "plain"), protobuf...)
	w.want(http.StatusOK, "POST", path, gzipped(t, exported(t, "billing", "small")), append(protobuf, "Content-Encoding", "gzip")...)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	spans, err := r.WaitFor(ctx, func(all []oteltest.Span) bool { return len(all) == 2 })
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range spans {
		if s.Service != "pullrun-worker" || s.Resource["service.instance.id"] != "edge-1" {
			t.Errorf("span %s is shown as %s of %s, want pullrun-worker of edge-1", s.Name, s.Resource["service.instance.id"], s.Service)
		}
	}
}

func TestExportsThatTheServerDoesNotTake(t *testing.T) {
	_, edit := forwarding(t, 0)
	w := newWorld(t, edit)
	w.register("edge-1", 1)
	traces := "/v1/workers/edge-1/otlp/v1/traces"
	zipped := append(slices.Clip(protobuf), "Content-Encoding", "gzip")
	for _, tt := range []struct {
		name, path, body string
		header           []string
		want             api.Code
	}{
		{"a signal that is not forwarded", "/v1/workers/edge-1/otlp/v1/logs", "", protobuf, api.CodeNotFound},
		{"a signal that does not exist", "/v1/workers/edge-1/otlp/v1/dreams", "", protobuf, api.CodeNotFound},
		{"JSON", traces, "{}", nil, api.CodeUnsupportedMedia},
		{"another compression", traces, "x", append(protobuf, "Content-Encoding", "br"), api.CodeUnsupportedMedia},
		{"what is not protobuf", traces, "what is this", protobuf, api.CodeInvalidRequest},
		{"what is not gzip", traces, "x", append(protobuf, "Content-Encoding", "gzip"), api.CodeInvalidRequest},
		{"too much", traces, strings.Repeat("x", 5<<20), protobuf, api.CodeBodyTooLarge},
		{"too much once it is decompressed", traces, gzipped(t, strings.Repeat("x", 5<<20)), append(protobuf, "Content-Encoding", "gzip"), api.CodeBodyTooLarge},
		{"spans of nothing", traces, gzipped(t, under(2, strings.Repeat("\x12\x00", 150_000))), zipped, api.CodeBodyTooLarge},
		{"resources of nothing", traces, gzipped(t, strings.Repeat("\x0a\x00", 150_000)), zipped, api.CodeBodyTooLarge},
		{"attributes of nothing", traces, gzipped(t, under(1, strings.Repeat("\x0a\x00", 150_000))), zipped, api.CodeBodyTooLarge},
		{"a worker with a name that is none", "/v1/workers/!/otlp/v1/traces", "", protobuf, api.CodeInvalidRequest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.refused(tt.want, "POST", tt.path, tt.body, tt.header...)
		})
	}
}

func TestWithoutACollectorNothingIsForwarded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, registered := w.registered("edge-1", 1); len(registered.OTLP) > 0 {
		t.Errorf("REGISTER says that %v are forwarded, want none", registered.OTLP)
	}
	w.refused(api.CodeNotFound, "POST", "/v1/workers/edge-1/otlp/v1/traces", exported(t, "s", "a"), protobuf...)
}

func TestACollectorThatHangsIsNotWaitedFor(t *testing.T) {
	r, edit := forwarding(t, 2<<10)
	r.Hang()
	w := newWorld(t, edit)
	w.register("edge-1", 1)
	body := exported(t, "s", strings.Repeat("x", 1000))
	w.eventually("an export finds the queue full", func() bool {
		a := w.want(http.StatusOK, "POST", "/v1/workers/edge-1/otlp/v1/traces", body, protobuf...)
		var answer collectorpb.ExportTraceServiceResponse
		if err := proto.Unmarshal([]byte(a.body), &answer); err != nil {
			t.Fatal(err)
		}
		return answer.GetPartialSuccess().GetRejectedSpans() == 1
	})
}

// Under what name a token may export that is good for any worker. The server has
// no collector here, which it says to those that may.
func TestExportsNeedASession(t *testing.T) {
	t.Parallel()
	const may, mayNot = api.CodeNotFound, api.CodeUnavailable
	export := func(w *world, want api.Code, worker string, header ...string) {
		t.Helper()
		w.refused(want, "POST", "/v1/workers/"+worker+"/otlp/v1/traces", exported(t, "s", "a"), append(header, protobuf...)...)
	}
	simulated(t, func(w *world) {
		export(w, mayNot, "edge-1")
		wk := w.register("edge-1", 1)
		export(w, may, "edge-1")
		export(w, mayNot, "edge-2")
		export(w, may, "edge-3", "Authorization", "Bearer "+w.enrol(w.enrolment(), "edge-3"))
		w.want(http.StatusNoContent, "DELETE", wk.path("?session="+wk.session), nil)
		export(w, may, "edge-1") // its last spans
		time.Sleep(6 * time.Minute)
		export(w, mayNot, "edge-1")

		w.register("edge-2", 1)
		other := w.again() // which knows of the worker by the store
		defer other.end()
		export(other, may, "edge-2")
		time.Sleep(3 * time.Minute) // its lease is over
		export(other, may, "edge-2")
		if n := other.logged("call failed"); n != 0 {
			t.Errorf("the server has logged %d calls as failed", n)
		}
	}, func(s *setup) { tokens(s, "admin") })
}
