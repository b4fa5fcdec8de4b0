package store

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// NewSession is what a worker says of itself when it registers.
type NewSession struct {
	Worker    string
	Session   string // new with every registration; PROCESS.N orders those of one process
	Version   string
	Capacity  int
	Queues    []string
	Labels    map[string]string
	Pipelines []Pipeline    // nil is any
	Lease     time.Duration // how long the session lasts without a sign of life
	Holding   []Held        // runs from an earlier session
}

// Registered is what became of an earlier session of the worker.
type Registered struct {
	Superseded string // the session that was replaced, if there was one
	Adopted    []Held // runs that the new session goes on with
	Lost       []Held // runs that it must stop
	Moved      []Moved
}

// Register opens a session. The newest session of a worker name wins at once:
// runs that the earlier one leased go on if Holding names them with their fence,
// and are taken away if not. A run that Holding names and whose lease has ended,
// if nobody else has had it since, is offered to the worker again: its next poll
// brings the new fence. A session of a process that has opened a later one is
// refused with [ErrSuperseded], and one of a process that is to end is to end as
// well.
func (s *Store) Register(ctx context.Context, now time.Time, n NewSession) (Registered, error) {
	return writeFor(ctx, s.writer, now, []string{n.Worker}, func(t *tx) (Registered, error) { return t.register(n) })
}

func (t *tx) register(n NewSession) (Registered, error) {
	t.point("register")
	var out Registered
	var draining, shutdown int64
	_, err := t.row(`SELECT session, draining_at, shutdown_at FROM sessions WHERE worker = ?1 FOR UPDATE`,
		[]any{&out.Superseded, &draining, &shutdown}, n.Worker)
	if err != nil {
		return out, err
	}
	if Process(out.Superseded) != Process(n.Session) { // whoever was asked to end is gone
		draining, shutdown = 0, 0
	}
	switch {
	case out.Superseded == n.Session: // the same request again
		out.Superseded = ""
	case follows(out.Superseded, n.Session):
		return out, ErrSuperseded
	}
	delete(t.w.offerings, n.Worker)
	if err := t.insertSession(n, draining, shutdown); err != nil {
		return out, err
	}
	leases, err := t.leases(n.Worker)
	if err != nil {
		return out, err
	}
	held := newHolding(n.Holding)
	for _, l := range leases {
		e := event{kind: evExpire}
		h, named := held.take(l)
		if named {
			e = event{kind: evAdopt, fence: h.Fence, session: n.Session, span: h.Span}
		}
		_, still, err := t.moveLease(l, e)
		switch {
		case err != nil:
			return out, err
		case named && still:
			out.Adopted = append(out.Adopted, h)
		case named:
			held[h.Cookie] = h
		}
	}
	if out.Lost, err = t.lost(held); err != nil {
		return out, err
	}
	out.Lost, err = t.comeBack(n, out.Lost)
	out.Moved = t.moved
	return out, err
}

// Process is the part of a session's name that it shares with the other sessions
// of its process: what is before the dot of PROCESS.N.
func Process(session string) string {
	process, _, _ := strings.Cut(session, ".")
	return process
}

// follows reports whether a session is a later one of the process that opened
// the other: both are called PROCESS.N.
func follows(session, other string) bool {
	_, n, ok := strings.Cut(session, ".")
	_, otherN, otherOK := strings.Cut(other, ".")
	if !ok || !otherOK || Process(session) != Process(other) {
		return false
	}
	later, err := strconv.ParseUint(n, 10, 64)
	earlier, otherErr := strconv.ParseUint(otherN, 10, 64)
	return err == nil && otherErr == nil && later > earlier
}

