package api

import "time"

// A Requeue asks for runs that ended without success to be run again: the
// newest that are in one of the states, have all else that is given, and have
// not been requeued.
type Requeue struct {
	States []RequeueState `json:"states"`
	Selection
}

// A RequeueState is a state of runs that can be requeued.
type RequeueState string

// The states of runs that ended without success.
const (
	RequeueFailed    RequeueState = "FAILED"
	RequeueCancelled RequeueState = "CANCELLED"
	RequeueTimedOut  RequeueState = "TIMED_OUT"
	RequeueDead      RequeueState = "DEAD"
)

// Validate reports everything that is wrong with the request.
func (r Requeue) Validate() error {
	var c check
	someOf(&c, r.States, RequeueFailed, RequeueCancelled, RequeueTimedOut, RequeueDead)
	c.selection(r.Selection)
	return c.err()
}

// A RequeueResult says what was, or would be, requeued.
type RequeueResult struct {
	Requeued []Requeued `json:"requeued"`
	Next     string     `json:"next,omitempty"` // cursor of the older ones, where there are more than the limit

	// Until is the time before which what was looked at was submitted. A further
	// call that is given it leaves out the runs that this one has made, which may
	// have ended without success as well.
	Until time.Time `json:"until"`
}

// Requeued is one run that was to be requeued, and the one that was made of it,
// or why none was.
type Requeued struct {
	From    string `json:"from"`
	Cookie  string `json:"cookie"`
	Problem *Error `json:"problem,omitempty"`
}
