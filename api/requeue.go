package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

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
	if r.Pipeline != "" {
		c.pipeline("pipeline", r.Pipeline)
	}
	if r.Queue != "" {
		c.name("queue", r.Queue)
	}
	if r.Worker != "" {
		c.name("worker", r.Worker)
	}
	if r.Submitter != "" {
		c.name("submitter", r.Submitter)
	}
	if !Ordered(r.Since, r.Until) {
		c.add("until", "must be later than since")
	}
	c.labels("tags", r.Tags)
	c.between("limit", int64(r.Limit), 0, MaxListed)
	return c.err()
}

// UnmarshalJSON refuses fields that this version does not know, as no other body
// does: without a filter that was asked for, more runs would be requeued.
func (r *Requeue) UnmarshalJSON(raw []byte) error {
	type body Requeue
	if err := json.Unmarshal(raw, (*body)(r)); err != nil {
		return err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return err
	}
	var known []string
	for f := range reflect.TypeFor[Requeue]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		known = append(known, name)
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, name) }) {
			return fmt.Errorf("%s: is no field of this body, whose fields are %s", strings.Trim(quote(name), `"`), strings.Join(known, ", "))
		}
	}
	return nil
}

// Ordered reports whether there is any time from since on and before until, of
// which zero is no limit.
func Ordered(since, until time.Time) bool {
	return until.IsZero() || since.Before(until)
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