func (t *tx) insertSession(n NewSession, draining, shutdown int64) error {
	labels, err := jsonObject(n.Labels)
	if err != nil {
		return err
	}
	queues, err := jsonText(n.Queues)
	if err != nil {
		return err
	}
	pipelines, err := jsonText(n.Pipelines)
	if err != nil {
		return err
	}
	return t.exec(`
		INSERT INTO sessions (worker, session, version, capacity, queues, labels, pipelines, lease,
			registered_at, seen_at, expires_at, draining_at, shutdown_at)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10, ?11, ?12)
		ON CONFLICT (worker) DO UPDATE SET
			session = excluded.session, version = excluded.version, capacity = excluded.capacity,
			queues = excluded.queues, labels = excluded.labels, pipelines = excluded.pipelines,
			lease = excluded.lease, registered_at = excluded.registered_at, seen_at = excluded.seen_at,
			expires_at = excluded.expires_at, draining_at = excluded.draining_at, shutdown_at = excluded.shutdown_at,
			paused = ''`,
		n.Worker, n.Session, n.Version, n.Capacity, queues, labels, pipelines, n.Lease.Microseconds(),
		micros(t.now), micros(t.now.Add(n.Lease)), draining, shutdown)
}

// Leave begins a worker's drain: offers that it has not accepted go back to the
// queue and it is offered nothing more. The session ends when it holds nothing;
// call Leave again then, or let the lease run out.
func (s *Store) Leave(ctx context.Context, now time.Time, worker, session string) ([]Moved, error) {
	return writeFor(ctx, s.writer, now, []string{worker}, func(t *tx) ([]Moved, error) {
		t.point("leave")
		_, leases, err := t.contact(worker, session)
		if err != nil {
			return nil, err
		}
		busy := false
		for _, l := range leases {
			if l.state != Offered {
				busy = true
				continue
			}
			if _, _, err := t.moveLease(l, event{kind: evExpire}); err != nil {
				return nil, err
			}
		}
		return t.moved, t.endSession(worker, busy)
	})
}

// endSession removes a session, or marks it as draining while it is busy.
func (t *tx) endSession(worker string, busy bool) error {
	if busy {
		return t.exec(`UPDATE sessions SET draining_at = ?1 WHERE worker = ?2 AND draining_at = 0`, micros(t.now), worker)
	}
	return t.exec(`DELETE FROM sessions WHERE worker = ?1`, worker)
}

// Shutdown marks a worker to be told to shut down. It is offered nothing more.
func (s *Store) Shutdown(ctx context.Context, now time.Time, worker, by string) error {
	_, err := writeFor(ctx, s.writer, now, []string{worker}, func(t *tx) (struct{}, error) {
		t.point("shutdown")
		n, err := t.count(`UPDATE sessions SET shutdown_at = ?1 WHERE worker = ?2`, micros(t.now), worker)
		if err == nil && n == 0 {
			err = ErrNoSession
		}
		if err == nil {
			err = t.audit(by, ActionShutdown, worker, "")
		}
		return struct{}{}, err
	})
	return err
}

// session is what a worker's call needs of its row.
type session struct {
	worker, id           string
	capacity             int
	lease                time.Duration
	expires              time.Time
	draining, shutdownAt time.Time
	paused               string
}

// contact finds the session, locks it, so that two calls of one worker never
// count its slots at once, and renews its lease. It returns what the worker has
// as well. Within a sixtieth of the lease a renewal is left out, so that a busy
// worker's polls do not all write.
func (t *tx) contact(worker, id string) (*session, []lease, error) {
	s := &session{worker: worker}
	found := false
	err := t.ask(`SELECT session, capacity, lease, expires_at, draining_at, shutdown_at, paused FROM sessions WHERE worker = ?1 FOR UPDATE`,
		func(row scanner) error {
			found = true
			return row.Scan(&s.id, &s.capacity, length{&s.lease}, stamp{&s.expires}, stamp{&s.draining}, stamp{&s.shutdownAt}, &s.paused)
		}, worker)
	if err != nil {
		return nil, nil, err
	}
	leases, err := t.leases(worker)
	switch {
	case err != nil:
		return nil, nil, err
	case !found:
		return nil, nil, ErrNoSession
	case s.id != id:
		return nil, nil, ErrSuperseded
	}
	if fresh := t.now.Add(s.lease); fresh.Sub(s.expires) > s.lease/60 {
		err = t.exec(`UPDATE sessions SET seen_at = ?1, expires_at = ?2 WHERE worker = ?3`,
			micros(t.now), micros(fresh), worker)
	}
	return s, leases, err
}

