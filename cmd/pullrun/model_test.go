package main

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/otel/oteltest"
)

// answering is the address of a server that answers the same to every call.
func answering(t *testing.T, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body) // the worker has gone
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// The span of a chip says what a language model has used, and nothing of what it
// was told.
func TestTheTraceSaysWhatAModelUsed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := oteltest.NewReceiver(t)
	s.extra = append(s.extra, "OTEL_EXPORTER_OTLP_ENDPOINT="+r.URL, "OTEL_BSP_SCHEDULE_DELAY=50")
	s.server()
	s.worker("w")
	model := answering(t, `{"model": "m-1", "choices": [{"message": {"content": "whispered"}}], "usage": {"prompt_tokens": 12, "completion_tokens": 3}}`)
	code, out, log := call(t, s.env, "run", "hang", "--set", "url="+model+"/v1/chat/completions", "--output", "json")
	if code != exitDone {
		t.Fatalf("run hang = %d\n%s", code, log)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var got map[string]string
	_, err := r.Trace(ctx, decode[api.Run](t, out).TraceID, func(all []oteltest.Span) bool {
		for _, span := range all {
			if span.Name == "chip http.http_request" {
				got = maps.Clone(span.Attributes)
			}
		}
		return got != nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"pullrun.chip.kind": "http.http_request", "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
		"gen_ai.response.model": "m-1", "gen_ai.usage.input_tokens": "12", "gen_ai.usage.output_tokens": "3",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the chip's span (-want +got):\n%s", diff)
	}
	if strings.Contains(string(r.Raw()), "whispered") {
		t.Error("what the model said was exported")
	}
}
