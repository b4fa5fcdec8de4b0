package otel_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	otelapi "go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"

	"github.com/pullrun/pullrun/otel"
	"github.com/pullrun/pullrun/otel/oteltest"
	"github.com/pullrun/pullrun/otel/span"
)

// serve starts h, with its routes as in the server, and returns its URL and a
// client that traces.
func serve(t *testing.T, h http.HandlerFunc) (string, *http.Client) {
	t.Helper()
	server := httptest.NewServer(routed(h, func(r *http.Request) string {
		switch {
		case r.URL.Path == "/healthz", strings.HasSuffix(r.URL.Path, "/poll"):
			return ""
		case strings.HasPrefix(r.URL.Path, "/v1/runs/"):
			return "/v1/runs/{cookie}"
		}
		return r.URL.Path
	}))
	t.Cleanup(server.Close)
	return server.URL, &http.Client{Transport: otel.Transport(server.Client().Transport)}
}

// send sends one request and reads the answer to its end.
func send(ctx context.Context, t *testing.T, client *http.Client, method, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer hunter2-header")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestSpansOfRequests(t *testing.T) {
	r := oteltest.NewReceiver(t)
	shutdown := setup(t, otel.Options{}, towards(r))
	url, client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Baggage") != "" {
			t.Errorf("baggage went out: %q", r.Header.Get("Baggage"))
		}
		if strings.HasPrefix(r.URL.Path, "/fail") {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	ctx, root := tracer().Start(t.Context(), "root")
	send(ctx, t, client, http.MethodPost, url+"/v1/runs?token=s3cret")
	send(ctx, t, client, http.MethodGet, url+"/v1/runs/c-4711")
	send(ctx, t, client, http.MethodGet, url+"/fail")
	send(ctx, t, client, http.MethodPost, url+"/v1/workers/w-1/poll")
	send(ctx, t, client, http.MethodGet, url+"/healthz")
	send(t.Context(), t, client, http.MethodPost, url+"/v1/workers/w-1/poll") // no span in the context
	root.End()
	if err := shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	oteltest.AssertTree(t, r.Spans(), `
		root (internal, svc)
		  POST (client, svc)
		    POST /v1/runs (server, svc)
		  GET (client, svc)
		    GET /v1/runs/{cookie} (server, svc)
		  GET (client, svc) error=503
		    GET /fail (server, svc) error=
		  POST (client, svc)
		  GET (client, svc)
	`)
	for _, s := range r.Spans() {
		if got, want := s.Attributes["http.route"], strings.TrimLeft(s.Name, "GETPOS "); s.Kind == "server" && got != want {
			t.Errorf("%s: http.route = %q, want %q", s.Name, got, want)
		}
		if _, ok := s.Attributes["http.request.resend_count"]; ok {
			t.Errorf("%s: http.request.resend_count on a request that was sent once", s.Name)
		}
	}
}

func TestResendsAreCounted(t *testing.T) {
	r := oteltest.NewReceiver(t)
	shutdown := setup(t, otel.Options{}, towards(r))
	url, client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/old" {
			http.Redirect(w, r, "/new", http.StatusTemporaryRedirect)
		}
	})
	ctx, s := span.Settle(t.Context(), span.Run{Queue: "q"}, span.Attempt{Number: 1})
	send(ctx, t, client, http.MethodPost, url+"/try")
	send(ctx, t, client, http.MethodPost, url+"/old") // sends two
	if got := span.Sends(ctx); got != 3 {
		t.Errorf("Sends() = %d, want 3", got)
	}
	s.End()
	if err := shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range r.Spans() {
		if s.Kind == "client" && s.Name == "POST" {
			got = append(got, s.Attributes["http.request.resend_count"])
		}
	}
	if want := ",1,2"; strings.Join(got, ",") != want {
		t.Errorf("http.request.resend_count = %q, want %q", got, want)
	}
}

// Three parties, the one in the middle not traced: what it passes on is what
// it got.
func TestTraceGoesThroughAnUntracedProcess(t *testing.T) {
	setup(t, otel.Options{}, nil)
	const (
		parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		state  = "vendor=opaque"
	)
	var far http.Header
	farURL, farClient := serve(t, func(_ http.ResponseWriter, r *http.Request) { far = r.Header })
	nearURL, nearClient := serve(t, func(w http.ResponseWriter, r *http.Request) {
		send(r.Context(), t, farClient, http.MethodGet, farURL+"/far")
	})
	ctx := span.Carrier{TraceParent: parent, TraceState: state}.Context(t.Context())
	send(ctx, t, nearClient, http.MethodGet, nearURL+"/near")
	if got := far.Get("Traceparent"); got != parent {
		t.Errorf("traceparent = %q, want %q", got, parent)
	}
	if got := far.Get("Tracestate"); got != state {
		t.Errorf("tracestate = %q, want %q", got, state)
	}
	if got := far.Get("Baggage"); got != "" {
		t.Errorf("baggage = %q, want none", got)
	}
}

// Not even where the process has been set up to pass baggage on.
func TestBaggageStaysHome(t *testing.T) {
	r := oteltest.NewReceiver(t)
	setup(t, otel.Options{}, towards(r))
	otelapi.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))
	member, err := baggage.NewMember("tenant", "secret")
	if err != nil {
		t.Fatal(err)
	}
	bag, err := baggage.New(member)
	if err != nil {
		t.Fatal(err)
	}
	var sent http.Header
	url, client := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		sent = r.Header
		if got := baggage.FromContext(r.Context()); got.Len() != 0 {
			t.Errorf("baggage came in: %v", got)
		}
	})
	ctx, root := tracer().Start(baggage.ContextWithBaggage(t.Context(), bag), "root")
	defer root.End()
	send(ctx, t, client, http.MethodGet, url+"/x")
	if sent.Get("Baggage") != "" || sent.Get("Traceparent") == "" {
		t.Errorf("headers = %v, want a traceparent and no baggage", sent)
	}

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/y", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Baggage", bag.String()) // as another client may
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
}

// An iteration beyond a loop's budget: no span, whatever the sampler, and a
// traceparent that says so.
func TestRequestsUnderAQuietContext(t *testing.T) {
	r := oteltest.NewReceiver(t)
	env := towards(r)
	env["OTEL_TRACES_SAMPLER"] = "always_on"
	shutdown := setup(t, otel.Options{}, env)
	var got string
	url, client := serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Get("Traceparent") })
	url += "/healthz" // the server is not the point here
	ctx, root := tracer().Start(t.Context(), "root")
	send(span.Quiet(ctx), t, client, http.MethodGet, url)
	root.End()
	if err := shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	oteltest.AssertTree(t, r.Spans(), "root (internal, svc)")
	if want := strings.TrimSuffix(span.Inject(ctx).TraceParent, "01") + "00"; got != want {
		t.Errorf("traceparent = %q, want %q", got, want)
	}
}

// routed traces the requests that have a route.
func routed(h http.HandlerFunc, route func(*http.Request) string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path := route(r); path != "" {
			otel.Handler(h, otel.HandlerOptions{Route: path}).ServeHTTP(w, r)
		} else {
			h(w, r)
		}
	})
}
