package store

import (
	"context"
	"time"
)

// Retention says how long what has ended is kept. Zero keeps it for ever.
type Retention struct {
	// Runs is how long runs are kept, by the state that they ended in.
	Runs map[State]Keep
	// Audit is how long lines of the audit are kept, other than submits, which are
	// there for as long as their runs.
	Audit time.Duration
}

// Keep says how long runs of one state are kept, and how many of them, the
// newest. Zero is no limit.
type Keep struct {
	Age   time.Duration
	Count int
}

// ends are the states in which a run can end.
var ends = [...]State{Succeeded, Failed, Cancelled, TimedOut, Dead}

// Outdated is what need not be kept any more, as it was found at one time.
type Outdated struct {
	runs   map[State]time.Time // those that ended before
	audit  time.Time           // lines that were written before; zero is none
	unused time.Time           // routes and keys that were not used since
	routes []int64
	keys   []string
}

const (
	// routeKept is how long a route is kept that no run has, and a key.
	routeKept = 24 * time.Hour
	// choreHeld is how long a server that has gone away keeps others from its
	// chores.
	choreHeld  = 2 * time.Minute
	chorePurge = "purge"
)

// Outdated looks for what need not be kept any more, for Purge. While another
// server is seeing to that it returns nil. Call it every minute.
func (s *Store) Outdated(ctx context.Context, now time.Time, keep Retention) (*Outdated, error) {
	mine, err := write(ctx, s.writer, now, func(t *tx) (bool, error) { return t.chore(chorePurge, s.self) })
	if err != nil || !mine {
		return nil, err
	}
	o := &Outdated{unused: now.Add(-routeKept), runs: map[State]time.Time{}}
	if keep.Audit > 0 {
		o.audit = now.Add(-keep.Audit)
	}
	for _, state := range ends {
		if o.runs[state], err = s.cutoff(ctx, now, state, keep.Runs[state]); err != nil {
			return nil, err
		}
	}
	if err := s.unusedRoutes(ctx, o); err != nil {
		return nil, err
	}
	return o, s.unusedKeys(ctx, o)
}

// cutoff returns the time before which runs of a state have ended that are not
// kept.
func (s *Store) cutoff(ctx context.Context, now time.Time, state State, keep Keep) (time.Time, error) {
	var before time.Time
	if keep.Count > 0 {
		err := s.query(ctx, `SELECT finished_at FROM runs WHERE state = ?1 AND state > 3 ORDER BY finished_at DESC LIMIT 1 OFFSET ?2`,
			func(row scanner) error { return row.Scan(stamp{&before}) }, int(state), keep.Count-1)
		if err != nil {
			return before, err
		}
	}
	if old := now.Add(-keep.Age); keep.Age > 0 && old.After(before) {
		before = old
	}
	return before, nil
}

// unusedRoutes finds routes that no submit has asked for in a long time and that no
// run has.
func (s *Store) unusedRoutes(ctx context.Context, o *Outdated) error {
	return s.query(ctx, `SELECT q.id FROM routes q WHERE q.used_at < ?1 AND q.id NOT IN (`+liveRoutes+`)
		AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.route = q.id AND r.state = 4)
		AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.route = q.id AND r.state > 4)`, func(row scanner) error {
		var id int64
		err := row.Scan(&id)
		o.routes = append(o.routes, id)
		return err
	}, micros(o.unused))
}

func (s *Store) unusedKeys(ctx context.Context, o *Outdated) error {
	return s.query(ctx, `SELECT name FROM concurrency WHERE used_at < ?1`, func(row scanner) error {
		var name string
		err := row.Scan(&name)
		o.keys = append(o.keys, name)
		return err
	}, micros(o.unused))
}

// chore reports whether this server is the one that sees to something, and makes
// it that one if no other is.
func (t *tx) chore(name, self string) (mine bool, err error) {
	t.wrote = true
	return t.row(`
		INSERT INTO chores (name, holder, until) VALUES (?1, ?2, ?3)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
			WHERE chores.holder = excluded.holder OR chores.until < ?4
		RETURNING name`, []any{&name}, name, self, micros(t.now.Add(choreHeld)), micros(t.now))
}
