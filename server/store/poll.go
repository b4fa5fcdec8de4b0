package store

import (
	"context"
	"maps"
	"slices"
	"time"
)

// PollIn is a worker's request for work, or its heartbeat.
type PollIn struct {
	Worker   string
	Session  string
	Holding  []Held // every run that the worker has
	Draining bool   // wants nothing more; offers that it did not get go back
	Paused   string // why it wants nothing for the time being, for people; such offers go back as well
	Max      int    // the most offers to make; those that are made again count, and are made in any case
	Only     string // cookie of the only run that the worker wants; empty is any

	// Bytes is how much the variables of the offers may come to before no more are
	// made, so that the answer exceeds it by one run at most. Zero is any size.
	Bytes int
	// Carry is how much more time than others offers have whose variables are of a
	// size in bytes. Nil is none.
	Carry func(bytes int64) time.Duration
}

// PollOut is the answer to a poll.
type PollOut struct {
	Offers   []Offer
	Cancels  []Cancel // the worker did not say that it knows of these
	Lost     []Held   // named, but no longer the worker's: it must stop them
	Shutdown bool     // the worker is to shut down
	Free     int      // slots that are left after the offers
	Moved    []Moved
}

// Offer is a run with its variables for a worker, under Run.Fence.
type Offer struct {
	Run Run
}

// Cancel tells a worker to stop a run that it has.
type Cancel struct {
	Cookie string
	Fence  int64
	Reason string // who asked for it, and why
}

// BeatOut is the answer to a heartbeat.
type BeatOut struct {
	Cancels  []Cancel
	Lost     []Held
	Claimed  []Held // may be started: the claim is recorded, now or before
	Shutdown bool
	Moved    []Moved
}

// Poll renews the session, takes what Holding names as accepted, offers again
// what it does not name, and then offers queued runs to the slots that are free.
// It returns ErrNoSession or ErrSuperseded if the session is not the worker's.
func (s *Store) Poll(ctx context.Context, now time.Time, in PollIn) (PollOut, error) {
	return writeFor(ctx, s.writer, now, []string{in.Worker}, func(t *tx) (PollOut, error) { return t.poll(in) })
}

func (t *tx) poll(in PollIn) (PollOut, error) {
	t.point("poll")
	var out PollOut
	s, leases, err := t.contact(in.Worker, in.Session)
	if err != nil {
		return out, err
	}
	if err := t.pause(s, in.Paused); err != nil {
		return out, err
	}
	held := newHolding(in.Holding)
	if err := t.fetch(held.moving(leases)); err != nil {
		return out, err
	}
	wants := !in.Draining && in.Paused == ""
	leased, offers := 0, offers{most: in.Bytes}
	for _, l := range leases {
		h, named := held.take(l)
		switch {
		case named:
			_, err = t.name(l, h)
			out.Cancels = append(out.Cancels, l.cancels(h)...)
		case l.state == Offered && !wants:
			_, _, err = t.moveLease(l, event{kind: evExpire})
			leased--
		case l.state == Offered && offers.full(): // it comes with the next answer
		case l.state == Offered:
			before := len(offers.list)
			err = t.reoffer(l, &offers)
			leased += len(offers.list) - before - 1
		}
		if err != nil {
			return out, err
		}
		leased++
	}
	if out.Lost, err = t.lost(held); err != nil {
		return out, err
	}
	out.Shutdown = !s.shutdownAt.IsZero()
	out.Free = max(0, s.capacity-leased)
	if wants && !out.Shutdown && s.draining.IsZero() {
		before := len(offers.list)
		if err := t.claimFor(s, in.Only, &offers, max(0, min(out.Free, in.Max-before))); err != nil {
			return out, err
		}
		out.Free -= len(offers.list) - before
	}
	if in.Carry != nil {
		if err := t.carry(&offers, in.Carry(int64(offers.bytes))); err != nil {
			return out, err
		}
	}
	out.Offers = offers.list
	out.Moved = t.moved
	return out, nil
}

