package store

import (
	"fmt"
	"time"
)

// State is where a run stands. The numbers are what the tables hold.
type State int

const (
	Scheduled State = iota // waits for its time
	Queued                 // waits for a worker
	Offered                // sent to a worker that has not named it yet
	Running                // a worker has it
	Succeeded
	Failed
	Cancelled
	TimedOut
	Dead // its worker was lost and it may not be started again
)

var stateNames = [...]string{
	"SCHEDULED", "QUEUED", "OFFERED", "RUNNING",
	"SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT", "DEAD",
}

func (s State) String() string { return stateNames[s] }

// Terminal reports whether a run in this state never changes again.
func (s State) Terminal() bool { return s >= Succeeded }

// Leased reports whether a worker has a lease on a run in this state.
func (s State) Leased() bool { return s == Offered || s == Running }

// ParseState is the reverse of String.
func ParseState(text string) (State, error) {
	for i, name := range stateNames {
		if name == text {
			return State(i), nil
		}
	}
	return 0, fmt.Errorf("unknown state %q", text)
}

// Result codes that the state machine itself reads or writes.
const (
	rcOK             = "OK"
	rcCancelled      = "CANCELLED"
	rcTimeout        = "TIMEOUT"
	rcWorkerWentAway = "WORKER_WENT_AWAY"
)

// eventKind is something that can happen to a run.
type eventKind int

const (
	evOffer   eventKind = iota // a worker with a free slot asks: a new lease
	evReoffer                  // the worker polled and did not name the offer
	evAccept                   // the worker named the offer
	evAdopt                    // a new session of the worker names the run
	evClaim                    // the worker is about to start an AtMostOnce run
	evFinish                   // the worker sent the result
	evRelease                  // the worker hands the run back
	evExpire                   // the worker lost its lease
	evCancel                   // somebody wants the run to stop
	evDue                      // the time in Due has passed
	evResume                   // the server was away, and with it every clock, or its answer takes long
	evGrant                    // there may be a slot of its key for the run
	evTell                     // the worker is sent the cancellation
	evHeed                     // the worker has told the run to stop
	evReturn                   // the worker that lost the lease is back and has the run still
)

var kindNames = [...]string{
	"offer", "reoffer", "accept", "adopt", "claim", "finish", "release", "expire", "cancel", "due", "resume", "grant", "tell", "heed", "return",
}

func (k eventKind) String() string { return kindNames[k] }

// event is one thing that happens to a run. What a worker does carries the
// fence of its lease and has no effect under any other.
type event struct {
	kind       eventKind
	worker     string        // evOffer, evReturn
	session    string        // evOffer, evReturn, evAdopt
	digest     string        // evOffer, evReturn: of the pipeline as the worker has it
	fence      int64         // evReoffer, evAccept, evAdopt, evClaim, evFinish, evRelease, evTell, evHeed, evReturn
	span       string        // evAccept, evAdopt
	rc         string        // evFinish
	errText    string        // evFinish
	stop       Stop          // evFinish
	by, reason string        // evCancel; evRelease has a reason
	held       int           // evGrant: slots of the key that other runs have
	more       time.Duration // evResume: than the wait usually is
}

// fenced reports whether only the holder of the lease can cause this.
func (k eventKind) fenced() bool {
	switch k {
	case evReoffer, evAccept, evAdopt, evClaim, evFinish, evRelease, evTell, evHeed:
		return true
	}
	return false
}

// Timing holds the waits of the state machine.
type Timing struct {
	Offer  time.Duration // from an offer to the poll that names it
	Cancel time.Duration // from a cancellation to the end without the worker
	Grace  time.Duration // from a run's timeout to the end without the worker
}

// next returns r as e leaves it at now, and whether e changed it. It is the
// only place that decides where a run goes; the SQL writes what it returns.
// ended is the attempt that the event ended, if it ended one.
func next(r Run, e event, now time.Time, t Timing) (_ Run, ended *Attempt, changed bool) {
	if r.State.Terminal() || e.kind.fenced() && (!r.State.Leased() || e.fence != r.Fence) {
		return r, nil, false
	}
	m := mover{Run: r, now: now, timing: t}
	switch e.kind {
	case evOffer:
		changed = m.offer(e)
	case evReoffer:
		changed = m.reoffer()
	case evAccept:
		changed = m.accept(e)
	case evAdopt:
		changed = m.adopt(e)
	case evClaim:
		changed = m.claim()
	case evFinish:
		changed = m.finish(e)
	case evRelease:
		changed = m.release(e)
	case evExpire:
		changed = m.expire()
	case evCancel:
		changed = m.cancel(e)
	case evDue:
		changed = m.due()
	case evResume:
		changed = m.resume(e.more)
	case evGrant:
		changed = m.grant(e)
	case evTell:
		changed = m.tell()
	case evHeed:
		changed = m.heed()
	case evReturn:
		changed = m.comeBack(e)
	}
	if changed {
		m.setDue(r)
	}
	return m.Run, m.ended, changed
}

// start returns a new run in its first state.
func start(n NewRun, now time.Time) Run {
	m := mover{Run: Run{NewRun: n, SubmittedAt: now, State: Scheduled}, now: now}
	if !n.NotBefore.After(now) {
		m.enqueue()
	}
	m.setDue(Run{State: -1})
	return m.Run
}
