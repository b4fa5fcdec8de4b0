package api

import "time"

// A Selection is what the calls that are about many runs select them by, besides
// their states: the newest that have all that is given.
type Selection struct {
	Pipeline, Queue, Worker, Submitter string
	Since, Until                       time.Time
	Tags                               map[string]string
	Limit                              int // 0 is 50
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
