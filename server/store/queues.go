package store

import (
	"context"
	"time"
)

// Queue is the load of one queue.
type Queue struct {
	Name      string
	Queued    int           // wait for a worker
	Blocked   int           // wait for a slot of their concurrency key
	Scheduled int           // wait for their time
	Leased    int           // offered or running
	Demand    int           // slots of workers that would be busy if there were enough: queued and leased
	Oldest    time.Duration // how long the one that has waited longest for a worker has waited
}

// Queues returns every queue that has runs which have not ended, by name.
func (s *Store) Queues(ctx context.Context, now time.Time) ([]Queue, error) {
	return s.queues(ctx, now, queuesOf(``))
}

// Queue returns one queue, which may have no runs.
func (s *Store) Queue(ctx context.Context, now time.Time, name string) (Queue, error) {
	found, err := s.queues(ctx, now, queuesOf(`AND route IN (SELECT id FROM routes WHERE queue = ?1)`), name)
	if err != nil || len(found) == 0 {
		return Queue{Name: name}, err
	}
	return found[0], nil
}

// queuesOf counts the live runs of some routes, each part of it by an index whose
// predicate it repeats. Those that wait, of which there may be many, are counted
// from the index alone; rows are read of the leased ones, of which there are as
// many as workers have slots. Runs that have ended cost nothing.
func queuesOf(routes string) string {
	return `
		SELECT q.queue, CAST(sum(n.queued) AS BIGINT), CAST(sum(n.blocked) AS BIGINT), CAST(sum(n.scheduled) AS BIGINT),
			CAST(sum(n.leased) AS BIGINT), coalesce(min(n.oldest), 0)
		FROM (
			SELECT route, count(*) AS queued, 0 AS blocked, 0 AS scheduled, 0 AS leased, min(queued_at) AS oldest
				FROM runs WHERE state = 1 AND blocked = 0 ` + routes + ` GROUP BY route
			UNION ALL
			SELECT route, 0, count(*), 0, 0, NULL
				FROM runs WHERE concurrency_key <> '' AND state < 4 AND blocked = 1 ` + routes + ` GROUP BY route
			UNION ALL
			SELECT route, 0, 0, count(*), 0, NULL FROM runs WHERE state = 0 ` + routes + ` GROUP BY route
			UNION ALL
			SELECT route, 0, 0, 0, count(*), NULL FROM runs WHERE state IN (2, 3) ` + routes + ` GROUP BY route
		) n JOIN routes q ON q.id = n.route
		GROUP BY q.queue ORDER BY q.queue`
}

func (s *Store) queues(ctx context.Context, now time.Time, query string, args ...any) ([]Queue, error) {
	var out []Queue
	err := s.query(ctx, query, func(row scanner) error {
		var q Queue
		var oldest time.Time
		err := row.Scan(&q.Name, &q.Queued, &q.Blocked, &q.Scheduled, &q.Leased, stamp{&oldest})
		q.Demand = q.Queued + q.Leased
		if !oldest.IsZero() {
			q.Oldest = max(0, now.Sub(oldest))
		}
		out = append(out, q)
		return err
	}, args...)
	return out, err
}
