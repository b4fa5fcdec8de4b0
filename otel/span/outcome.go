package span

import (
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Result is how a run or a task ended, in the words of the CI/CD conventions.
type Result string

// The results. Failure means that the pipeline failed, Error that the system
// that runs it did.
const (
	Success   Result = "success"
	Failure   Result = "failure"
	Error     Result = "error"
	Timeout   Result = "timeout"
	Cancelled Result = "cancellation"
	Skipped   Result = "skip"
)

// failed reports whether a span with this result counts as an error. Somebody
// wanted a cancelled run to end, so that is none.
func (r Result) failed() bool {
	return r == Failure || r == Error || r == Timeout
}

// Outcome is the end of a run or a task.
type Outcome struct {
	Result  Result
	Type    string // error.type, one of few; the result where it is empty
	Message string // for people; the type where it is empty
}

// EndRun sets the outcome of a run's span, and ends it.
func EndRun(s trace.Span, o Outcome) {
	o.set(s, semconv.CICDPipelineResultKey)
	s.End()
}

// EndTask sets the outcome of a task's span, and ends it. The exception
// itself is recorded where it arose, by [Fail].
func EndTask(s trace.Span, o Outcome) {
	o.set(s, semconv.CICDPipelineTaskRunResultKey)
	s.End()
}

func (o Outcome) set(s trace.Span, key attribute.Key) {
	s.SetAttributes(key.String(string(o.Result)))
	if !o.Result.failed() {
		return
	}
	if o.Type == "" {
		o.Type = string(o.Result)
	}
	if o.Message == "" {
		o.Message = o.Type
	}
	fail(s, o.Message, o.Type)
}

// Fail records err where it arose: status, error.type, and the one exception
// event of its way up. The spans above get the status alone. The errType is
// one of few, never made from data. A stop that was asked for is no failure,
// and is not passed here. An error that has a Stack method says where in the
// pipelines it arose, and that goes into the event.
func Fail(s trace.Span, err error, errType string) {
	fail(s, err.Error(), errType)
	attrs := []attribute.KeyValue{semconv.ExceptionType(errType), semconv.ExceptionMessage(err.Error())}
	var located interface{ Stack() string }
	if errors.As(err, &located) {
		attrs = appendText(attrs, semconv.ExceptionStacktraceKey, located.Stack())
	}
	s.AddEvent(semconv.ExceptionEventName, trace.WithAttributes(attrs...))
}

func fail(s trace.Span, message, errType string) {
	s.SetStatus(codes.Error, message)
	s.SetAttributes(semconv.ErrorTypeKey.String(errType))
}
