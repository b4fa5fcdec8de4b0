package api

import "time"

// A Cancel asks for a run to be stopped.
type Cancel struct {
	Reason string `json:"reason,omitempty"`
}

// Validate reports everything that is wrong with the request.
func (c Cancel) Validate() error {
	var found check
	found.text("reason", c.Reason)
	return found.err()
}

// A CancelRuns asks for many runs to be stopped: the newest that are in one of the
// states, have all else that is given, and that nobody has cancelled.
type CancelRuns struct {
	States    []CancelState     `json:"states"`
	Pipeline  string            `json:"pipeline,omitempty"`
	Queue     string            `json:"queue,omitempty"`
	Worker    string            `json:"worker,omitempty"`
	Submitter string            `json:"submitter,omitempty"` // name of the token that submitted or requeued it
	Since     time.Time         `json:"since,omitzero"`      // submitted then or later
	Until     time.Time         `json:"until,omitzero"`      // submitted before
	Tags      map[string]string `json:"tags,omitempty"`
	Reason    string            `json:"reason,omitempty"`
	Limit     int               `json:"limit,omitempty"`   // the most runs; 0 is 50
	DryRun    bool              `json:"dry_run,omitempty"` // say what would be done, and do nothing
}

// A CancelState is a state of runs that can be cancelled.
type CancelState string

// The states of runs that have not ended.
const (
	CancelScheduled CancelState = "SCHEDULED"
	CancelQueued    CancelState = "QUEUED"
	CancelOffered   CancelState = "OFFERED"
	CancelRunning   CancelState = "RUNNING"
)

// Validate reports everything that is wrong with the request.
func (r CancelRuns) Validate() error {
	var c check
	if len(r.States) == 0 {
		c.add("states", "is empty")
	}
	c.atMost("states", len(r.States), 4)
	for i, s := range r.States {
		switch s {
		case CancelScheduled, CancelQueued, CancelOffered, CancelRunning:
		default:
			c.add(at("states", i, ""), quote(string(s))+" must be SCHEDULED, QUEUED, OFFERED or RUNNING")
		}
	}
	c.selection(r.Selection())
	c.text("reason", r.Reason)
	return c.err()
}

// Selection is which runs, other than by state.
func (r CancelRuns) Selection() Selection {
	return Selection{Pipeline: r.Pipeline, Queue: r.Queue, Worker: r.Worker, Submitter: r.Submitter,
		Since: r.Since, Until: r.Until, Tags: r.Tags, Limit: r.Limit}
}

// A CancelRunsResult says what was, or would be, cancelled.
type CancelRunsResult struct {
	Cancelled []Cancelled `json:"cancelled"`
	More      bool        `json:"more"` // there were more than the limit
}

// Cancelled is one run that was to be cancelled and the state that it is in now,
// or why it was not.
type Cancelled struct {
	Cookie  string `json:"cookie"`
	State   State  `json:"state"`
	Problem *Error `json:"problem,omitempty"`
}