// Heartbeat renews the session, records claims, and takes runs away that the
// worker has had for longer than an offer may take and does not name any more.
func (s *Store) Heartbeat(ctx context.Context, now time.Time, in PollIn) (BeatOut, error) {
	return writeFor(ctx, s.writer, now, []string{in.Worker}, func(t *tx) (BeatOut, error) { return t.heartbeat(in) })
}

func (t *tx) heartbeat(in PollIn) (BeatOut, error) {
	t.point("heartbeat")
	var out BeatOut
	s, leases, err := t.contact(in.Worker, in.Session)
	if err != nil {
		return out, err
	}
	held := newHolding(in.Holding)
	if err := t.fetch(held.moving(leases)); err != nil {
		return out, err
	}
	for _, l := range leases {
		h, named := held.take(l)
		switch {
		case named:
			var claimed bool
			claimed, err = t.name(l, h)
			out.Cancels = append(out.Cancels, l.cancels(h)...)
			if claimed {
				out.Claimed = append(out.Claimed, h)
			}
		case l.state == Running && t.now.Sub(l.accepted) > t.w.timing.Offer:
			_, _, err = t.moveLease(l, event{kind: evExpire})
		}
		if err != nil {
			return out, err
		}
	}
	out.Lost, err = t.lost(held)
	out.Shutdown = !s.shutdownAt.IsZero()
	out.Moved = t.moved
	return out, err
}

// cancels is the Cancel that the worker is to be told, if there is one and it
// did not say that it knows.
func (l lease) cancels(h Held) []Cancel {
	if l.cancel.at.IsZero() || h.Cancelling {
		return nil
	}
	return []Cancel{{Cookie: h.Cookie, Fence: h.Fence, Reason: cancelledBy(l.cancel.by, l.cancel.why)}}
}

// cancelNews is what there is to note of the run's cancellation: that the worker
// is told of it now, or that it has told the run to stop.
func (l lease) cancelNews(h Held) (eventKind, bool) {
	switch {
	case l.cancel.at.IsZero():
	case h.Cancelling:
		return evHeed, l.cancel.heeded.IsZero()
	default:
		return evTell, l.cancel.told.IsZero()
	}
	return 0, false
}

// name records what the worker says of a run that it has, and reports whether
// the worker has claimed it.
func (t *tx) name(l lease, h Held) (claimed bool, _ error) {
	if l.state == Offered || h.Span != "" && h.Span != l.span {
		if _, _, err := t.moveLease(l, event{kind: evAccept, fence: h.Fence, span: h.Span}); err != nil {
			return false, err
		}
	}
	if kind, is := l.cancelNews(h); is {
		if _, _, err := t.moveLease(l, event{kind: kind, fence: h.Fence}); err != nil {
			return false, err
		}
	}
	if !h.Claim {
		return false, nil
	}
	r, held, err := t.moveLease(l, event{kind: evClaim, fence: h.Fence})
	return held && r.CancelAt.IsZero() && (r.Delivery != AtMostOnce || !r.ClaimedAt.IsZero()), err
}

// reoffer offers a run again that the worker did not receive, unless it ended.
func (t *tx) reoffer(l lease, to *offers) error {
	r, held, err := t.moveLease(l, event{kind: evReoffer, fence: l.fence})
	if err != nil || !held || r.State != Offered {
		return err
	}
	return t.give(r, to)
}

// give adds an offered run with its variables.
func (t *tx) give(r Run, to *offers) error {
	if _, err := t.row(`SELECT body FROM variables WHERE run = ?1`, []any{&r.Variables}, r.Seq); err != nil {
		return err
	}
	to.add(r)
	return nil
}

