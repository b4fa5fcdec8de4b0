package store

import (
	"context"
	"database/sql"
	"time"
)

// Get returns a run with its variables and result, or ErrNotFound.
func (s *Store) Get(ctx context.Context, cookie string) (Run, error) {
	var r Run
	found := false
	err := s.query(ctx, `SELECT `+runColumns+`, v.body, o.error, o.stacktrace, o.result
		FROM runs r JOIN routes q ON q.id = r.route
		LEFT JOIN variables v ON v.run = r.seq LEFT JOIN results o ON o.run = r.seq
		WHERE r.cookie = ?1`, func(row scanner) error {
		found = true
		var errText, stacktrace sql.NullString
		err := row.Scan(append(r.dest(), &r.Variables, &errText, &stacktrace, &r.Result)...)
		r.Error, r.Stacktrace = errText.String, stacktrace.String
		return err
	}, cookie)
	if err == nil && !found {
		err = ErrNotFound
	}
	return r, err
}

// History returns the attempts of a run that have ended and the results of it
// that were not accepted, each in order.
func (s *Store) History(ctx context.Context, cookie string) (attempts []Attempt, late []Late, _ error) {
	unaccepted := 1 // unless an attempt's row says that there is none
	err := s.query(ctx, `SELECT a.fence, a.number, a.worker, a.session, a.span, a.digest, a.queued_at, a.offered_at, a.accepted_at,
			a.claimed_at, a.ended_at, a.outcome, a.rc, a.reason, (SELECT count(*) FROM late l WHERE l.run = r.seq)
		FROM runs r JOIN attempts a ON a.run = r.seq WHERE r.cookie = ?1
		UNION ALL
		SELECT r.fence, r.attempts, r.worker, r.session, r.span, r.worker_digest, r.queued_at, r.offered_at, r.accepted_at,
			r.claimed_at, r.finished_at, 'settled', r.rc, coalesce(o.error, ''), (SELECT count(*) FROM late l WHERE l.run = r.seq)
		FROM runs r LEFT JOIN results o ON o.run = r.seq WHERE r.cookie = ?1 AND `+settledInRun+`
		ORDER BY 1`, func(row scanner) error {
		var a Attempt
		err := row.Scan(&a.Fence, &a.Number, &a.Worker, &a.Session, &a.Span, &a.Digest, stamp{&a.QueuedAt}, stamp{&a.OfferedAt},
			stamp{&a.AcceptedAt}, stamp{&a.ClaimedAt}, stamp{&a.EndedAt}, &a.Outcome, &a.RC, &a.Reason, &unaccepted)
		a.Reason = brief(a.Reason)
		attempts = append(attempts, a)
		return err
	}, cookie)
	if err == nil && unaccepted > 0 {
		late, err = s.late(ctx, cookie)
	}
	return attempts, late, err
}

// settledInRun is the condition that the last attempt of run r ended by its
// result, and stands in the run's row.
const settledInRun = `r.state > 3 AND r.accepted_at > 0
	AND NOT EXISTS (SELECT 1 FROM attempts p WHERE p.run = r.seq AND p.fence = r.fence)`

func (s *Store) late(ctx context.Context, cookie string) (list []Late, _ error) {
	return list, s.query(ctx, `SELECT l.at, l.worker, coalesce(a.number,
			CASE WHEN l.fence = r.fence AND l.worker = r.worker AND `+settledInRun+` THEN r.attempts ELSE 0 END), l.fence, l.rc, l.error, l.stacktrace, l.result, l.size
		FROM runs r JOIN late l ON l.run = r.seq
		LEFT JOIN attempts a ON a.run = l.run AND a.fence = l.fence AND a.worker = l.worker
		WHERE r.cookie = ?1 ORDER BY l.n`, func(row scanner) error {
		var l Late
		err := row.Scan(stamp{&l.At}, &l.Worker, &l.Attempt, &l.Fence, &l.RC, &l.Error, &l.Stacktrace, &l.Result, &l.Size)
		list = append(list, l)
		return err
	}, cookie)
}

// Worker is a session as the store sees it.
type Worker struct {
	NewSession       // without Holding
	Leased       int // runs that it has or was offered
	RegisteredAt time.Time
	SeenAt       time.Time // at the last renewal that was recorded
	ExpiresAt    time.Time
	DrainingAt   time.Time
	ShutdownAt   time.Time
	Paused       string
	Lost         bool // its lease has run out and the sweep has not ended it yet
}

// HasSession reports whether a worker has a session whose lease has not run out.
func (s *Store) HasSession(ctx context.Context, now time.Time, worker string) (live bool, err error) {
	err = s.query(ctx, `SELECT 1 FROM sessions WHERE worker = ?1 AND expires_at > ?2`, func(scanner) error {
		live = true
		return nil
	}, worker, micros(now))
	return live, err
}

// Workers returns all sessions by worker name.
func (s *Store) Workers(ctx context.Context, now time.Time) ([]Worker, error) {
	var out []Worker
	err := s.query(ctx, `SELECT s.worker, s.session, s.version, s.capacity, s.queues, s.labels, s.pipelines, s.lease,
			s.registered_at, s.seen_at, s.expires_at, s.draining_at, s.shutdown_at, s.paused,
			(SELECT count(*) FROM runs r WHERE r.worker = s.worker AND r.state IN (2, 3))
		FROM sessions s ORDER BY s.worker`, func(row scanner) error {
		var w Worker
		err := row.Scan(&w.Worker, &w.Session, &w.Version, &w.Capacity, object{&w.Queues}, object{&w.Labels},
			object{&w.Pipelines}, length{&w.Lease}, stamp{&w.RegisteredAt}, stamp{&w.SeenAt}, stamp{&w.ExpiresAt},
			stamp{&w.DrainingAt}, stamp{&w.ShutdownAt}, &w.Paused, &w.Leased)
		w.Lost = !now.Before(w.ExpiresAt)
		out = append(out, w)
		return err
	})
	return out, err
}
