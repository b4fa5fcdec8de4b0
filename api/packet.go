package api

import "encoding/json"

// A PacketType says what a packet asks of a worker.
type PacketType string

// The packets that a server sends.
const (
	PacketRun      PacketType = "RUN"      // run a pipeline
	PacketCancel   PacketType = "CANCEL"   // stop one run
	PacketShutdown PacketType = "SHUTDOWN" // take nothing more, finish, leave
)

// A Packet is one instruction from the server to a worker. Cookie and Fence
// name the lease that RUN offers or CANCEL ends; the other fields belong to
// RUN, except Reason, which CANCEL and SHUTDOWN may carry for people.
type Packet struct {
	PacketType PacketType      `json:"packet_type"`
	Cookie     string          `json:"cookie,omitempty"`
	Fence      int64           `json:"fence,omitempty"`
	Pipeline   string          `json:"pipeline,omitempty"`
	Variables  json.RawMessage `json:"variables,omitempty"`
	Detach     bool            `json:"detach,omitempty"`
	Queue      string          `json:"queue,omitempty"`
	// Labels are those that the run asks for, so that a worker can tell whether
	// it is for it.
	Labels   map[string]string `json:"labels,omitempty"`
	Attempt  int               `json:"attempt,omitempty"`
	Delivery Delivery          `json:"delivery,omitempty"`
	// TimeoutMS is how long this attempt may take, in milliseconds. Zero is
	// no limit.
	TimeoutMS int64  `json:"timeout_ms,omitempty"`
	Reason    string `json:"reason,omitempty"`
	// TraceParent and TraceState are the W3C trace context of the span that
	// sent the run. They belong to the packet, not to the HTTP request.
	TraceParent string `json:"traceparent,omitempty"`
	TraceState  string `json:"tracestate,omitempty"`
	// TraceLinks are the spans, in the format of TraceParent, that the
	// worker's span of this attempt links to: its lease's, and that of the
	// attempt before.
	TraceLinks []string `json:"trace_links,omitempty"`
}

// Validate reports everything that makes the packet unusable, as a
// [PacketError] whose RC is BAD_PACKET, or UNSUPPORTED_PACKET_TYPE when a newer
// server has sent a type that this worker does not know.
func (p Packet) Validate() error {
	var c check
	switch p.PacketType {
	case PacketRun:
		c.cookie("cookie", p.Cookie)
		c.atLeast("fence", p.Fence, 1)
		c.pipeline("pipeline", p.Pipeline)
		c.object("variables", p.Variables)
		c.atLeast("timeout_ms", p.TimeoutMS, 0)
		c.delivery("delivery", p.Delivery)
	case PacketCancel:
		c.cookie("cookie", p.Cookie)
		c.atLeast("fence", p.Fence, 1)
	case PacketShutdown:
	default:
		return &PacketError{RC: RCUnsupportedPacketType, Message: "packet type " + quote(string(p.PacketType)) + " is not known to this worker"}
	}
	if len(c.Problems) > 0 {
		return &PacketError{RC: RCBadPacket, Message: string(p.PacketType) + " packet: " + c.Error()}
	}
	return nil
}

// A PacketError says why a packet cannot be obeyed, and the result code that
// answers it.
type PacketError struct {
	RC      RC
	Message string
}

func (e *PacketError) Error() string { return e.Message }

// Held names a lease that a worker holds: a run that it is working on, or
// whose result the server has not accepted yet.
type Held struct {
	Cookie string `json:"cookie"`
	Fence  int64  `json:"fence"`
	// Store is the server's database that gave the lease. Empty if that is not
	// known.
	Store string `json:"store,omitempty"`
	// Cancelling says that the worker has received the CANCEL for this run,
	// so the server need not send it again.
	Cancelling bool `json:"cancelling,omitempty"`
	// Claim asks the server to record that an at-most-once run is about to
	// start. Only a heartbeat may carry it.
	Claim bool `json:"claim,omitempty"`
	// TraceParent is the worker's span of this attempt, so that the server
	// can close it should the worker die.
	TraceParent string `json:"traceparent,omitempty"`
}
