package api

import (
	"encoding/json"
	"time"
)

// A State is where a run stands.
type State string

// The states. The last five are final.
const (
	StateScheduled State = "SCHEDULED" // waits for its not_before
	StateQueued    State = "QUEUED"    // waits for a worker
	StateOffered   State = "OFFERED"   // sent to a worker that has not acknowledged it
	StateRunning   State = "RUNNING"   // leased by a worker
	StateSucceeded State = "SUCCEEDED"
	StateFailed    State = "FAILED"
	StateCancelled State = "CANCELLED"
	StateTimedOut  State = "TIMED_OUT"
	StateDead      State = "DEAD" // its attempts are spent
)

var states = map[State]bool{
	StateScheduled: true, StateQueued: true, StateOffered: true, StateRunning: true,
	StateSucceeded: true, StateFailed: true, StateCancelled: true, StateTimedOut: true, StateDead: true,
}

// Final reports whether a run in this state is known to have ended. A state of
// a newer version is not.
func (s State) Final() bool {
	switch s {
	case StateSucceeded, StateFailed, StateCancelled, StateTimedOut, StateDead:
		return true
	}
	return false
}

// Valid reports whether s is a state of this version of the protocol.
func (s State) Valid() bool { return states[s] }

// A Delivery says how often a run may be started.
type Delivery string

// The deliveries. The empty one is at least once.
const (
	AtLeastOnce Delivery = "at_least_once"
	AtMostOnce  Delivery = "at_most_once"
)

// A Submit asks the server to run a pipeline. Only Pipeline is required.
type Submit struct {
	Pipeline string `json:"pipeline"`
	// Digest is the only one with which a worker may have the pipeline that is
	// sent the run. Any may when it is empty.
	Digest    string          `json:"digest,omitempty"`
	Variables json.RawMessage `json:"variables,omitempty"` // a JSON object
	// Cookie names the run. The same cookie with the same body is the same
	// run, so a submit may be repeated until it is answered. The server makes
	// one up when it is empty.
	Cookie string            `json:"cookie,omitempty"`
	Queue  string            `json:"queue,omitempty"`  // "default" when empty
	Labels map[string]string `json:"labels,omitempty"` // a worker must have all of them
	Tags   map[string]string `json:"tags,omitempty"`   // for search only
	// Priority orders runs that wait for the same workers; the highest goes
	// first. Waiting raises it, as the server is set up.
	Priority  int        `json:"priority,omitempty"`
	NotBefore *time.Time `json:"not_before,omitempty"`
	// QueueTimeoutMS and RunTimeoutMS bound, in milliseconds, how long the
	// run may wait for a worker and how long one attempt at it may take. Zero
	// is no limit.
	QueueTimeoutMS int64 `json:"queue_timeout_ms,omitempty"`
	RunTimeoutMS   int64 `json:"run_timeout_ms,omitempty"`
	// MaxAttempts is how many workers may be lost while running it before the
	// run is given up as DEAD. Zero is the server's default.
	MaxAttempts int      `json:"max_attempts,omitempty"`
	Delivery    Delivery `json:"delivery,omitempty"`
	// Detach tells the worker that nobody waits for the result.
	Detach bool `json:"detach,omitempty"`
	// Concurrency bounds how many runs of a key are worked on at the same time.
	Concurrency *Concurrency `json:"concurrency,omitempty"`
	// Retry has the run tried again after certain results.
	Retry *Retry `json:"retry,omitempty"`
}

// A Concurrency bounds how many runs of one key may be worked on at the same
// time. A run of a key is given one of its slots while it is queued, the oldest
// submit first, and holds it until it ends.
type Concurrency struct {
	Key    string            `json:"key"`
	Limit  int               `json:"limit,omitempty"` // slots, as far as this run is concerned; 0 is 1
	Policy ConcurrencyPolicy `json:"policy,omitempty"`
}

// A ConcurrencyPolicy says what a submit does that finds no slot of its key.
type ConcurrencyPolicy string

// The policies. The empty one is to queue.
const (
	ConcurrencyQueue       ConcurrencyPolicy = "queue"        // wait for a slot
	ConcurrencyReject      ConcurrencyPolicy = "reject"       // refuse the submit
	ConcurrencyCancelOlder ConcurrencyPolicy = "cancel_older" // cancel runs of the key, the oldest first
)

// Validate reports everything that is wrong with the submit, as an [Error]
// with code INVALID_REQUEST.
func (s Submit) Validate() error {
	var c check
	c.pipeline("pipeline", s.Pipeline)
	c.digest("digest", s.Digest)
	c.object("variables", s.Variables)
	if s.Cookie != "" {
		c.cookie("cookie", s.Cookie)
	}
	if s.Queue != "" {
		c.name("queue", s.Queue)
	}
	c.labels("labels", s.Labels)
	c.labels("tags", s.Tags)
	c.between("priority", int64(s.Priority), -MaxPriority, MaxPriority)
	if s.NotBefore != nil {
		c.moment("not_before", *s.NotBefore)
	}
	c.atLeast("queue_timeout_ms", s.QueueTimeoutMS, 0)
	c.atLeast("run_timeout_ms", s.RunTimeoutMS, 0)
	c.between("max_attempts", int64(s.MaxAttempts), 0, MaxAttempts)
	c.delivery("delivery", s.Delivery)
	if s.Concurrency != nil {
		c.concurrency("concurrency", *s.Concurrency)
		if s.Concurrency.Policy == ConcurrencyReject && s.NotBefore != nil {
			c.add("concurrency.policy", "reject is decided at once, so there can be no not_before")
		}
	}
	if s.Retry != nil {
		c.retry("retry", *s.Retry)
		if s.Delivery == AtMostOnce {
			c.add("retry", "a run that starts at most once is not tried again")
		}
	}
	return c.err()
}

