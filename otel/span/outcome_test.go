package span_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/pullrun/pullrun/otel/oteltest"
	"github.com/pullrun/pullrun/otel/span"
)

func TestResultsAreTheConventions(t *testing.T) {
	t.Parallel()
	for got, want := range map[span.Result]attribute.KeyValue{
		span.Success:   semconv.CICDPipelineResultSuccess,
		span.Failure:   semconv.CICDPipelineResultFailure,
		span.Error:     semconv.CICDPipelineResultError,
		span.Timeout:   semconv.CICDPipelineResultTimeout,
		span.Cancelled: semconv.CICDPipelineResultCancellation,
		span.Skipped:   semconv.CICDPipelineResultSkip,
	} {
		if string(got) != want.Value.AsString() {
			t.Errorf("result %q, want %q", got, want.Value.AsString())
		}
	}
}

func TestOutcomes(t *testing.T) {
	for _, tt := range []struct {
		name    string
		outcome span.Outcome
		status  string
		message string
		errType string
	}{
		{name: "success", outcome: span.Outcome{Result: span.Success}},
		{name: "a cancelled run is no error", outcome: span.Outcome{Result: span.Cancelled, Type: "cancelled", Message: "by an operator"}},
		{name: "a skipped task is no error", outcome: span.Outcome{Result: span.Skipped}},
		{name: "the pipeline failed", outcome: span.Outcome{Result: span.Failure, Type: "chip", Message: "no such host"}, status: "error", message: "no such host", errType: "chip"},
		{name: "the system failed", outcome: span.Outcome{Result: span.Error, Type: "panic"}, status: "error", message: "panic", errType: "panic"},
		{name: "time ran out", outcome: span.Outcome{Result: span.Timeout}, status: "error", message: "timeout", errType: "timeout"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			finish := oteltest.Record(t, "svc")
			_, process := new(span.Keep).Process(t.Context(), span.Carrier{}, run, first)
			span.EndRun(process, tt.outcome)
			_, task := span.Task(t.Context(), span.TaskInfo{Name: "t"})
			span.EndTask(task, tt.outcome)
			spans := finish()
			if len(spans) != 2 {
				t.Fatalf("%d spans ended, want 2", len(spans))
			}
			for i, key := range []string{"cicd.pipeline.result", "cicd.pipeline.task.run.result"} {
				got := spans[i]
				if got.Attributes[key] != string(tt.outcome.Result) {
					t.Errorf("%s: %s = %q, want %q", got.Name, key, got.Attributes[key], tt.outcome.Result)
				}
				if got.Status != tt.status || got.Message != tt.message || got.Attributes["error.type"] != tt.errType {
					t.Errorf("%s: status %q %q, error.type %q, want %q %q, %q", got.Name,
						got.Status, got.Message, got.Attributes["error.type"], tt.status, tt.message, tt.errType)
				}
				if len(got.Events) != 0 {
					t.Errorf("%s: events %v, want none above the origin", got.Name, got.Events)
				}
			}
		})
	}
}

// located is an error that knows where it arose.
type located struct{ error }

func (located) Stack() string { return "main/3\nsub/1" }

func TestFail(t *testing.T) {
	finish := oteltest.Record(t, "svc")
	_, s := span.Chip(t.Context(), "http.get")
	span.Fail(s, fmt.Errorf("%w", located{errors.New("no such host")}), "dns")
	s.End()
	got := finish()[0]
	if got.Status != "error" || got.Message != "no such host" || got.Attributes["error.type"] != "dns" {
		t.Errorf("status %q %q, error.type %q", got.Status, got.Message, got.Attributes["error.type"])
	}
	want := []oteltest.Event{{
		Name:       "exception",
		Attributes: map[string]string{"exception.type": "dns", "exception.message": "no such host", "exception.stacktrace": "main/3\nsub/1"},
	}}
	if diff := cmp.Diff(want, got.Events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
