package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
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

// Filter selects runs. What is left empty does not restrict.
type Filter struct {
	States    []State
	Pipeline  string
	Queue     string
	Worker    string // has the run, or had it when it ended
	Submitter string
	Tags      map[string]string // all of them
	Since     time.Time         // submitted then or later
	Until     time.Time         // submitted before
	Latest    bool              // not requeued
	Wanted    bool              // not cancelled, nor to be
}

// List returns up to limit runs that f selects, the newest first, without
// variables and results, and with the beginnings of errors. before is zero, or
// what the call for the page before returned as next; next is zero after the last
// page.
func (s *Store) List(ctx context.Context, f Filter, before int64, limit int) (runs []Run, next int64, _ error) {
	first, end, err := s.between(ctx, f.Since, f.Until)
	if err != nil {
		return nil, 0, err
	}
	if end > 0 && (before == 0 || end < before) {
		before = end
	}
	query, args := f.sql(first, before, limit+1)
	err = s.query(ctx, query, func(row scanner) error {
		var r Run
		err := row.Scan(append(r.dest(), &r.Error)...)
		runs = append(runs, r)
		return err
	}, args...)
	if err != nil {
		return nil, 0, err
	}
	if len(runs) > limit {
		runs = runs[:limit]
		next = runs[limit-1].Seq
	}
	return runs, next, nil
}

// sql returns the statement for a page, of which each part is read by an index. Its
// text depends only on which fields are set, so that few statements are ever
// prepared.
func (f Filter) sql(first, before int64, limit int) (string, []any) {
	var pages []string
	var args []any
	for _, states := range f.parts() {
		q := f.part(states, first, before)
		pages = append(pages, q.page(`SELECT `+runColumns+`, coalesce(substr(o.error, 1, 200), '')
			FROM runs r JOIN routes q ON q.id = r.route LEFT JOIN results o ON o.run = r.seq`))
		args = append(append(args, q.args...), limit)
	}
	if len(pages) == 1 {
		return numbered(pages[0]), args
	}
	all := `SELECT * FROM (` + strings.Join(pages, `) AS p UNION ALL SELECT * FROM (`) + `) AS p ORDER BY 1 DESC LIMIT ?`
	return numbered(all), append(args, limit)
}

// parts splits the states that f selects into those that wait, those that a worker
// has, and those that have ended: with success, and without, which are few, unless
// it is a worker's runs that are asked for. No states at all are all of them.
func (f Filter) parts() [][]State {
	states, lasts := slices.Sorted(slices.Values(f.States)), []State{Queued, Running, Succeeded, Dead}
	if f.Worker != "" {
		lasts = []State{Queued, Running, Dead}
		if len(states) == 0 { // those in which a run has a worker
			states = append([]State{Offered, Running}, ends[:]...)
		}
	}
	if len(states) == 0 {
		return [][]State{nil}
	}
	var parts [][]State
	for _, last := range lasts {
		n := slices.IndexFunc(states, func(s State) bool { return s > last })
		if n < 0 {
			n = len(states)
		}
		if n > 0 {
			parts = append(parts, slices.Compact(states[:n]))
		}
		states = states[n:]
	}
	return parts
}

// part selects the runs of f in states of one part.
func (f Filter) part(states []State, first, before int64) *selection {
	q := &selection{}
	last := Dead
	if len(states) > 0 {
		last = states[len(states)-1]
		q.add(stateCondition(states))
	}
	by := func(column string, value *string) {
		q.numbersBy(column, *value, "r.seq", first, before)
		*value = ""
	}
	switch {
	case last <= Queued:
		q.add(`r.state < 2`)
		q.numbers("r.seq", first, before)
	case last <= Running: // they are few, and have no index in this order
		q.add(`r.state IN (2, 3)`)
		q.numbers("r.seq + 0", first, before)
	case f.Worker != "":
		q.add(`r.state > 3`)
		by("r.worker", &f.Worker)
	case len(states) > 0 && states[0] > Succeeded:
		q.add(`r.state > 4`)
		by("r.pipeline", &f.Pipeline)
	case f.Submitter != "":
		by("r.submitter", &f.Submitter)
	default:
		by("r.pipeline", &f.Pipeline)
	}
	q.text("r.pipeline", f.Pipeline)
	q.text("r.submitter", f.Submitter)
	q.text("r.worker", f.Worker)
	q.text("q.queue", f.Queue)
	for _, name := range slices.Sorted(maps.Keys(f.Tags)) {
		q.add(`r.seq IN (SELECT run FROM tags WHERE name = ? AND value = ?)`, name, f.Tags[name])
	}
	if f.Latest {
		q.add(`r.requeued_as = ''`)
	}
	if f.Wanted {
		q.add(`r.cancel_at = 0`)
	}
	q.times("r.submitted_at", f.Since, f.Until)
	return q
}

// selection is the condition of a statement that reads a page, newest first.
type selection struct {
	where []string
	args  []any
	order string
}

func (q *selection) add(condition string, values ...any) {
	q.where, q.args = append(q.where, condition), append(q.args, values...)
}

func (q *selection) text(column, value string) {
	if value != "" {
		q.add(column+" = ?", value)
	}
}

// times selects by a time, from since on and before until; zero is no limit.
func (q *selection) times(column string, since, until time.Time) {
	if !since.IsZero() {
		q.add(column+" >= ?", micros(since))
	}
	if !until.IsZero() {
		q.add(column+" < ?", micros(until))
	}
}

// numbers selects by the number in a column, from first on and below before, of
// which zero is no limit.
func (q *selection) numbers(column string, first, before int64) {
	if first > 0 {
		q.add(column+" >= ?", first)
	}
	if before > 0 {
		q.add(column+" < ?", before)
	}
	q.order = column + " DESC"
}

// numbersBy is numbers of those with a value in a leading column, if there is one.
// It compares value and number as one, so that no planner walks through all
// numbers for a value that few have: it does not know which value that is when it
// plans.
func (q *selection) numbersBy(leading, value, column string, first, before int64) {
	if value == "" {
		q.numbers(column, first, before)
		return
	}
	if before == 0 {
		before = noRun
	}
	both := "(" + leading + ", " + column + ")"
	q.add(both+" >= (?, ?)", value, first)
	q.add(both+" < (?, ?)", value, before)
	q.order = leading + " DESC, " + column + " DESC"
}

// page returns the text of the statement, whose last argument is how many to read.
func (q *selection) page(from string) string {
	if len(q.where) > 0 {
		from += " WHERE " + strings.Join(q.where, " AND ")
	}
	return from + " ORDER BY " + q.order + " LIMIT ?"
}

// numbered numbers each ? of a statement.
func numbered(query string) string {
	parts := strings.Split(query, "?")
	for i := range parts[1:] {
		parts[i] += fmt.Sprintf("?%d", i+1)
	}
	return strings.Join(parts, "")
}

// stateCondition is none that an index is chosen for, since each part of a list has
// a better one.
func stateCondition(states []State) string {
	list := make([]string, len(states))
	for i, s := range states {
		list[i] = fmt.Sprint(int(s))
	}
	return `+r.state IN (` + strings.Join(list, ", ") + `)`
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
