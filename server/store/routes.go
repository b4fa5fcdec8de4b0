package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// maxRoutes bounds what a claim has to look through, and the memory for it.
const maxRoutes = 10_000

// routeUsed is how exact a row's used_at is.
const routeUsed = time.Hour

// queuedRoutes begins a statement that selects among the routes of queued runs. It
// goes from one route to the next by the index.
const queuedRoutes = `
	WITH RECURSIVE queued (route) AS (
		SELECT CAST(0 AS BIGINT)
		UNION ALL
		SELECT (SELECT min(r.route) FROM runs r WHERE r.state = 1 AND r.blocked = 0 AND r.route > q.route)
			FROM queued q WHERE q.route IS NOT NULL
	)`

// liveRoutes selects the routes of runs that have not ended, each part by an index
// whose predicate it repeats. Where there may be many runs that wait it goes from
// one route to the next by the index. Runs that have ended cost nothing.
const liveRoutes = queuedRoutes + `, scheduled (route) AS (
		SELECT CAST(0 AS BIGINT)
		UNION ALL
		SELECT (SELECT min(r.route) FROM runs r WHERE r.state = 0 AND r.route > s.route)
			FROM scheduled s WHERE s.route IS NOT NULL
	)
	SELECT route FROM queued WHERE route > 0
	UNION SELECT route FROM scheduled WHERE route > 0
	UNION SELECT route FROM runs WHERE concurrency_key <> '' AND state < 4 AND blocked = 1
	UNION SELECT route FROM runs WHERE state IN (2, 3)`

// LiveRoutes counts the combinations of queue, pipeline, digest, labels and
// priority that runs ask for which have not ended.
func (s *Store) LiveRoutes(ctx context.Context) (n int, _ error) {
	return n, s.query(ctx, `SELECT count(*) FROM (`+liveRoutes+`) AS live`, func(row scanner) error { return row.Scan(&n) })
}

// routeKey is what a run asks for. Labels are canonical JSON.
type routeKey struct {
	queue, pipeline, digest, labels string
	priority                        int
}

func keyOf(n *NewRun, labels string) routeKey {
	return routeKey{queue: n.Queue, pipeline: n.Pipeline, digest: n.PipelineDigest, labels: labels, priority: n.Priority}
}

// hash stands for the key in an index, which does not hold texts of any length.
func (k routeKey) hash() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %d", k.queue, k.pipeline, k.digest, k.labels, k.priority))
	return hex.EncodeToString(sum[:])
}

// noRun is above every run's number.
const noRun = math.MaxInt64

// route is a row of routes with the writer's knowledge of it.
type route struct {
	routeKey
	id    int64
	need  map[string]string // the labels
	next  int64             // no queued run has a lower number; noRun if none is queued
	since time.Time         // when the run of that number was queued; zero if it is not known
	used  time.Time         // as the row says
	turn  int               // when the route had its last turn
}

// routes is the writer's copy of those rows of the table that runs have which have
// not ended, and of some that such runs had. next lets a claim start where the last
// one stopped instead of walking over what has left the queue since.
type routes struct {
	limit   int
	loaded  bool
	missing []any     // numbers of some that are not in the copy and have runs
	again   time.Time // when to see how many are live, if the copy is full
	byID    map[int64]*route
	byKey   map[routeKey]*route
	byQueue map[string][]*route
	turns   turns
}

func newRoutes() *routes {
	rs := &routes{limit: maxRoutes, turns: turns{queues: map[string]int{}}}
	rs.forget()
	return rs
}

// forget drops everything, after a transaction that did not happen.
func (rs *routes) forget() {
	rs.loaded, rs.missing = false, nil
	rs.byID, rs.byKey, rs.byQueue = map[int64]*route{}, map[routeKey]*route{}, map[string][]*route{}
}

