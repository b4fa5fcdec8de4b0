package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// The kinds of events that mean something to everybody. A worker may post
// others.
const (
	// EventState tells a run's state. Only the server sends it.
	EventState = "state"
	// EventProgress tells where a run is: its data is a [Progress]. Only the
	// last one of a run is kept.
	EventProgress = "progress"
	// EventLog is a line that a run logged: its data is a [LogLine].
	EventLog = "log"
)

// An Event is one line of a run's history.
type Event struct {
	N    int64     `json:"n"` // grows within the run
	At   time.Time `json:"at"`
	Kind string    `json:"kind"`
	// Dropped is how many events of the attempt before this one were not kept,
	// by the worker or by the server, counted from the event before it.
	Dropped int64           `json:"dropped,omitempty"`
	Data    json.RawMessage `json:"data,omitempty"`
}

// An EventList is one page of a run's history.
type EventList struct {
	Events []Event `json:"events"`
	// Next is the number after which the following page begins. It is there
	// even when there is none yet.
	Next  int64 `json:"next"`
	State State `json:"state"` // of the run
}

// A LogLine is what a run logged at one time.
type LogLine struct {
	Level string `json:"level"`          // debug, info, warn or error
	Task  string `json:"task,omitempty"` // that logged it
	Text  string `json:"text"`
}

// A Progress is where a run is: the task that began last, with those around it.
type Progress struct {
	At    time.Time    `json:"at"`    // when it was so
	Tasks []TaskInHand `json:"tasks"` // the outermost first
}

// Path names the tasks, the outermost first, with the turns of their loops.
func (p Progress) Path() string {
	names := make([]string, len(p.Tasks))
	for i, t := range p.Tasks {
		names[i] = t.Label()
		if t.Turns > 0 {
			names[i] += fmt.Sprintf(" %d/%d", t.Turn, t.Turns)
		}
	}
	return strings.Join(names, " > ")
}

// A RunEvent is a line that a worker adds to a run's history.
type RunEvent struct {
	Cookie string `json:"cookie"`
	Fence  int64  `json:"fence"`
	// N is 1, 2, 3 ... within the attempt, so that a repeat is known and what
	// was dropped leaves a gap. Progress is counted apart.
	N    int64     `json:"n"`
	At   time.Time `json:"at"`
	Kind string    `json:"kind"`
	// Store is as of [Held]. What another database's run tells is dropped.
	Store string          `json:"store,omitempty"`
	Data  json.RawMessage `json:"data,omitempty"`
}

// Events carries lines for the history of runs. They may be dropped.
type Events struct {
	Session string     `json:"session"`
	Events  []RunEvent `json:"events"`
}

// EventsTaken answers events.
type EventsTaken struct {
	// Watched are the cookies of those runs, of which progress was among the
	// events, that somebody is looking at: their progress is wanted every
	// second.
	Watched []string `json:"watched"`
}

// Validate reports everything that is wrong with the events.
func (e Events) Validate() error {
	var c check
	c.session(e.Session)
	if e.Events == nil {
		c.add("events", "is required")
	}
	c.atMost("events", len(e.Events), MaxEventsInOne)
	for i, ev := range e.Events {
		c.cookie(at("events", i, "cookie"), ev.Cookie)
		c.atLeast(at("events", i, "fence"), ev.Fence, 1)
		c.between(at("events", i, "n"), ev.N, 1, MaxEventNumber)
		if ev.At.IsZero() {
			c.add(at("events", i, "at"), "is required")
		}
		c.moment(at("events", i, "at"), ev.At)
		c.name(at("events", i, "kind"), ev.Kind)
		c.text(at("events", i, "store"), ev.Store)
		if len(ev.Data) > MaxEventDataBytes {
			c.add(at("events", i, "data"), fmt.Sprintf("is larger than %d bytes", MaxEventDataBytes))
		}
		switch ev.Kind {
		case EventState:
			c.add(at("events", i, "kind"), quote(EventState)+" is the server's own; take another")
		case EventProgress:
			c.progress(at("events", i, "data"), ev.Data)
		}
	}
	return c.err()
}

func (c *check) progress(field string, data json.RawMessage) {
	var p Progress
	if err := json.Unmarshal(data, &p); err != nil {
		c.add(field, "is not what the kind "+quote(EventProgress)+" has: "+err.Error())
		return
	}
	c.between(field+".tasks", int64(len(p.Tasks)), 1, MaxProgressTasks)
}
