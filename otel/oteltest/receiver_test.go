package oteltest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/pullrun/pullrun/otel/oteltest"
)

func text(s string) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: s}}
}

// export is a message with one span.
func export(t *testing.T) []byte {
	t.Helper()
	message := &collectorpb.ExportTraceServiceRequest{ResourceSpans: []*tracepb.ResourceSpans{{
		Resource: &resourcepb.Resource{Attributes: []*commonpb.KeyValue{{Key: "service.name", Value: text("svc")}}},
		ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{{
			TraceId: []byte{1, 2}, SpanId: []byte{3}, ParentSpanId: []byte{4},
			Name: "one", Kind: tracepb.Span_SPAN_KIND_CLIENT,
			StartTimeUnixNano: 5e9, EndTimeUnixNano: 6e9,
			Status:     &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: "why"},
			Attributes: []*commonpb.KeyValue{{Key: "n", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: 7}}}},
			Events:     []*tracepb.Span_Event{{Name: "e", Attributes: []*commonpb.KeyValue{{Key: "k", Value: text("v")}}}},
			Links:      []*tracepb.Span_Link{{TraceId: []byte{1, 2}, SpanId: []byte{8}}},
		}}}},
	}}}
	body, err := proto.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func post(ctx context.Context, r *oteltest.Receiver, body []byte, encoding string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL+"/v1/traces", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Encoding", encoding)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

func TestReceiver(t *testing.T) {
	t.Parallel()
	want := oteltest.Span{
		TraceID: "0102", SpanID: "03", ParentID: "04",
		Service: "svc", Name: "one", Kind: "client",
		Start: time.Unix(5, 0), End: time.Unix(6, 0),
		Status: "error", Message: "why",
		Attributes: map[string]string{"n": "7"},
		Resource:   map[string]string{"service.name": "svc"},
		Events:     []oteltest.Event{{Name: "e", Attributes: map[string]string{"k": "v"}}},
		Links:      []oteltest.Link{{TraceID: "0102", SpanID: "08"}},
	}
	for _, encoding := range []string{"", "gzip"} {
		r := oteltest.NewReceiver(t)
		plain := export(t)
		body := plain
		if encoding == "gzip" {
			var b bytes.Buffer
			zip := gzip.NewWriter(&b)
			if _, err := zip.Write(plain); err != nil {
				t.Fatal(err)
			}
			if err := zip.Close(); err != nil {
				t.Fatal(err)
			}
			body = b.Bytes()
		}
		status, err := post(t.Context(), r, body, encoding)
		if err != nil || status != http.StatusOK {
			t.Fatalf("post = %d, %v, want 200", status, err)
		}
		if diff := cmp.Diff([]oteltest.Span{want}, r.Spans()); diff != "" {
			t.Errorf("Spans() with encoding %q (-want +got):\n%s", encoding, diff)
		}
		if !bytes.Equal(r.Raw(), plain) {
			t.Errorf("Raw() with encoding %q = %q, want %q", encoding, r.Raw(), plain)
		}
	}
}

func TestReceiverRefusesNonsense(t *testing.T) {
	t.Parallel()
	r := oteltest.NewReceiver(t)
	status, err := post(t.Context(), r, []byte("nonsense"), "")
	if err != nil || status != http.StatusBadRequest {
		t.Errorf("post = %d, %v, want 400", status, err)
	}
}

func TestRefuse(t *testing.T) {
	t.Parallel()
	r := oteltest.NewReceiver(t)
	r.Refuse(http.StatusServiceUnavailable)
	status, err := post(t.Context(), r, export(t), "")
	if err != nil || status != http.StatusServiceUnavailable || len(r.Spans()) != 0 {
		t.Errorf("post = %d, %v with %d spans kept, want 503 and none", status, err, len(r.Spans()))
	}
}

func TestHang(t *testing.T) {
	t.Parallel()
	r := oteltest.NewReceiver(t)
	r.Hang()
	answered := make(chan error, 1)
	body := export(t)
	go func() {
		_, err := post(t.Context(), r, body, "")
		answered <- err
	}()
	if err := r.WaitRequests(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-answered:
		t.Fatalf("post = %v, want no answer", err)
	default:
	}
	if n := len(r.Spans()); n != 0 {
		t.Errorf("%d spans kept while hanging, want 0", n)
	}
	r.Accept()
	if err := <-answered; err != nil {
		t.Errorf("post = %v after Accept", err)
	}
	if n := len(r.Spans()); n != 1 {
		t.Errorf("%d spans kept after Accept, want 1", n)
	}
}

func TestSlow(t *testing.T) {
	t.Parallel()
	r := oteltest.NewReceiver(t)
	r.Slow(time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan error, 1)
	body := export(t)
	go func() {
		_, err := post(ctx, r, body, "")
		answered <- err
	}()
	if _, err := r.WaitFor(t.Context(), oteltest.AtLeast(1)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-answered; !errors.Is(err, context.Canceled) {
		t.Errorf("post = %v, want %v", err, context.Canceled)
	}
}

func TestWaitForShowsWhatCame(t *testing.T) {
	t.Parallel()
	r := oteltest.NewReceiver(t)
	if _, err := post(t.Context(), r, export(t), ""); err != nil {
		t.Fatal(err)
	}
	gone := errors.New("gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	_, err := r.WaitFor(ctx, oteltest.AtLeast(2))
	if !errors.Is(err, gone) || !strings.Contains(err.Error(), "one (client, svc)") {
		t.Errorf("WaitFor() = %v, want %v and the span", err, gone)
	}
}
