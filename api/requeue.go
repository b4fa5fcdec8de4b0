package api

import "time"

// A Requeue asks for runs that ended without success to be run again: the
// newest that are in one of the states, have all else that is given, and have
// not been requeued.
type Requeue struct {
	States    []RequeueState    `json:"states"`
	Pipeline  string            `json:"pipeline,omitempty"`
	Queue     string            `json:"queue,omitempty"`
	Worker    string            `json:"worker,omitempty"`
	Submitter string            `json:"submitter,omitempty"` // name of the token that submitted or requeued it
	Since     time.Time         `json:"since,omitzero"`      // submitted then or later
	Until     time.Time         `json:"until,omitzero"`      // submitted before
	Tags      map[string]string `json:"tags,omitempty"`
	Limit     int               `json:"limit,omitempty"`   // the most runs; 0 is 50
	DryRun    bool              `json:"dry_run,omitempty"` // say what would be done, and do nothing
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
	if len(r.States) == 0 {
		c.add("states", "is empty")
	}
	c.atMost("states", len(r.States), 4)
	for i, s := range r.States {
		switch s {
		case RequeueFailed, RequeueCancelled, RequeueTimedOut, RequeueDead:
		default:
			c.add(at("states", i, ""), quote(string(s))+" must be FAILED, CANCELLED, TIMED_OUT or DEAD")
		}
	}
	c.selection(r.Selection())
	return c.err()
}

// Selection is which runs, other than by state.
func (r Requeue) Selection() Selection {
	return Selection{Pipeline: r.Pipeline, Queue: r.Queue, Worker: r.Worker, Submitter: r.Submitter,
		Since: r.Since, Until: r.Until, Tags: r.Tags, Limit: r.Limit}
}

// A RequeueResult says what was, or would be, requeued.
type RequeueResult struct {
	Requeued []Requeued `json:"requeued"`
	More     bool       `json:"more"` // there were more than the limit
}

// Requeued is one run that was to be requeued, and the one that was made of it,
// or why none was.
type Requeued struct {
	From    string `json:"from"`
	Cookie  string `json:"cookie"`
	Problem *Error `json:"problem,omitempty"`
}