// load reads the live routes, or of a copy that has been read what it misses.
func (rs *routes) load(t *tx) error {
	if !rs.loaded {
		began := time.Now()
		if err := rs.read(t, `(`+liveRoutes+`)`); err != nil {
			return err
		}
		rs.loaded, rs.again = true, t.now.Add(max(recountEvery, recountShare*time.Since(began)))
		maps.DeleteFunc(rs.turns.queues, func(queue string, _ int) bool { return rs.byQueue[queue] == nil })
	}
	if len(rs.missing) == 0 {
		return nil
	}
	ids := list(&rs.missing)
	err := rs.read(t, ids, rs.missing...)
	if err == nil {
		rs.missing = nil
	}
	return err
}

// read adds the routes with the given numbers that are not in the copy.
func (rs *routes) read(t *tx, ids string, args ...any) error {
	return t.rows(`SELECT id, queue, pipeline, digest, labels, labels, priority, used_at FROM routes WHERE id IN `+ids, func(row scanner) error {
		r := &route{}
		if err := row.Scan(&r.id, &r.queue, &r.pipeline, &r.digest, &r.labels, object{&r.need}, &r.priority, stamp{&r.used}); err != nil {
			return err
		}
		if rs.byID[r.id] == nil {
			rs.add(r)
		}
		return nil
	}, args...)
}

func (rs *routes) add(r *route) {
	rs.byID[r.id] = r
	rs.byKey[r.routeKey] = r
	rs.byQueue[r.queue] = append(rs.byQueue[r.queue], r)
}

// room returns ErrTooManyRoutes if as many routes are live as may be. Of a full
// copy it drops what is not, and takes no more of the writer's time for that than
// counting the backlog does.
func (rs *routes) room(t *tx) error {
	if len(rs.byID) >= rs.limit && !t.now.Before(rs.again) {
		rs.forget()
		if err := rs.load(t); err != nil {
			return err
		}
	}
	if len(rs.byID) >= rs.limit {
		return fmt.Errorf("%w: runs that have not ended ask for %d, which is the most", ErrTooManyRoutes, rs.limit)
	}
	return nil
}

// find returns the route of key, making it if it is new.
func (rs *routes) find(t *tx, key routeKey, labels map[string]string) (*route, error) {
	if err := rs.load(t); err != nil {
		return nil, err
	}
	if r, ok := rs.byKey[key]; ok {
		if there, err := rs.touch(t, r); there || err != nil {
			return r, err
		}
	}
	if err := rs.room(t); err != nil {
		return nil, err
	}
	r := &route{routeKey: key, need: labels, next: noRun, used: t.now}
	t.wrote = true
	_, err := t.row(`
		INSERT INTO routes (key, queue, pipeline, digest, labels, priority, used_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
		ON CONFLICT (key) DO UPDATE SET used_at = excluded.used_at
		RETURNING id`, []any{&r.id}, key.hash(), key.queue, key.pipeline, key.digest, key.labels, key.priority, micros(t.now))
	if err != nil {
		return nil, err
	}
	rs.add(r)
	return r, nil
}

// touch notes that a route is in use, once in a while, and reports whether it is
// still there. Its row is purged only when that was noted long ago, and cannot be
// while the transaction lasts that has noted it; so a route that is known to be
// in use is there.
func (rs *routes) touch(t *tx, r *route) (there bool, err error) {
	if r.inUse(t.now) {
		return true, nil
	}
	t.wrote = true
	there, err = t.row(`UPDATE routes SET used_at = ?1 WHERE id = ?2 RETURNING id`, []any{&r.id}, micros(t.now), r.id)
	r.used = t.now
	if err == nil && !there { // another server has purged it
		rs.forget()
		err = rs.load(t)
	}
	return there, err
}

// inUse reports whether the row says that the route is in use.
func (r *route) inUse(now time.Time) bool { return now.Sub(r.used) < routeUsed }

// wake notes that a run was queued, and since when, if that is known.
func (rs *routes) wake(id, seq int64, since time.Time) {
	r, ok := rs.byID[id]
	switch {
	case ok && seq < r.next:
		r.next, r.since = seq, since
	case ok || !rs.loaded:
	case len(rs.missing) < maxList:
		rs.missing = append(rs.missing, id)
	default: // too many to name
		rs.forget()
	}
}

