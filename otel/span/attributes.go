package span

import (
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// The attributes that the semantic conventions have no name for.
const (
	// AttemptKey is the number of the delivery that a span belongs to, from 1.
	AttemptKey = attribute.Key("pullrun.attempt")

	// AttemptsKey is how many deliveries a run has had when it ends.
	AttemptsKey = attribute.Key("pullrun.attempts")

	// LeaseEndKey is how a lease ended: see [LeaseEnd].
	LeaseEndKey = attribute.Key("pullrun.lease.end")

	// SyntheticKey marks a span that the server wrote in place of a worker
	// that died, or whose answer came too late.
	SyntheticKey = attribute.Key("pullrun.synthetic")

	// SubmitterKey is the name of the token that a run was submitted with.
	SubmitterKey = attribute.Key("pullrun.submitter")

	// CancelByKey is the name of the token that asked to cancel a run, and
	// CancelReasonKey why.
	CancelByKey     = attribute.Key("pullrun.cancel.by")
	CancelReasonKey = attribute.Key("pullrun.cancel.reason")

	// WaitReasonKey is why a run was not in line for a worker yet.
	WaitReasonKey = attribute.Key("pullrun.wait.reason")

	// LastTaskKey is where a run was when its worker last said so, and
	// LastTimeKey when that was: see [Last].
	LastTaskKey = attribute.Key("pullrun.last.task")
	LastTimeKey = attribute.Key("pullrun.last.time")

	// PostAttemptsKey is how many requests it took to deliver a result.
	PostAttemptsKey = attribute.Key("pullrun.post.attempts")

	// TaskKindKey is the kind of a task: chip, branch, dispatch and so on.
	TaskKindKey = attribute.Key("pullrun.task.kind")

	// ChipKindKey is the registered name of a chip.
	ChipKindKey = attribute.Key("pullrun.chip.kind")

	// LoopIterationsKey is how often a loop went round.
	LoopIterationsKey = attribute.Key("pullrun.loop.iterations")

	// SpansDroppedKey is how many iterations of a loop have no spans of their
	// own because the loop's budget was spent; on a process span, how many
	// tasks, chips and requests have none because the run's was, or the process's.
	SpansDroppedKey = attribute.Key("pullrun.spans.dropped")
)

const system = "pullrun"

// Run is what all spans of one run say about it. Empty fields are left out.
type Run struct {
	Cookie   string
	Pipeline string
	Queue    string
}

// Attempt is one delivery of a run to a worker.
type Attempt struct {
	Number int    // from 1
	Worker string // the worker's id
}

func (r Run) attributes(more ...attribute.KeyValue) []attribute.KeyValue {
	attrs := make([]attribute.KeyValue, 0, 5+len(more))
	attrs = append(attrs, semconv.MessagingSystemKey.String(system))
	attrs = appendText(attrs, semconv.CICDPipelineNameKey, r.Pipeline)
	attrs = appendText(attrs, semconv.CICDPipelineRunIDKey, r.Cookie)
	attrs = appendText(attrs, semconv.MessagingMessageIDKey, r.Cookie)
	attrs = appendText(attrs, semconv.MessagingDestinationNameKey, r.Queue)
	return append(attrs, more...)
}

func (r Run) attemptAttributes(a Attempt, more ...attribute.KeyValue) []attribute.KeyValue {
	attrs := r.attributes(AttemptKey.Int(a.Number))
	attrs = appendText(attrs, semconv.CICDWorkerIDKey, a.Worker)
	return append(attrs, more...)
}

func (r Run) processAttributes(a Attempt) []attribute.KeyValue {
	return r.attemptAttributes(a,
		semconv.MessagingOperationName(opProcess),
		semconv.MessagingOperationTypeProcess,
	)
}

func appendText(attrs []attribute.KeyValue, key attribute.Key, value string) []attribute.KeyValue {
	if value == "" {
		return attrs
	}
	return append(attrs, key.String(value))
}