// carry gives offers more time to be taken up.
func (t *tx) carry(o *offers, more time.Duration) error {
	if more <= 0 {
		return nil
	}
	for i := range o.list {
		if _, err := t.move(&o.list[i].Run, event{kind: evResume, more: more}); err != nil {
			return err
		}
	}
	return nil
}

// offers are those of one answer.
type offers struct {
	list  []Offer
	bytes int // of their variables
	most  int // bytes; zero is any number
}

func (o *offers) add(r Run) {
	o.list = append(o.list, Offer{Run: r})
	o.bytes += len(r.Variables)
}

func (o *offers) full() bool { return o.most > 0 && o.bytes >= o.most }

// holding is what a worker says it has, less what was found.
type holding map[string]Held

func newHolding(list []Held) holding {
	h := make(holding, len(list))
	for _, held := range list {
		h[held.Cookie] = held
	}
	return h
}

// moving are the leases that are about to be moved: an offer is taken up or goes
// back, and a run that was taken up has news.
func (h holding) moving(leases []lease) (out []lease) {
	for _, l := range leases {
		held := h[l.cookie]
		_, cancel := l.cancelNews(held)
		if cancel || l.state == Offered || held.Claim || held.Span != "" && held.Span != l.span {
			out = append(out, l)
		}
	}
	return out
}

// take removes and returns what the worker says of a lease, if it says anything
// under the right fence. A run that it has under an earlier one is not lost, for
// it is offered to the worker again.
func (h holding) take(l lease) (Held, bool) {
	held, ok := h[l.cookie]
	if ok && l.state == Offered && held.Fence < l.fence {
		delete(h, l.cookie)
		return Held{}, false
	}
	if !ok || held.Fence != l.fence {
		return Held{}, false
	}
	delete(h, l.cookie)
	return held, true
}

// lost returns what the worker names without a lease, but for runs whose result
// it has sent since: a parked poll's list is old.
func (t *tx) lost(h holding) ([]Held, error) {
	for cookie, held := range h {
		if fence, settled := t.w.recall.settled[cookie]; settled && fence == held.Fence {
			delete(h, cookie)
		}
	}
	var out []Held
	for part := range slices.Chunk(slices.Sorted(maps.Keys(h)), maxList) {
		if err := t.dropSettled(h, part); err != nil {
			return nil, err
		}
		for _, cookie := range part {
			if held, left := h[cookie]; left {
				out = append(out, held)
			}
		}
	}
	return out, nil
}

// dropSettled deletes from h those of the cookies whose attempt ended by its
// result. It takes two statements, since a planner may join them from the wrong
// end.
func (t *tx) dropSettled(h holding, cookies []string) error {
	args := make([]any, len(cookies))
	for i, cookie := range cookies {
		args[i] = cookie
	}
	places := list(&args)
	names := map[int64]string{}
	settled := map[int64]bool{} // of the lease that is asked about
	err := t.rows(`SELECT seq, cookie, CASE WHEN state > 3 AND accepted_at > 0 THEN fence ELSE 0 END FROM runs WHERE cookie IN `+places, func(row scanner) error {
		var seq, last int64
		var cookie string
		err := row.Scan(&seq, &cookie, &last)
		names[seq], settled[seq] = cookie, h[cookie].Fence == last // if it has no row of its own
		return err
	}, args...)
	if err != nil || len(names) == 0 {
		return err
	}
	args = args[:0]
	for seq := range names {
		args = append(args, seq)
	}
	places = list(&args)
	err = t.rows(`SELECT run, fence, outcome FROM attempts WHERE run IN `+places, func(row scanner) error {
		var run, fence int64
		var outcome Outcome
		err := row.Scan(&run, &fence, &outcome)
		if h[names[run]].Fence == fence {
			settled[run] = outcome == Settled
		}
		return err
	}, args...)
	for run, cookie := range names {
		if settled[run] {
			delete(h, cookie)
		}
	}
	return err
}

// maxList is how many values are looked for at once.
const maxList = 64
