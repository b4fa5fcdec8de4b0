package otel_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/pullrun/pullrun/otel"
	"github.com/pullrun/pullrun/otel/oteltest"
	"github.com/pullrun/pullrun/otel/span"
)

// Secrets are planted wherever a span can carry text. None may be in the
// bytes that leave, and what is no secret must still be there.
func TestNoSecretLeaves(t *testing.T) {
	const secret = "hunter2/secret"
	r := oteltest.NewReceiver(t)
	var redactor otel.Redactor
	redactor.Register(secret)
	env := towards(r)
	env["OTEL_RESOURCE_ATTRIBUTES"] = "note=" + secret
	env["OTEL_EXPORTER_OTLP_HEADERS"] = "authorization=Bearer%20hunter2-collector"
	shutdown := setup(t, otel.Options{Redactor: &redactor}, env)

	url, client := serve(t, func(http.ResponseWriter, *http.Request) {})
	ctx, s := tracer().Start(t.Context(), "name "+secret, trace.WithLinks(trace.Link{
		SpanContext: trace.SpanContextFromContext(span.Carrier{TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}.Context(t.Context())),
		Attributes:  []attribute.KeyValue{attribute.String("link", secret)},
	}))
	s.SetAttributes(
		attribute.String("plain", "kept"),
		attribute.String("text", secret),
		attribute.StringSlice("texts", []string{"kept", secret}),
		attribute.ByteSlice("bytes", []byte(secret)),
		attribute.Slice("slice", attribute.StringValue(secret)),
		attribute.Map("map", attribute.String("inner", secret)),
		attribute.String("basic", "Basic "+base64.StdEncoding.EncodeToString([]byte("me:"+secret))),
		attribute.String("json", fmt.Sprintf(`{"a": %q}`, secret)),
		attribute.String("collector", "hunter2-collector"),
		attribute.String("url.full", "https://me:hunter2-url@h/p?a=hunter2 blank"),
		attribute.String("url.query", "a=hunter2&hunter2"),
		attribute.StringSlice("http.request.header.cookie", []string{"hunter2-cookie"}),
	)
	span.Fail(s, fmt.Errorf("call: %w", errors.New("token "+secret+" refused")), "refused")
	s.AddEvent("event "+secret, trace.WithAttributes(attribute.String("where", "http://h/?q=hunter2")))
	s.SetStatus(codes.Error, `Get "http://u:hunter2@h/?a=b": refused`)

	send(ctx, t, client, http.MethodGet, url+"/ok?token=hunter2-query")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://me:hunter2-user@127.0.0.1:1/?token=hunter2-refused", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := client.Do(req); err == nil {
		t.Fatal(resp.Body.Close(), "want a connection that is refused")
	}
	s.End()
	if err := shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}

	raw := r.Raw()
	for i := bytes.Index(raw, []byte("hunter2")); i >= 0; i = bytes.Index(raw, []byte("hunter2")) {
		t.Errorf("a secret left: %q", raw[max(0, i-40):min(len(raw), i+40)])
		raw = raw[i+1:]
	}
	for _, form := range []string{"aHVudGVyMi", "h1bnRlcjIv", "odW50ZXIyL"} { // base64 of its beginning
		if bytes.Contains(r.Raw(), []byte(form)) {
			t.Errorf("a secret left in base64: %s", form)
		}
	}
	got := r.Spans()[len(r.Spans())-1]
	want := map[string]string{
		"plain":                      "kept",
		"text":                       "REDACTED",
		"texts":                      "[kept REDACTED]",
		"bytes":                      base64.StdEncoding.EncodeToString([]byte("REDACTED")),
		"slice":                      "[REDACTED]",
		"map":                        "{inner=REDACTED}",
		"basic":                      got.Attributes["basic"], // what is left of the name varies
		"json":                       `{"a": "REDACTED"}`,
		"collector":                  "REDACTED",
		"url.full":                   "https://h/p?a=REDACTED",
		"url.query":                  "a=REDACTED&REDACTED",
		"http.request.header.cookie": "REDACTED",
		"error.type":                 "refused",
	}
	if diff := cmp.Diff(want, got.Attributes); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	if want := `Get "http://h/?a=REDACTED": refused`; got.Message != want {
		t.Errorf("status = %q, want %q", got.Message, want)
	}
	wantEvents := []oteltest.Event{
		{Name: "exception", Attributes: map[string]string{"exception.type": "refused", "exception.message": "call: token REDACTED refused"}},
		{Name: "event REDACTED", Attributes: map[string]string{"where": "http://h/?q=REDACTED"}},
	}
	if diff := cmp.Diff(wantEvents, got.Events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if want := "REDACTED"; got.Resource["note"] != want {
		t.Errorf("resource note = %q, want %q", got.Resource["note"], want)
	}
}

func TestTextsAreCut(t *testing.T) {
	const limit = 1024
	r := oteltest.NewReceiver(t)
	var redactor otel.Redactor
	redactor.Register("hunter2-secret")
	shutdown := setup(t, otel.Options{Redactor: &redactor}, towards(r))
	pad := func(n int) string { return strings.Repeat("é", n) }
	rows := []struct {
		name, in, want string
	}{
		{"a text of the limit stays", pad(limit), pad(limit)},
		{"a longer one is cut", pad(limit + 1), pad(limit)},
		{"half a secret at the cut goes", pad(limit-7) + "hunter2-secret", pad(limit - 7)},
		{"a whole secret at the cut goes", pad(limit-14) + "hunter2-secret" + pad(9), pad(limit-14) + "REDACTED"},
		{"half a userinfo at the cut goes", pad(limit-13) + " http://u:pass-word@h/", pad(limit-13) + " http://"},
		{"invalid UTF-8 is mended", "a\xffb", "a\uFFFDb"},
	}
	for _, row := range rows {
		_, s := tracer().Start(t.Context(), "one", trace.WithAttributes(attribute.String("text", row.in)))
		span.Fail(s, errors.New(row.in), "type")
		s.End()
	}
	if err := shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, row := range rows {
		s := r.Spans()[i]
		if got := s.Attributes["text"]; got != row.want {
			t.Errorf("%s: attribute = …%q, want …%q", row.name, tail(got), tail(row.want))
		}
		for where, got := range map[string]string{"status": s.Message, "event": s.Events[0].Attributes["exception.message"]} {
			if n := len([]rune(got)); n > limit || strings.Contains(got, "hunter2") {
				t.Errorf("%s: %s has %d characters and ends with %q", row.name, where, n, tail(got))
			}
		}
	}
}

func tail(s string) string {
	return s[max(0, len(s)-30):]
}

func TestTheEnvironmentSetsTheLimit(t *testing.T) {
	r := oteltest.NewReceiver(t)
	env := towards(r)
	env["OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT"] = "4"
	shutdown := setup(t, otel.Options{}, env)
	_, s := tracer().Start(t.Context(), "one", trace.WithAttributes(attribute.String("text", "123456")))
	s.SetStatus(codes.Error, "123456")
	s.End()
	if err := shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := r.Spans()[0]; got.Attributes["text"] != "1234" || got.Message != "1234" {
		t.Errorf("attribute = %q, status = %q, want both 1234", got.Attributes["text"], got.Message)
	}
}
