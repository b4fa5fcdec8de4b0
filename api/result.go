package api

import (
	"encoding/json"
	"time"
)

// RC is a result code: how a run ended, or why a packet was not obeyed. The
// codes are the original's, plus CANCELLED and TIMEOUT.
type RC string

// The result codes.
const (
	RCOK                    RC = "OK"
	RCBadPacket             RC = "BAD_PACKET"
	RCUnsupportedPacketType RC = "UNSUPPORTED_PACKET_TYPE"
	RCNoCapacity            RC = "NO_CAPACITY"
	RCCookieNotFound        RC = "COOKIE_NOT_FOUND"
	RCCookieCollision       RC = "COOKIE_COLLISION"
	RCWorkerWentAway        RC = "WORKER_WENT_AWAY"
	RCBrokerWentAway        RC = "BROKER_WENT_AWAY"
	RCProcessorException    RC = "PROCESSOR_EXCEPTION"
	RCException             RC = "EXCEPTION"
	RCCancelled             RC = "CANCELLED"
	RCTimeout               RC = "TIMEOUT"
)

var resultCodes = map[RC]bool{
	RCOK: true, RCBadPacket: true, RCUnsupportedPacketType: true, RCNoCapacity: true,
	RCCookieNotFound: true, RCCookieCollision: true, RCWorkerWentAway: true, RCBrokerWentAway: true,
	RCProcessorException: true, RCException: true, RCCancelled: true, RCTimeout: true,
}

// Ends reports whether a run that a worker answers with this code is over.
// The other codes hand the run back: it was not, or not wholly, run.
func (rc RC) Ends() bool {
	switch rc {
	case RCNoCapacity, RCCookieNotFound, RCCookieCollision, RCWorkerWentAway, RCBrokerWentAway:
		return false
	}
	return true
}

// A Result is a worker's answer to a RUN packet. A worker that could not
// finish a run, because it is stopping, answers WORKER_WENT_AWAY; the run goes
// back to its queue and no attempt is charged.
type Result struct {
	Cookie     string `json:"cookie"`
	Fence      int64  `json:"fence"`
	Store      string `json:"store,omitempty"` // as of [Held]
	RC         RC     `json:"rc"`
	Error      string `json:"error,omitempty"`
	Stacktrace string `json:"stacktrace,omitempty"`
	// Result is what the pipeline returned, as JSON. Nil is no result at all,
	// which is not the JSON value null.
	Result json.RawMessage `json:"result,omitempty"`
	// LastEvent is the number of the last event of the attempt, 0 when there
	// is none. It may still be on its way: readers are let wait for it.
	LastEvent int64 `json:"last_event,omitempty"`
	// Stop says how a run that is CANCELLED stopped. Empty is one that had not
	// begun.
	Stop Stop `json:"stop,omitempty"`
}

// A Stop says how a run that was told to stop did so.
type Stop string

// The ways to stop.
const (
	StopCooperative Stop = "cooperative" // by itself, when it was told to
	StopKilled      Stop = "killed"      // when a program that it had started was killed
	StopAbandoned   Stop = "abandoned"   // not in time; what it was doing may go on for a while
)

// Validate reports everything that is wrong with the result.
func (r Result) Validate() error {
	var c check
	c.cookie("cookie", r.Cookie)
	c.atLeast("fence", r.Fence, 1)
	c.text("store", r.Store)
	c.between("last_event", r.LastEvent, 0, MaxEventNumber)
	if !resultCodes[r.RC] {
		c.add("rc", "unknown code "+quote(string(r.RC)))
	}
	return c.err()
}

// A LateResult is one that was not accepted: its lease was lost, or another
// result had come first. It is kept as evidence and changes nothing.
type LateResult struct {
	At         time.Time       `json:"at"` // when it came
	Worker     string          `json:"worker"`
	Attempt    int             `json:"attempt,omitempty"` // number of the attempt that it came of, if that has ended
	RC         RC              `json:"rc"`
	Error      string          `json:"error,omitempty"` // the first 4 KiB, as of the next
	Stacktrace string          `json:"stacktrace,omitempty"`
	Result     json.RawMessage `json:"result,omitempty"` // unless it was larger than 64 KiB
	// ResultBytes is the size of the result that came, zero if there was none.
	ResultBytes int `json:"result_bytes"`
}

// A VerdictCode is what the server did with a result.
type VerdictCode string

// The verdicts. After each of them the worker does not send the result again. One
// that is rejected it sets aside, for it may be another server's.
const (
	VerdictAccepted  VerdictCode = "accepted"  // it is the run's result now
	VerdictDuplicate VerdictCode = "duplicate" // it was already
	VerdictStale     VerdictCode = "stale"     // the lease was lost, or another result came first
	VerdictRejected  VerdictCode = "rejected"  // it is malformed or of another database, or no such run exists
)

// A Verdict answers one result of a batch.
type Verdict struct {
	Cookie  string      `json:"cookie,omitempty"` // unless the result's was malformed
	Fence   int64       `json:"fence"`
	Verdict VerdictCode `json:"verdict"`
	Detail  string      `json:"detail,omitempty"`
}
