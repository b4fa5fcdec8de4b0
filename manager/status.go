package manager

import (
	"cmp"
	"slices"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/manager/outbox"
)

// Status is how a manager stands.
type Status struct {
	Slots    api.Slots
	Runs     []api.RunInHand // the longest held first
	Outbox   *outbox.Stats   // nil without an outbox
	Draining bool
	Paused   string // why, or nothing
}

// Status tells how the manager stands now.
func (m *Manager) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := Status{
		Slots: api.Slots{Used: m.busy, Limit: m.limits.Load().Capacity}, Draining: m.draining, Paused: m.paused(),
		Runs: make([]api.RunInHand, 0, len(m.runs)),
	}
	for _, r := range m.runs {
		s.Runs = append(s.Runs, r.inHand())
	}
	slices.SortFunc(s.Runs, func(a, b api.RunInHand) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Cookie, b.Cookie))
	})
	if m.cfg.Outbox != nil {
		stats := m.cfg.Outbox.Stats()
		s.Outbox = &stats
	}
	return s
}

// inHand shows the run. The caller has locked the manager's mu.
func (r *run) inHand() api.RunInHand {
	out := api.RunInHand{
		Cookie: r.packet.Cookie, Fence: r.packet.Fence, Pipeline: r.packet.Pipeline, Queue: r.packet.Queue,
		Attempt: r.packet.Attempt, State: api.HandRunning, Since: r.since,
	}
	if id := r.at.TraceID(); id.IsValid() {
		out.TraceID = id.String()
	}
	switch {
	case r.result != nil:
		out.State = api.HandEnded
	case r.cancelling:
		out.State = api.HandCancelling
	case r.waiting:
		out.State = api.HandWaiting
	}
	if r.place != nil && r.result == nil {
		out.Tasks = r.place.tasks()
	}
	return out
}
