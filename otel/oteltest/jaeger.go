package oteltest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Jaeger is a real Jaeger, which takes traces on loopback and is asked for them
// through the API that its pages use. Its methods may be called concurrently.
type Jaeger struct {
	// URL is what OTEL_EXPORTER_OTLP_ENDPOINT is set to.
	URL string

	query string // address of the API
}

// StartJaeger starts the all-in-one program of Jaeger, which keeps its traces in
// memory and is killed at the end of the test.
func StartJaeger(t testing.TB, program string) *Jaeger {
	t.Helper()
	ports := freePorts(t, 7)
	otlp, query, admin := ports[0], ports[1], ports[2]
	cmd := exec.Command(program, "--memory.max-traces=1000", "--log-level=warn",
		"--collector.otlp.http.host-port="+otlp,
		"--query.http-server.host-port="+query,
		"--admin.http.host-port="+admin,
		"--collector.otlp.grpc.host-port="+ports[3],
		"--collector.grpc-server.host-port="+ports[4],
		"--collector.http-server.host-port="+ports[5],
		"--query.grpc-server.host-port="+ports[6],
	)
	cmd.Env = []string{"OTEL_TRACES_SAMPLER=always_off"} // it traces itself
	startBackend(t, cmd, "http://"+admin+"/")
	return &Jaeger{URL: "http://" + otlp, query: "http://" + query}
}

// Endpoint is URL.
func (j *Jaeger) Endpoint() string { return j.URL }

// Trace asks for a trace until its spans are as wanted, and returns them. If ctx
// ends first, the error shows what there was. What Jaeger finds wrong with a span
// is in its Warnings.
func (j *Jaeger) Trace(ctx context.Context, id string, want func([]Span) bool) ([]Span, error) {
	for {
		spans, err := j.get(ctx, id)
		if err == nil && want(spans) {
			return spans, nil
		}
		select {
		case <-time.After(100 * time.Millisecond): // it does not tell when there is more
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for trace %s in Jaeger: %w; it has:\n%s", id, errors.Join(err, context.Cause(ctx)), Tree(spans))
		}
	}
}

func (j *Jaeger) get(ctx context.Context, id string) ([]Span, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, j.query+"/api/traces/"+id, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return nil, nil
	default:
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	var answer struct{ Data []jaegerTrace }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, err
	}
	var spans []Span
	for _, trace := range answer.Data {
		for _, s := range trace.Spans {
			spans = append(spans, s.span(trace))
		}
	}
	return spans, nil
}

// The parts of Jaeger's JSON that are read.
type (
	jaegerTrace struct {
		Spans     []jaegerSpan
		Processes map[string]struct {
			ServiceName string
			Tags        []jaegerTag
		}
	}
	jaegerSpan struct {
		TraceID, SpanID, OperationName, ProcessID string

		References []struct{ RefType, TraceID, SpanID string }
		StartTime  int64 // in microseconds, as is Duration
		Duration   int64
		Tags       []jaegerTag
		Logs       []struct{ Fields []jaegerTag }
		Warnings   []string
	}
	jaegerTag struct {
		Key   string
		Value any
	}
)

func (s jaegerSpan) span(trace jaegerTrace) Span {
	process := trace.Processes[s.ProcessID]
	tags := attributesOf(s.Tags)
	out := Span{
		TraceID: s.TraceID, SpanID: s.SpanID, Service: process.ServiceName, Name: s.OperationName,
		Kind: tags["span.kind"], Start: time.UnixMicro(s.StartTime), End: time.UnixMicro(s.StartTime + s.Duration),
		Status: strings.ToLower(tags["otel.status_code"]), Message: tags["otel.status_description"],
		Attributes: tags, Resource: attributesOf(process.Tags), Warnings: s.Warnings,
	}
	for _, key := range []string{"span.kind", "otel.status_code", "otel.status_description", "error"} {
		delete(tags, key)
	}
	for _, ref := range s.References {
		if ref.RefType == "CHILD_OF" && out.ParentID == "" {
			out.ParentID = ref.SpanID
		} else {
			out.Links = append(out.Links, Link{TraceID: ref.TraceID, SpanID: ref.SpanID})
		}
	}
	for _, log := range s.Logs {
		fields := attributesOf(log.Fields)
		name := fields["event"]
		delete(fields, "event")
		out.Events = append(out.Events, Event{Name: name, Attributes: fields})
	}
	return out
}

func attributesOf(tags []jaegerTag) map[string]string {
	out := make(map[string]string, len(tags))
	for _, tag := range tags {
		out[tag.Key] = fmt.Sprint(tag.Value)
	}
	return out
}