// left notes that a run is not queued any more. The next of its line has waited for
// less.
func (rs *routes) left(id, seq int64) {
	if r, ok := rs.byID[id]; ok && seq == r.next {
		r.claimed(seq + 1)
	}
}

// offering is what a worker has to offer.
type offering struct {
	worker    string
	session   string
	queues    []string
	labels    map[string]string
	pipelines Catalog
}

func (o *offering) fits(r *route) bool {
	if !o.pipelines.Has(r.pipeline, r.digest) {
		return false
	}
	for name, value := range r.need {
		if have, ok := o.labels[name]; !ok || have != value {
			return false
		}
	}
	return true
}

// claim offers up to n queued runs to the session.
func (t *tx) claim(s *session, to *offers, n int) error {
	if n <= 0 {
		return nil
	}
	if err := t.w.routes.load(t); err != nil {
		return err
	}
	o, err := t.offering(s)
	if err != nil {
		return err
	}
	line, err := t.line(o)
	if err != nil {
		return err
	}
	for _, r := range line {
		if n == 0 || to.full() {
			break
		}
		before := len(to.list)
		if err := t.claimFrom(r, o, to, n); err != nil {
			return err
		}
		if taken := len(to.list) - before; taken > 0 {
			n -= taken
			t.w.routes.turns.taken(r)
		}
	}
	return nil
}

// claimFrom offers up to n runs from the head of one route.
func (t *tx) claimFrom(r *route, o *offering, to *offers, n int) error {
	runs, large, err := t.head(r, n)
	if err != nil {
		return err
	}
	r.claimed(noRun)
	if len(runs) == n {
		r.claimed(runs[n-1].Seq + 1)
	}
	for i := range runs {
		run := &runs[i]
		if to.full() {
			r.claimed(run.Seq)
			break
		}
		offered, err := t.move(run, event{kind: evOffer, worker: o.worker, session: o.session, digest: o.pipelines[run.Pipeline]})
		if err != nil {
			return err
		}
		if !offered { // it has waited too long
			if _, err := t.move(run, event{kind: evDue}); err != nil {
				return err
			}
			continue
		}
		if !slices.Contains(large, run.Seq) {
			to.add(*run)
		} else if err := t.give(*run, to); err != nil {
			return err
		}
	}
	return nil
}

// inline is the size of variables, in bytes, up to which they are read with their
// run, whether it is to be offered or not.
const inline = 16 << 10

// head locks and returns the first queued runs of a route with their variables, and
// the numbers of those whose variables are too large for that.
func (t *tx) head(r *route, n int) (runs []Run, large []int64, _ error) {
	var unknown []any // numbers of those that are not remembered as they are
	err := t.rows(`SELECT r.seq, r.cookie, r.version, coalesce(length(v.body), 0), CASE WHEN length(v.body) <= ?4 THEN v.body END
		FROM runs r LEFT JOIN variables v ON v.run = r.seq
		WHERE r.route = ?1 AND r.state = 1 AND r.blocked = 0 AND r.seq >= ?2 ORDER BY r.seq LIMIT ?3 FOR UPDATE OF r SKIP LOCKED`,
		func(row scanner) error {
			var run Run
			var size int64
			if err := row.Scan(&run.Seq, &run.Cookie, &run.version, &size, &run.Variables); err != nil {
				return err
			}
			if size > inline {
				large = append(large, run.Seq)
			}
			if known := t.w.recall.runs[run.Cookie]; known != nil && known.version == run.version {
				variables := run.Variables
				run = *known
				run.Variables = variables
			} else {
				unknown = append(unknown, run.Seq)
			}
			runs = append(runs, run)
			return nil
		}, r.id, r.next, n, inline)
	if err != nil || len(unknown) == 0 {
		return runs, large, err
	}
	read, err := t.runsIn("seq", unknown)
	for i := range runs {
		for len(read) > 0 && read[0].Seq < runs[i].Seq {
			read = read[1:]
		}
		if len(read) > 0 && read[0].Seq == runs[i].Seq {
			read[0].Variables = runs[i].Variables
			runs[i] = read[0]
		}
	}
	return runs, large, err
}