// A Run is what a reader sees of a run.
type Run struct {
	Cookie      string            `json:"cookie"`
	Pipeline    string            `json:"pipeline"`
	Digest      string            `json:"digest,omitempty"` // that its submit asked for
	State       State             `json:"state"`
	Queue       string            `json:"queue"`
	Labels      map[string]string `json:"labels,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	Priority    int               `json:"priority"`
	Delivery    Delivery          `json:"delivery"`
	Attempt     int               `json:"attempt"` // leases that were taken up
	MaxAttempts int               `json:"max_attempts"`
	Concurrency *Concurrency      `json:"concurrency,omitempty"`
	Retry       *Retry            `json:"retry,omitempty"`
	Retries     int               `json:"retries,omitempty"` // attempts whose result did not end the run
	// RequeuedFrom is the run that this one repeats, RequeuedAs the one that
	// repeats it.
	RequeuedFrom string    `json:"requeued_from,omitempty"`
	RequeuedAs   string    `json:"requeued_as,omitempty"`
	Waiting      *Waiting  `json:"waiting,omitempty"`  // why it is not being worked on; only where a single run is read
	Attempts     []Attempt `json:"attempts,omitempty"` // that have ended; only where a single run is read
	// LateResults were not accepted, the first of them first; only where a single
	// run is read.
	LateResults []LateResult `json:"late_results,omitempty"`
	Blocked     bool         `json:"blocked,omitempty"` // queued, and waits for a slot of its key
	Worker      string       `json:"worker,omitempty"`  // who holds it, or held it last
	// Progress is where it is; only where a single run is read, and only while
	// it is worked on.
	Progress *Progress `json:"progress,omitempty"`
	TraceID  string    `json:"trace_id,omitempty"`
	TraceURL string    `json:"trace_url,omitempty"` // where people look at the trace

	CreatedAt         time.Time  `json:"created_at"`
	NotBefore         *time.Time `json:"not_before,omitempty"`
	StartedAt         *time.Time `json:"started_at,omitempty"` // when the last attempt began
	FinishedAt        *time.Time `json:"finished_at,omitempty"`
	CancelRequestedAt *time.Time `json:"cancel_requested_at,omitempty"`
	CancelDeliveredAt *time.Time `json:"cancel_delivered_at,omitempty"` // the CANCEL was sent to the worker
	CancelStoppingAt  *time.Time `json:"cancel_stopping_at,omitempty"`  // the worker said that it has told the run to stop
	CancelStoppedAt   *time.Time `json:"cancel_stopped_at,omitempty"`   // the run had stopped
	Stop              Stop       `json:"stop,omitempty"`                // how

	// The rest is there once the run has ended.
	RC         RC              `json:"rc,omitempty"`
	Error      string          `json:"error,omitempty"`
	Stacktrace string          `json:"stacktrace,omitempty"`
	Result     json.RawMessage `json:"result,omitempty"`
}

// A RunList is one page of runs, newest first, without their results and
// stacktraces, and with the first 200 characters of their errors.
type RunList struct {
	Runs []Run  `json:"runs"`
	Next string `json:"next,omitempty"` // cursor of the following page
}

// A SubmitBatch carries many submits in one call.
type SubmitBatch struct {
	Runs []Submit `json:"runs"`
}

// Validate reports what is wrong with the batch as a whole.
func (b SubmitBatch) Validate() error {
	var c check
	c.batch("runs", len(b.Runs))
	return c.err()
}

// Submits is a [SubmitBatch] as a server reads it. Each submit is decoded and
// judged on its own, so that one bad submit does not hold up the others.
type Submits struct {
	Runs []json.RawMessage `json:"runs"`
}

// Validate reports what is wrong with the batch as a whole.
func (b Submits) Validate() error {
	var c check
	c.batch("runs", len(b.Runs))
	return c.err()
}

// Submit decodes one submit of the batch and reports everything that is wrong
// with it.
func (b Submits) Submit(i int) (Submit, error) {
	var s Submit
	raw := b.Runs[i]
	if raw[0] != '{' {
		return s, Errorf(CodeInvalidRequest, "%s: must be an object", at("runs", i, ""))
	}
	err := Unmarshal(raw, &s)
	if err == nil {
		err = s.Validate()
	}
	if err != nil {
		return s, Errorf(CodeInvalidRequest, "%s: %w", at("runs", i, ""), err)
	}
	return s, nil
}

// A SubmitResult answers one submit of a batch: a run or a problem.
type SubmitResult struct {
	Run     *Run   `json:"run,omitempty"`
	Problem *Error `json:"problem,omitempty"`
}

// A SubmitBatchResult answers a batch in its order.
type SubmitBatchResult struct {
	Results []SubmitResult `json:"results"`
}

// A QueueStats says how much work a queue has. Demand is what an autoscaler
// wants: queued and leased together, so that busy workers are not scaled away.
type QueueStats struct {
	Queue       string `json:"queue"`
	Queued      int64  `json:"queued"`    // wait for a worker
	Blocked     int64  `json:"blocked"`   // wait for a slot of their concurrency key
	Scheduled   int64  `json:"scheduled"` // wait for their time
	Leased      int64  `json:"leased"`
	Demand      int64  `json:"demand"`
	OldestAgeMS int64  `json:"oldest_age_ms"` // of the queued ones; 0 when there is none
}

// A QueueList is every queue that has runs that have not ended.
type QueueList struct {
	Queues []QueueStats `json:"queues"`
}
