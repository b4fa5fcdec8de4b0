package api

import (
	"fmt"
	"slices"
	"time"
)

// A Selection is what the calls that are about many runs select them by, besides
// their states: the newest that have all that is given. It says how much of that
// is done at once, too.
type Selection struct {
	Pipeline  string            `json:"pipeline,omitempty"`
	Queue     string            `json:"queue,omitempty"`
	Worker    string            `json:"worker,omitempty"`
	Submitter string            `json:"submitter,omitempty"` // name of the token that submitted or requeued it
	Since     time.Time         `json:"since,omitzero"`      // submitted then or later
	Until     time.Time         `json:"until,omitzero"`      // submitted before
	Tags      map[string]string `json:"tags,omitempty"`
	Limit     int               `json:"limit,omitempty"`   // the most runs; 0 is 50
	Cursor    string            `json:"cursor,omitempty"`  // next of the call before, to go on with what is older
	DryRun    bool              `json:"dry_run,omitempty"` // say what would be done, and do nothing
}

// someOf checks that a call names states that it may be about.
func someOf[S ~string](c *check, list []S, states ...S) {
	if len(list) == 0 {
		c.add("states", "is empty")
	}
	c.atMost("states", len(list), len(states))
	for i, s := range list {
		if !slices.Contains(states, s) {
			c.add(at("states", i, ""), fmt.Sprintf("must be one of %s, got %s", states, quote(string(s))))
		}
	}
}

func (c *check) selection(s Selection) {
	if s.Pipeline != "" {
		c.pipeline("pipeline", s.Pipeline)
	}
	if s.Queue != "" {
		c.name("queue", s.Queue)
	}
	if s.Worker != "" {
		c.name("worker", s.Worker)
	}
	if s.Submitter != "" {
		c.name("submitter", s.Submitter)
	}
	if !Ordered(s.Since, s.Until) {
		c.add("until", "must be later than since")
	}
	c.labels("tags", s.Tags)
	c.between("limit", int64(s.Limit), 0, MaxListed)
}

// Ordered reports whether there is any time from since on and before until, of
// which zero is no limit.
func Ordered(since, until time.Time) bool {
	return until.IsZero() || since.Before(until)
}
