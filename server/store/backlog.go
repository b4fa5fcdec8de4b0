package store

import (
	"fmt"
	"time"
)

// backlog is the writer's knowledge of how many runs wait in each queue, for
// their time, a slot or a worker. Every move passes the writer, so on a database
// that no other server uses it is exact. What other servers do is seen when the
// sweep counts again.
type backlog struct {
	limit  int  // zero is none, and nothing is counted
	shared bool // there may be other servers

	waiting map[string]int // by queue, the transaction under way included; nil is not known
	recount time.Time      // when to count again, if shared
}

const (
	recountEvery = time.Second
	// recountShare is how much of the writer's time counting may take: one
	// part in so many.
	recountShare = 100
)

// waits reports whether the run takes a place in its queue.
func (r *Run) waits() bool { return r.State == Scheduled || r.State == Queued }

// forget drops everything, after a transaction that did not happen.
func (b *backlog) forget() { b.waiting = nil }

// add notes that n more runs wait in a queue.
func (b *backlog) add(queue string, n int) {
	if b.waiting == nil || n == 0 {
		return
	}
	if b.waiting[queue] += n; b.waiting[queue] == 0 {
		delete(b.waiting, queue)
	}
}

// full returns ErrQueueFull if no run more may wait in a queue.
func (b *backlog) full(t *tx, queue string) error {
	if b.limit == 0 {
		return nil
	}
	if b.waiting == nil {
		if err := b.count(t); err != nil {
			return err
		}
	}
	if b.waiting[queue] < b.limit {
		return nil
	}
	return fmt.Errorf("%w: %d runs wait in %q already", ErrQueueFull, b.waiting[queue], queue)
}

// open reports whether there is room in a queue, without asking the database.
func (b *backlog) open(queue string) bool {
	return b.limit == 0 || b.waiting != nil && b.waiting[queue] < b.limit
}

// refresh counts again what other servers may have changed.
func (b *backlog) refresh(t *tx) error {
	if b.waiting == nil || !b.shared || t.now.Before(b.recount) {
		return nil
	}
	return b.count(t)
}

// count reads how many runs wait, from indexes alone.
func (b *backlog) count(t *tx) error {
	began := time.Now()
	waiting := map[string]int{}
	err := t.rows(`
		SELECT q.queue, CAST(sum(n.waiting) AS BIGINT)
		FROM (
			SELECT route, count(*) AS waiting FROM runs WHERE state = 1 AND blocked = 0 GROUP BY route
			UNION ALL
			SELECT route, count(*) FROM runs WHERE concurrency_key <> '' AND state < 4 AND blocked = 1 GROUP BY route
			UNION ALL
			SELECT route, count(*) FROM runs WHERE state = 0 GROUP BY route
		) n JOIN routes q ON q.id = n.route
		GROUP BY q.queue`, func(row scanner) error {
		var queue string
		var n int
		err := row.Scan(&queue, &n)
		waiting[queue] = n
		return err
	})
	if err != nil {
		return err
	}
	b.waiting, b.recount = waiting, t.now.Add(max(recountEvery, recountShare*time.Since(began)))
	return nil
}
