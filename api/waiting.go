package api

import "time"

// A Waiting says why a run is not being worked on, as things stand.
type Waiting struct {
	Reason   WaitingReason     `json:"reason"`
	Message  string            `json:"message"`                  // a sentence for people
	Until    *time.Time        `json:"until,omitempty"`          // when the wait for a time is over
	Holders  []string          `json:"holders,omitempty"`        // runs that have a slot of its concurrency key
	Missing  map[string]string `json:"missing_labels,omitempty"` // that the best worker of its queue lacks
	Digests  []string          `json:"digests,omitempty"`        // that workers have its pipeline with, other than its own
	Paused   map[string]string `json:"paused,omitempty"`         // why workers are, by name
	Workers  int               `json:"workers,omitempty"`        // that could take the run, but for the reason
	Slots    int               `json:"slots,omitempty"`          // runs that these workers can work on at once
	Position int               `json:"position,omitempty"`       // its place in line, from 1, among those that these workers could take
}

// A WaitingReason is why a run is not being worked on.
type WaitingReason string

// The reasons.
const (
	WaitingNotBefore   WaitingReason = "not_before"              // its submitter asked for a time
	WaitingRetry       WaitingReason = "retry_backoff"           // an attempt has failed
	WaitingConcurrency WaitingReason = "concurrency_limit"       // its key has no slot free
	WaitingNoWorker    WaitingReason = "no_worker"               // none takes from its queue
	WaitingNoLabels    WaitingReason = "no_worker_with_labels"   // none of these has its labels
	WaitingNoPipeline  WaitingReason = "no_worker_with_pipeline" // none of these has its pipeline
	WaitingNoDigest    WaitingReason = "no_worker_with_digest"   // none of these has it with the digest that it asks for
	WaitingDraining    WaitingReason = "workers_draining"        // these take nothing more
	WaitingPaused      WaitingReason = "workers_paused"          // these take nothing for the time being
	WaitingBusy        WaitingReason = "workers_busy"            // these have no room
	WaitingOfferedSoon WaitingReason = "offered_soon"            // there is room
	WaitingOffered     WaitingReason = "offered"                 // a worker was sent it and has not answered
)
