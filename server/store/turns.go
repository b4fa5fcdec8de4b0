package store

import (
	"cmp"
	"slices"
	"time"
)

// maxHeads bounds how many heads of lines one claim looks up. Those of others
// it takes for new, and the claims that follow learn them.
const maxHeads = 64

// turns says whose turn it is among routes of equal priority. Queues take turns
// first, so that one with many routes has no more of them, and the routes of a
// queue second.
type turns struct {
	last   int            // turn that was taken last
	queues map[string]int // when a queue had its last turn
}

// taken notes that runs of a route were claimed.
func (ts *turns) taken(r *route) {
	ts.last++
	ts.queues[r.queue], r.turn = ts.last, ts.last
}

// line returns the routes that may have runs for a worker that offers o, in the
// order in which they are to be looked through: highest priority first, to which
// is added what the first run of a route has gained by waiting.
func (t *tx) line(o *offering) ([]*route, error) {
	rs := t.w.routes
	var out []*route
	for _, queue := range o.queues {
		for _, r := range rs.byQueue[queue] {
			if r.next != noRun && o.fits(r) {
				out = append(out, r)
			}
		}
	}
	out, err := t.withHeads(out)
	slices.SortStableFunc(out, func(a, b *route) int {
		return cmp.Or(
			t.priority(b)-t.priority(a),
			rs.turns.queues[a.queue]-rs.turns.queues[b.queue],
			a.turn-b.turn,
		)
	})
	return out, err
}

// withHeads looks up since when the heads of lines wait, where that matters and
// is not known. It leaves out the routes that turn out to have no runs.
func (t *tx) withHeads(list []*route) ([]*route, error) {
	if t.w.aging <= 0 || !slices.ContainsFunc(list, func(r *route) bool { return r.priority != list[0].priority }) {
		return list, nil
	}
	looked := 0
	for _, r := range list {
		if !r.since.IsZero() || looked == maxHeads {
			continue
		}
		looked++
		found, err := t.row(`SELECT seq, queued_at FROM runs WHERE route = ?1 AND state = 1 AND blocked = 0 AND seq >= ?2
			ORDER BY seq LIMIT 1`, []any{&r.next, stamp{&r.since}}, r.id, r.next)
		if err != nil {
			return nil, err
		}
		if !found {
			r.next = noRun
		}
	}
	return slices.DeleteFunc(list, func(r *route) bool { return r.next == noRun }), nil
}

// priority is a route's priority, and one more for each aging time that its
// first run has waited.
func (t *tx) priority(r *route) int {
	if t.w.aging <= 0 || r.since.IsZero() {
		return r.priority
	}
	return r.priority + int(max(0, t.now.Sub(r.since))/t.w.aging)
}

// claimed notes that no queued run has a lower number than next, of which nothing
// else is known.
func (r *route) claimed(next int64) { r.next, r.since = next, time.Time{} }
