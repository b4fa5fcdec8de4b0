package poller

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pullrun/pullrun/api"
)

// A Status is how a poller stands with the server.
type Status struct {
	Registered bool
	Draining   bool
	// Heard is when the server last answered, LostAt since when it does not.
	// Both may be zero.
	Heard, LostAt time.Time
	// Limit is how long the server may be silent before something is wrong:
	// two heartbeats, and not less than a poll is held.
	Limit time.Duration
	// Hold is how long polls are held, Lease how long leases last, and Renew
	// how often a heartbeat is sent. Zero before the first registration.
	Hold, Lease, Renew time.Duration
	Polls              api.Polls
}

// holdMargin is how much longer than its hold a poll may take.
const holdMargin = 10 * time.Second

// Status tells how the poller stands now.
func (p *Poller) Status() Status {
	out := Status{Draining: p.draining.Load(), Polls: p.counts.polls()}
	out.Heard, out.LostAt = p.contact.heardAndLost()
	if s := p.session.Load(); s != nil {
		out.Registered = true
		out.Hold, out.Lease, out.Renew = p.hold.under(s.hold), s.lease, s.renew
		out.Limit = max(2*s.renew, out.Hold+holdMargin)
	}
	return out
}

// counts counts what became of the polls.
type counts struct{ runs, empty, cut, failed atomic.Int64 }

func (c *counts) polls() api.Polls {
	return api.Polls{Runs: c.runs.Load(), Empty: c.empty.Load(), Cut: c.cut.Load(), Failed: c.failed.Load()}
}

// answered counts a poll that came back whole.
func (c *counts) answered(packets int) {
	if packets > 0 {
		c.runs.Add(1)
	} else {
		c.empty.Add(1)
	}
}

// stallMargin is how late a loop may be before it is taken for stuck. It
// covers a call's own timeout and a machine that is short of breath.
const stallMargin = time.Minute

// Stalled names the loops that should have come round again a minute ago. It
// has nothing to do with the server: a loop that waits out an outage turns.
func (p *Poller) Stalled() []string { return p.turns.late(time.Now()) }

// turns knows by when each loop has to come round again.
type turns struct {
	mu  sync.Mutex
	due map[string]time.Time // guarded by mu
}

// within says that a loop comes round again before d has passed.
func (t *turns) within(loop string, d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.due == nil {
		t.due = make(map[string]time.Time)
	}
	t.due[loop] = time.Now().Add(d)
}

// over says that a loop has ended.
func (t *turns) over(loop string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.due, loop)
}

func (t *turns) late(now time.Time) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var late []string
	for _, loop := range slices.Sorted(maps.Keys(t.due)) {
		if now.Sub(t.due[loop]) > stallMargin {
			late = append(late, loop)
		}
	}
	return late
}