// pause notes why the worker takes nothing for the time being, if that has changed.
func (t *tx) pause(s *session, why string) error {
	if why = plain(why); why == s.paused {
		return nil
	}
	return t.exec(`UPDATE sessions SET paused = ?1 WHERE worker = ?2`, why, s.worker)
}

// offering returns what the session offers, which never changes.
func (t *tx) offering(s *session) (*offering, error) {
	if known, ok := t.w.offerings[s.worker]; ok && known.session == s.id {
		return known, nil
	}
	o := &offering{worker: s.worker, session: s.id}
	var pipelines []Pipeline
	_, err := t.row(`SELECT queues, labels, pipelines FROM sessions WHERE worker = ?1`,
		[]any{object{&o.queues}, object{&o.labels}, object{&pipelines}}, s.worker)
	if err != nil {
		return nil, err
	}
	o.pipelines = CatalogOf(pipelines)
	if len(t.w.offerings) >= maxOfferings { // most are of workers that are gone
		clear(t.w.offerings)
	}
	t.w.offerings[s.worker] = o
	return o, nil
}

// maxOfferings bounds what the writer remembers of workers.
const maxOfferings = 20_000

// lease is what a worker's call needs of a run that the worker has.
type lease struct {
	seq      int64
	cookie   string
	fence    int64
	state    State
	span     string
	accepted time.Time
	cancel   cancellation
}

// cancellation is who asked when for a run to be stopped, and why.
type cancellation struct {
	at      time.Time
	by, why string
	told    time.Time // when it was sent to the worker
	heeded  time.Time // when the worker had told the run to stop
}

// leases returns what the worker has, oldest run first. It locks nothing, since
// most of it is only looked at.
func (t *tx) leases(worker string) ([]lease, error) {
	var out []lease
	err := t.rows(`SELECT seq, cookie, fence, state, span, accepted_at, cancel_at, cancel_by, cancel_reason, cancel_told_at, cancel_heeded_at
		FROM runs WHERE worker = ?1 AND state IN (2, 3) ORDER BY seq`, func(row scanner) error {
		var l lease
		err := row.Scan(&l.seq, &l.cookie, &l.fence, &l.state, &l.span, stamp{&l.accepted}, stamp{&l.cancel.at}, &l.cancel.by, &l.cancel.why,
			stamp{&l.cancel.told}, stamp{&l.cancel.heeded})
		out = append(out, l)
		return err
	}, worker)
	return out, err
}

// fetch reads and locks the runs of leases that are about to be moved, all at
// once.
func (t *tx) fetch(leases []lease) (err error) {
	if len(leases) == 0 {
		return nil
	}
	cookies := make([]string, len(leases))
	for i, l := range leases {
		cookies[i] = l.cookie
	}
	t.fetched, err = t.runsOf(cookies)
	return err
}

// moveLease moves the leased run. If the lease has ended since it was listed, at
// the hands of another server, it leaves the run alone and reports that the
// worker does not hold it.
func (t *tx) moveLease(l lease, e event) (r Run, held bool, err error) {
	fetched := t.fetched[l.cookie]
	if fetched != nil {
		r = *fetched
	} else {
		r, _, err = t.run(`WHERE r.seq = ?1`, l.seq)
	}
	if err != nil || r.Fence != l.fence || !r.State.Leased() {
		return r, false, err
	}
	_, err = t.move(&r, e)
	if fetched != nil {
		*fetched = r
	}
	return r, true, err
}
