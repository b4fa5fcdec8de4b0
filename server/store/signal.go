package store

import (
	"context"
	"encoding/json"
	"sync"
	"time"
)

// Signal is what one server on a database tells the others: that it is worth
// their while to look. What there is to see stands in the database alone, so a
// signal that is lost costs time and nothing else.
type Signal struct {
	Kind SignalKind
	Name string // of the run, by its cookie, of the worker, or of the token, by its id
	Run  *Run   // of RunQueued: its cookie, number, and what it asks for
}

// SignalKind is what a signal is about.
type SignalKind int

const (
	// RunQueued says that a run waits, and that the server which queued it has
	// no worker for it.
	RunQueued SignalKind = iota + 1
	// RunChanged says that a run moved or logged something, RunEnded that it
	// has come to its end.
	RunChanged
	RunEnded
	// WorkerNews says that there is something that only this worker can be
	// told: a free slot, a cancellation, a shutdown, the end of its session.
	WorkerNews
	// WorkerLeft says that a worker's session has ended.
	WorkerLeft
	// Resync says that signals may have been lost.
	Resync
	// TokenRevoked says that a token is no longer good.
	TokenRevoked
	// RunWatched says that somebody is looking where a run is.
	RunWatched
	// arrival says that a server has begun to listen. It stays between stores.
	arrival
)

// Publish tells the other servers on the database. It does not wait, and does
// nothing on SQLite, which has no others.
func (s *Store) Publish(signals ...Signal) {
	if s.bus == nil {
		return
	}
	for _, sig := range signals {
		m := message{Kind: sig.Kind, Name: sig.Name}
		if sig.Run != nil {
			m.Name, m.Route, m.Seq = sig.Run.Cookie, sig.Run.route, sig.Run.Seq
		}
		s.bus.post(m)
	}
}

// Listen calls heard with what other servers publish, and sends what this one
// does, until ctx ends. A Resync comes first, and again whenever the connection
// was lost or another server has gone, which may not have told all. Runs that still wait come again every second, so that a signal that
// was lost costs no more than that. heard may be called concurrently.
func (s *Store) Listen(ctx context.Context, heard func(Signal)) {
	if s.bus == nil {
		<-ctx.Done()
		return
	}
	var tick sync.WaitGroup
	defer tick.Wait()
	tick.Go(func() { s.tick(ctx, heard) })
	known := map[int64]routeKey{} // a route never changes, and its number never comes again
	s.bus.run(ctx, func(m message) {
		sig := Signal{Kind: m.Kind, Name: m.Name}
		switch m.Kind {
		case RunQueued:
			s.writer.rumours.add(m.Route, m.Seq)
			key, err := s.routeKey(ctx, known, m.Route)
			if err != nil {
				return // the next tick tells of it
			}
			sig.Run = key.run(m)
		case Resync:
			s.writer.rumours.doubt()
		}
		heard(sig)
	})
}

// tickEvery is how long a run waits when the signal that it is queued was lost.
const tickEvery = time.Second

func (s *Store) tick(ctx context.Context, heard func(Signal)) {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	var servers others
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		left, err := servers.left(ctx, s)
		if left {
			s.writer.rumours.doubt()
			heard(Signal{Kind: Resync})
		}
		var waiting []Signal
		if err == nil {
			waiting, err = s.waiting(ctx)
		}
		if err == nil {
			err = s.bus.setClock(ctx)
		}
		if err != nil {
			s.bus.log.DebugContext(ctx, "look for waiting runs and for other servers failed", "err", err) // whoever writes says so louder
		}
		for _, sig := range waiting {
			heard(sig)
		}
	}
}

// waiting returns a signal for the run that is first in each line, whoever
// queued it.
func (s *Store) waiting(ctx context.Context) ([]Signal, error) {
	var out []Signal
	// From one route to the next by the index: the lines may be long.
	err := s.query(ctx, `
		WITH RECURSIVE head AS (
			(SELECT route, seq FROM runs WHERE state = 1 AND blocked = 0 ORDER BY route, seq LIMIT 1)
			UNION ALL
			SELECT n.route, n.seq FROM head h CROSS JOIN LATERAL
				(SELECT route, seq FROM runs WHERE state = 1 AND blocked = 0 AND route > h.route ORDER BY route, seq LIMIT 1) n
		)
		SELECT r.seq, r.cookie, q.id, q.queue, q.pipeline, q.digest, q.labels
		FROM head h JOIN runs r ON r.seq = h.seq JOIN routes q ON q.id = h.route`, func(row scanner) error {
		var m message
		var key routeKey
		if err := row.Scan(&m.Seq, &m.Name, &m.Route, &key.queue, &key.pipeline, &key.digest, &key.labels); err != nil {
			return err
		}
		s.writer.rumours.add(m.Route, m.Seq)
		out = append(out, Signal{Kind: RunQueued, Name: m.Name, Run: key.run(m)})
		return nil
	})
	return out, err
}

func (s *Store) routeKey(ctx context.Context, known map[int64]routeKey, id int64) (routeKey, error) {
	if key, ok := known[id]; ok {
		return key, nil
	}
	if len(known) >= maxRoutes { // most are of runs that have ended
		clear(known)
	}
	var key routeKey
	err := s.query(ctx, `SELECT queue, pipeline, digest, labels, priority FROM routes WHERE id = ?1`, func(row scanner) error {
		return row.Scan(&key.queue, &key.pipeline, &key.digest, &key.labels, &key.priority)
	}, id)
	if err == nil {
		known[id] = key
	}
	return key, err
}

// run is the run of a message as far as it is known.
func (k routeKey) run(m message) *Run {
	r := &Run{Seq: m.Seq, State: Queued, route: m.Route}
	r.Cookie, r.Queue, r.Pipeline, r.PipelineDigest, r.Priority = m.Name, k.queue, k.pipeline, k.digest, k.priority
	_ = json.Unmarshal([]byte(k.labels), &r.Labels) // it was written by us
	return r
}

// rumours are runs that others are said to have queued. The writer hears them
// before it looks for runs.
type rumours struct {
	mu sync.Mutex
	// Guarded by mu.
	seqs map[int64]int64 // the lowest number, by route
	all  bool            // anything may have been queued
}

func (r *rumours) add(route, seq int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seqs == nil {
		r.seqs = map[int64]int64{}
	}
	if known, ok := r.seqs[route]; !ok || seq < known {
		r.seqs[route] = seq
	}
}

func (r *rumours) doubt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = true
}

// tell moves the rumours into the writer's knowledge.
func (r *rumours) tell(rs *routes) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all {
		rs.forget()
	}
	for id, seq := range r.seqs {
		rs.wake(id, seq, time.Time{})
	}
	r.seqs, r.all = nil, false
}
