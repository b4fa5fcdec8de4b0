package api

import (
	"cmp"
	"fmt"
	"time"
)

// A WorkerStatus is how a worker stands, as it says itself. It names runs,
// pipelines and tasks, and holds no variables, results or secrets.
type WorkerStatus struct {
	Worker    string    `json:"worker"`
	Version   string    `json:"version"`
	StartedAt time.Time `json:"started_at"`
	// Ready says whether the worker can take work now, and NotReady why not.
	Ready    bool     `json:"ready"`
	NotReady []string `json:"not_ready,omitempty"`
	// Stalled are loops of the worker that do not turn any more, which is a
	// bug: restart it.
	Stalled  []string `json:"stalled,omitempty"`
	Draining bool     `json:"draining"`
	Paused   string   `json:"paused,omitempty"` // why it takes nothing for the time being

	Slots   Slots         `json:"slots"`
	Runs    []RunInHand   `json:"runs"`
	Outbox  *OutboxStatus `json:"outbox,omitempty"` // absent when results are kept in memory alone
	Contact Contact       `json:"contact"`
	Policy  WorkerPolicy  `json:"policy"`
}

// Slots are how many runs a worker works on, and how many it may.
type Slots struct {
	Used  int `json:"used"`
	Limit int `json:"limit"`
}

// A HandState is what a worker does with a run that it holds.
type HandState string

// The states of a run in a worker's hand.
const (
	HandWaiting    HandState = "waiting" // for the server to record that it starts
	HandRunning    HandState = "running"
	HandCancelling HandState = "cancelling"
	HandEnded      HandState = "ended" // the server has not judged its result
)

// HandStates are all of them.
var HandStates = []HandState{HandWaiting, HandRunning, HandCancelling, HandEnded}

// A RunInHand is a run that a worker holds.
type RunInHand struct {
	Cookie   string    `json:"cookie"`
	Fence    int64     `json:"fence"`
	Pipeline string    `json:"pipeline"`
	Queue    string    `json:"queue,omitempty"`
	Attempt  int       `json:"attempt,omitempty"`
	State    HandState `json:"state"`
	Since    time.Time `json:"since"` // when this worker took it up, or ended it
	TraceID  string    `json:"trace_id,omitempty"`
	// Tasks are those under way, the outermost first. Several of one level run
	// side by side. Beyond the first 25 turns of a loop only the loop itself
	// is told.
	Tasks []TaskInHand `json:"tasks,omitempty"`
}

// A TaskInHand is a task that has begun and not ended.
type TaskInHand struct {
	Pipeline string    `json:"pipeline"`
	Number   int       `json:"number"` // from 1
	Name     string    `json:"name,omitempty"`
	Kind     string    `json:"kind"`
	Chip     string    `json:"chip,omitempty"`
	Since    time.Time `json:"since"`
	Turn     int       `json:"turn,omitempty"`  // of a loop, from 1
	Turns    int       `json:"turns,omitempty"` // that the loop has
}

// Label is what people call the task: its name, or its chip, or its kind and
// number.
func (t TaskInHand) Label() string {
	return cmp.Or(t.Name, t.Chip, fmt.Sprintf("%s %d", t.Kind, t.Number))
}

// An OutboxStatus is what waits in a worker's outbox.
type OutboxStatus struct {
	Entries int   `json:"entries"`
	Bytes   int64 `json:"bytes"`
	// OldestAt is when the longest waiting one was put there, or found there
	// at the start.
	OldestAt *time.Time `json:"oldest_at,omitempty"`
}

// A Contact is how a worker stands with its server.
type Contact struct {
	Registered bool `json:"registered"`
	// LastAt is when the server last answered, and LostAt since when it does
	// not.
	LastAt *time.Time `json:"last_at,omitempty"`
	LostAt *time.Time `json:"lost_at,omitempty"`
	// LimitMS is how long the server may be silent before the worker is not
	// ready any more: two heartbeats, and not less than a poll is held.
	LimitMS int64 `json:"limit_ms"`
	HoldMS  int64 `json:"hold_ms"` // in use, which the path may have lowered
	LeaseMS int64 `json:"lease_ms"`
	RenewMS int64 `json:"renew_ms"`
	Polls   Polls `json:"polls"`
}

// Polls counts what became of a worker's polls since it started.
type Polls struct {
	Runs   int64 `json:"runs"` // brought packets
	Empty  int64 `json:"empty"`
	Cut    int64 `json:"cut"` // by something on the way
	Failed int64 `json:"failed"`
}

// A WorkerPolicy is what a worker's own settings let the server ask for.
type WorkerPolicy struct {
	Queues    []string          `json:"queues"`
	Labels    map[string]string `json:"labels,omitempty"`
	Allow     []string          `json:"allow,omitempty"` // patterns of pipelines; absent allows all
	Pipelines int               `json:"pipelines"`       // that it offers
}
