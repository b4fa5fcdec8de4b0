package api

import (
	"fmt"
	"slices"
	"time"
)

// A Retry says which results do not end a run, but have it tried again: it is
// SCHEDULED until a wait is over that doubles each time, less up to half of it.
// Only the last attempt's result is the run's.
type Retry struct {
	Max          int   `json:"max"`                      // how often the run is tried again
	BackoffMS    int64 `json:"backoff_ms,omitempty"`     // wait before the first retry; 0 is a second
	MaxBackoffMS int64 `json:"max_backoff_ms,omitempty"` // longest wait; 0 is five minutes
	// On are the result codes to try again after. Empty is
	// PROCESSOR_EXCEPTION, EXCEPTION and TIMEOUT.
	On []RetryCode `json:"on,omitempty"`
}

// A RetryCode is a result code after which a run can be tried again.
type RetryCode string

// The codes: those of failures.
const (
	RetryProcessorException    RetryCode = "PROCESSOR_EXCEPTION"
	RetryException             RetryCode = "EXCEPTION"
	RetryTimeout               RetryCode = "TIMEOUT"
	RetryBadPacket             RetryCode = "BAD_PACKET"
	RetryUnsupportedPacketType RetryCode = "UNSUPPORTED_PACKET_TYPE"
)

// DefaultRetryOn is what a retry that names no codes is for.
func DefaultRetryOn() []RetryCode {
	return []RetryCode{RetryProcessorException, RetryException, RetryTimeout}
}

var retryCodes = []RetryCode{RetryProcessorException, RetryException, RetryTimeout, RetryBadPacket, RetryUnsupportedPacketType}

func (c *check) retry(field string, r Retry) {
	c.between(field+".max", int64(r.Max), 1, MaxRetries)
	c.atLeast(field+".backoff_ms", r.BackoffMS, 0)
	c.atLeast(field+".max_backoff_ms", r.MaxBackoffMS, 0)
	c.atMost(field+".on", len(r.On), len(resultCodes))
	for i, code := range r.On {
		if !slices.Contains(retryCodes, code) {
			c.add(at(field+".on", i, ""), fmt.Sprintf("must be one of %v, got %s", retryCodes, quote(string(code))))
		}
	}
}

// An Attempt is a lease of a run that was taken up and has ended.
type Attempt struct {
	Number    int       `json:"number"` // one that was handed back leaves its number to the next
	Worker    string    `json:"worker"`
	Digest    string    `json:"digest,omitempty"` // of the pipeline as the worker had it, if it said
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at"`
	Outcome   Outcome   `json:"outcome"`
	RC        RC        `json:"rc,omitempty"`     // of a result
	Reason    string    `json:"reason,omitempty"` // why it ended so; of a result its error
}

// An Outcome is how an attempt ended.
type Outcome string

// The outcomes.
const (
	OutcomeSettled   Outcome = "settled"   // the worker sent a result
	OutcomeExpired   Outcome = "expired"   // the worker lost its lease
	OutcomeReleased  Outcome = "released"  // the worker handed the run back
	OutcomeAbandoned Outcome = "abandoned" // the worker did not answer in time
)
