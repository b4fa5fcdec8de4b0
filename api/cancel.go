package api

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
	States []CancelState `json:"states"`
	Selection
	Reason string `json:"reason,omitempty"`
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
	someOf(&c, r.States, CancelScheduled, CancelQueued, CancelOffered, CancelRunning)
	c.selection(r.Selection)
	c.text("reason", r.Reason)
	return c.err()
}

// A CancelRunsResult says what was, or would be, cancelled.
type CancelRunsResult struct {
	Cancelled []Cancelled `json:"cancelled"`
	Next      string      `json:"next,omitempty"` // cursor of the older ones, where there are more than the limit
}

// Cancelled is one run that was to be cancelled and the state that it is in now,
// or why it was not.
type Cancelled struct {
	Cookie  string `json:"cookie"`
	State   State  `json:"state"`
	Problem *Error `json:"problem,omitempty"`
}
