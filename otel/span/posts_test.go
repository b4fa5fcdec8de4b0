package span_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/pullrun/pullrun/otel"
	"github.com/pullrun/pullrun/otel/oteltest"
	"github.com/pullrun/pullrun/otel/span"
)

// posts sends n requests under a settle span, of which the server takes the
// last, and returns the flags of the traceparents that arrived.
func posts(t *testing.T, n int) (flags string) {
	t.Helper()
	var arrived atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		parent := r.Header.Get("Traceparent")
		flags += parent[len(parent)-1:]
		if arrived.Add(1) < int64(n) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	client := http.Client{Transport: otel.Transport(server.Client().Transport)}
	ctx, settle := span.Settle(span.Carrier{TraceParent: sampled}.Context(t.Context()), run, first)
	for range n {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	settle.SetAttributes(span.PostAttemptsKey.Int(span.Sends(ctx)))
	settle.End()
	return flags
}

func TestTheFirstPostsAndTheLastHaveSpans(t *testing.T) {
	for _, tt := range []struct {
		posts int
		flags string // of what went out: whether the server may record it
		spans string // the resend counts and statuses
	}{
		{posts: 1, flags: "1", spans: " :200"},
		{posts: 3, flags: "111", spans: " :503 1:503 2:200"},
		{posts: 6, flags: "111110", spans: " :503 1:503 2:503 3:503 4:503 5:200"},
		{posts: 40, flags: "11111" + fmt.Sprintf("%035d", 0), spans: " :503 1:503 2:503 3:503 4:503 39:200"},
	} {
		t.Run(fmt.Sprint(tt.posts), func(t *testing.T) {
			finish := oteltest.Record(t, "svc")
			flags := posts(t, tt.posts)
			all := finish()
			if flags != tt.flags {
				t.Errorf("traceparents went out with %s, want %s", flags, tt.flags)
			}
			var settle oteltest.Span
			got := ""
			for _, s := range all {
				if s.Kind == "client" && s.Name != "POST" {
					settle = s
				}
			}
			for _, s := range all {
				if s.Name != "POST" {
					continue
				}
				got += fmt.Sprintf(" %s:%s", s.Attributes["http.request.resend_count"], s.Attributes["http.response.status_code"])
				if s.ParentID != settle.SpanID || s.End.After(settle.End) || s.End.Before(s.Start) {
					t.Errorf("POST %s under %s from %v to %v, want it under settle %s, which ends %v", s.SpanID, s.ParentID, s.Start, s.End, settle.SpanID, settle.End)
				}
			}
			if got != tt.spans {
				t.Errorf("posts%s, want%s", got, tt.spans)
			}
			if n := settle.Attributes["pullrun.post.attempts"]; n != fmt.Sprint(tt.posts) {
				t.Errorf("pullrun.post.attempts = %s, want %d", n, tt.posts)
			}
		})
	}
}

// A worker that is killed before its result has arrived must not leave requests
// whose parent never comes.
func TestPostsAreNotExportedBeforeTheirSettleSpan(t *testing.T) {
	finish := oteltest.Record(t, "svc")
	ctx, _ := span.Settle(span.Carrier{TraceParent: sampled}.Context(t.Context()), run, first)
	_, post := trace.SpanFromContext(ctx).TracerProvider().Tracer("test").Start(ctx, "POST")
	post.End()
	if all := finish(); len(all) != 0 {
		t.Errorf("exported without its parent:\n%s", oteltest.Tree(all))
	}
}
