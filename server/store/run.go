package store

import "time"

// Delivery says how often a run may be started.
type Delivery int

const (
	// AtLeastOnce starts a run again when its worker is lost, up to MaxAttempts.
	AtLeastOnce Delivery = iota
	// AtMostOnce never starts a run again once a worker has claimed it.
	AtMostOnce
)

// SpanContext is a W3C trace context. The store does not look into it.
type SpanContext struct {
	TraceParent string
	TraceState  string
}

// Trace is where a run's spans belong.
type Trace struct {
	Send    SpanContext // of the span that everything later hangs under
	Request SpanContext // of the request that submitted the run
}

// NewRun is what a submitter asks for.
type NewRun struct {
	Cookie   string // the run's name, unique for as long as the run is kept
	Digest   string // of the request; decides whether a repeat is the same run
	Pipeline string
	// PipelineDigest is what a worker must have the pipeline with. Empty is any.
	PipelineDigest string
	Queue          string
	Labels         map[string]string // what the worker must have
	Priority       int               // higher runs first

	Variables []byte // nil is absent

	Delivery     Delivery
	MaxAttempts  int           // at least 1
	NotBefore    time.Time     // zero is at once
	QueueTimeout time.Duration // longest wait in the queue; zero is for ever
	RunTimeout   time.Duration // longest time of one attempt; zero is for ever
	Detach       bool

	IdempotencyKey string // empty is none; unique per Submitter
	Submitter      string
	Tags           map[string]string
	Trace          Trace

	Concurrency Concurrency
	Retry       Retry

	RequeuedFrom string // cookie of the run that this one repeats
}

// Run is a run as the store keeps it. Times are UTC in whole microseconds; the
// zero time means that it has not happened.
type Run struct {
	NewRun
	Seq int64 // order of submission

	State    State
	Blocked  bool  // is queued and may not be offered: it waits for a slot of its key
	Fence    int64 // of the latest lease; zero before the first
	Attempts int   // leases that were accepted and not handed back
	Retries  int   // attempts whose result did not end the run

	Worker  string // who holds the lease, or held it when the run ended
	Session string
	Span    string // id of the worker's span of this attempt, from its heartbeats
	// WorkerDigest is the digest that the worker has the pipeline with. It is
	// empty if the worker has not said.
	WorkerDigest string

	SubmittedAt time.Time
	QueuedAt    time.Time // when it last began to wait, in its queue or, after an attempt, to be put there
	OfferedAt   time.Time // of the current lease, as are the next two
	AcceptedAt  time.Time
	ClaimedAt   time.Time
	FinishedAt  time.Time

	CancelAt     time.Time // when cancellation was asked for
	CancelBy     string
	CancelReason string
	// CancelToldAt is when the cancellation was sent to the worker, and
	// CancelHeededAt when the worker said that it has told the run to stop.
	CancelToldAt   time.Time
	CancelHeededAt time.Time
	Stop           Stop // how a run that was cancelled while a worker had it stopped

	// Due is when the sweep has to look at the run again: it becomes ready,
	// its offer lapses, a timeout passes. Zero is never.
	Due time.Time

	RequeuedAs string // cookie of the run that repeats this one

	RC         string // result code; empty until the run ends
	Error      string // of the result; whole, with the next two, only from Get
	Stacktrace string
	Result     []byte // nil is absent, which is not the same as null

	route   int64
	version int64 // one higher with every change
}

// hasResult reports whether a run that has ended left more than its code.
func (r *Run) hasResult() bool { return r.Error != "" || r.Stacktrace != "" || r.Result != nil }

// endedBy reports whether the run has ended by the result of this attempt, which
// then stands in the run's row and in no other. Most runs have no other attempt.
func (r *Run) endedBy(a *Attempt) bool { return r.State.Terminal() && a.Outcome == Settled }

// Attempt is an accepted lease that has ended.
type Attempt struct {
	Number     int // from 1; an attempt that was handed back leaves its number to the next
	Fence      int64
	Worker     string
	Session    string
	Span       string
	Digest     string // of the pipeline as the worker has it
	QueuedAt   time.Time
	OfferedAt  time.Time
	AcceptedAt time.Time
	ClaimedAt  time.Time
	EndedAt    time.Time
	Outcome    Outcome
	RC         string // of the result, when the outcome is Settled
	Reason     string // why it ended so; of a result its error, cut to a few thousand bytes
}

// Stop says how a run that was told to stop did so. Empty is one that had not
// begun, or was not told.
type Stop string

const (
	StopCooperative Stop = "cooperative" // by itself
	StopKilled      Stop = "killed"      // after a program of it was killed
	StopAbandoned   Stop = "abandoned"   // not in time, or nobody said so
)

// Outcome says how an attempt ended.
type Outcome string

const (
	Settled   Outcome = "settled"   // the worker sent the result
	Expired   Outcome = "expired"   // the worker lost the lease
	Released  Outcome = "released"  // the worker handed the run back
	Abandoned Outcome = "abandoned" // the run was ended without the worker
)

// Moved is one change of a run's state, or something that leaves the state as it
// was and concerns others: a queued run was given a slot of its key, a run that a
// worker has is to be cancelled. Each is reported once, by the call that made it,
// after it was committed.
type Moved struct {
	From, To State
	At       time.Time
	// Since is when it had begun to wait before the move, and Blocked whether it
	// waited for a slot of its key.
	Since   time.Time
	Blocked bool
	Worker  string   // who held the lease before the move, if anybody
	Attempt *Attempt // the attempt that the move ended, or nil
	Run     Run      // as the move left it, with its result if it has ended, and without variables
}

// Held is one run that a worker says it has. A worker names a run until its
// result was accepted, so also while the result waits in the outbox.
type Held struct {
	Cookie     string
	Fence      int64
	Cancelling bool   // the worker knows of the cancellation
	Claim      bool   // the worker wants to start an AtMostOnce run
	Span       string // the worker's span of this attempt, once it is known
}

// Late is a result that came too late or contradicted the stored one. It
// changes nothing and is kept as evidence, the first few of a run.
type Late struct {
	At         time.Time
	Worker     string
	Attempt    int // that it came of; zero if the lease was never accepted or goes on
	Fence      int64
	RC         string
	Error      string // cut to a few thousand bytes, as is the next
	Stacktrace string
	Result     []byte // nil if it was absent, or too large to keep
	Size       int    // of the result in bytes
}
