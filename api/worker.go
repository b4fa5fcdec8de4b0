package api

import "time"

// A PipelineInfo is a pipeline that a worker holds.
type PipelineInfo struct {
	Name   string `json:"name"`
	Digest string `json:"digest,omitempty"` // "sha256:..." over the pipeline's source; printable ASCII without spaces
}

// Register announces a worker. The newest session of a name wins at once, and
// the one before it is told so.
type Register struct {
	Name     string            `json:"name"`
	Capacity int               `json:"capacity"`
	Queues   []string          `json:"queues,omitempty"` // ["default"] when empty
	Labels   map[string]string `json:"labels,omitempty"`
	// Pipelines are the only ones that the server may send. Absent means any.
	Pipelines []PipelineInfo `json:"pipelines,omitzero"`
	Version   string         `json:"version,omitempty"`
	// Session is what the session is to be called: PROCESS.N, where PROCESS is
	// new with each start and N counts its registrations from 1. One that the
	// network delivers after a later one of the same process supersedes
	// nothing. Empty leaves the name to the server.
	Session string `json:"session,omitempty"`
	// Holding names the leases of an earlier session that this process still
	// works on, or has the results of, be it from an earlier process. What it
	// does not name is taken as lost.
	Holding []Held `json:"holding,omitempty"`
}

// Validate reports everything that is wrong with the registration.
func (r Register) Validate() error {
	var c check
	c.name("name", r.Name)
	c.between("capacity", int64(r.Capacity), 1, MaxCapacity)
	c.atMost("queues", len(r.Queues), MaxQueues)
	for i, q := range r.Queues {
		c.name(at("queues", i, ""), q)
	}
	c.labels("labels", r.Labels)
	c.atMost("pipelines", len(r.Pipelines), MaxPipelines)
	for i, p := range r.Pipelines {
		c.pipeline(at("pipelines", i, "name"), p.Name)
		c.digest(at("pipelines", i, "digest"), p.Digest)
	}
	c.text("version", r.Version)
	if r.Session != "" {
		c.session(r.Session)
	}
	c.holding(r.Holding)
	return c.err()
}

// Registered answers a registration with what the worker must keep to.
type Registered struct {
	WorkerID string `json:"worker_id"`
	Session  string `json:"session"`
	HoldMS   int64  `json:"hold_ms"`  // how long a poll may be held
	LeaseMS  int64  `json:"lease_ms"` // how long leases last without contact
	RenewMS  int64  `json:"renew_ms"` // how often to send a heartbeat
	// Store tells the server's database from every other. Empty from a server
	// that does not know of it.
	Store string `json:"store,omitempty"`
	// Lost are the leases of Holding that are no longer this worker's.
	Lost []Held `json:"lost,omitempty"`
	// OTLP are the signals that the worker may export through the server.
	OTLP   []Signal `json:"otlp,omitempty"`
	Limits Limits   `json:"limits"`
}

// A Signal is a kind of telemetry.
type Signal string

// The signals.
const (
	SignalTraces  Signal = "traces"
	SignalMetrics Signal = "metrics"
	SignalLogs    Signal = "logs"
)

// Limits are the sizes, in bytes, that the server accepts.
type Limits struct {
	BodyBytes   int64 `json:"body_bytes"`
	ResultBytes int64 `json:"result_bytes"`
}

// Poll asks for packets, and acknowledges the RUN packets of the poll before
// it by naming them in Holding.
type Poll struct {
	Session string `json:"session"`
	// HoldMS is how long the server may wait for something to send, in
	// milliseconds. It is bounded by the server's own hold.
	HoldMS  int64  `json:"hold_ms,omitempty"`
	Holding []Held `json:"holding"`
	// Draining says that the worker takes no more runs.
	Draining bool `json:"draining,omitempty"`
	// Paused is why the worker takes no runs for the time being, for people.
	// Empty when it takes some.
	Paused string `json:"paused,omitempty"`
	// MaxRuns is the most RUN packets that the answer may carry. Nil is as many
	// as there are free slots.
	MaxRuns *int `json:"max_runs,omitempty"`
	// Run is the cookie of the only run that the worker takes, whatever its queue
	// and labels are, if its token is not bound to others. Empty takes any that the
	// worker has registered for.
	Run string `json:"run,omitempty"`
}

// Validate reports everything that is wrong with the poll.
func (p Poll) Validate() error {
	var c check
	c.session(p.Session)
	c.atLeast("hold_ms", p.HoldMS, 0)
	c.held(p.Holding)
	c.text("paused", p.Paused)
	if p.MaxRuns != nil {
		c.atLeast("max_runs", int64(*p.MaxRuns), 0)
	}
	if p.Run != "" {
		c.cookie("run", p.Run)
	}
	return c.err()
}

// Packets answers a poll.
type Packets struct {
	Packets []Packet `json:"packets"`
}

// Heartbeat renews all leases of a session at once.
type Heartbeat struct {
	Session  string `json:"session"`
	Holding  []Held `json:"holding"`
	Draining bool   `json:"draining,omitempty"`
}

// Validate reports everything that is wrong with the heartbeat.
func (h Heartbeat) Validate() error {
	var c check
	c.session(h.Session)
	c.held(h.Holding)
	return c.err()
}

// Beat answers a heartbeat.
type Beat struct {
	Packets []Packet `json:"packets"`           // CANCEL and SHUTDOWN only
	Lost    []Held   `json:"lost,omitempty"`    // leases that are no longer this worker's
	Claimed []Held   `json:"claimed,omitempty"` // at-most-once runs that may start now
}

// Results carries finished runs.
type Results struct {
	Session string   `json:"session"`
	Results []Result `json:"results"`
}

// Validate reports what is wrong with the batch as a whole. Each result is
// judged on its own, so that one bad result does not hold up the others.
func (r Results) Validate() error {
	var c check
	c.session(r.Session)
	c.batch("results", len(r.Results))
	return c.err()
}

// Verdicts answers a batch of results in its order.
type Verdicts struct {
	Verdicts []Verdict `json:"verdicts"`
}

// A Worker is what a reader sees of a worker.
type Worker struct {
	ID           string            `json:"id"`
	Capacity     int               `json:"capacity"`
	Holding      int               `json:"holding"`
	Queues       []string          `json:"queues"`
	Labels       map[string]string `json:"labels,omitempty"`
	Pipelines    []PipelineInfo    `json:"pipelines,omitempty"`
	Version      string            `json:"version,omitempty"`
	Process      string            `json:"process,omitempty"` // new with each start of the worker
	Draining     bool              `json:"draining"`
	Paused       string            `json:"paused,omitempty"` // why it takes nothing for the time being
	RegisteredAt time.Time         `json:"registered_at"`
	SeenAt       time.Time         `json:"seen_at"`
	ExpiresAt    time.Time         `json:"expires_at"` // when its leases end unless it is heard of again
}

// A WorkerList is every worker with a live session.
type WorkerList struct {
	Workers []Worker `json:"workers"`
}
