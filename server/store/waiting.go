package store

import (
	"context"
	"slices"
	"time"
)

// WaitReason is why a run is not being worked on.
type WaitReason string

const (
	WaitsForTime     WaitReason = "not_before"              // that its submitter asked for
	WaitsForRetry    WaitReason = "retry_backoff"           // after an attempt
	WaitsForSlot     WaitReason = "concurrency_limit"       // of its key
	WaitsForQueue    WaitReason = "no_worker"               // takes from its queue
	WaitsForLabels   WaitReason = "no_worker_with_labels"   // that it needs
	WaitsForPipeline WaitReason = "no_worker_with_pipeline" // that it is of
	WaitsForDigest   WaitReason = "no_worker_with_digest"   // that its pipeline is to have
	WaitsForDrained  WaitReason = "workers_draining"        // all that could take it
	WaitsForPaused   WaitReason = "workers_paused"          // all that could take it
	WaitsForWorkers  WaitReason = "workers_busy"            // all that could take it
	WaitsForOffer    WaitReason = "offered_soon"            // there is room
	WaitsForAnswer   WaitReason = "offered"                 // a worker was sent it
)

// Waiting says what a run waits for. What does not belong to the reason is zero.
type Waiting struct {
	Reason   WaitReason
	Until    time.Time
	Holders  []string          // runs that have a slot of its key, the oldest first; at most maxHolders
	Missing  map[string]string // labels that the worker lacks that has most of them
	Digests  []string          // that workers have its pipeline with instead; at most maxDigests
	Paused   map[string]string // why workers are that could take the run; at most maxPaused
	Workers  int               // that could take the run
	Slots    int               // of those workers
	Position int               // of the run, from 1, among those that the same could take; at most MaxPosition
}

// What a reader is told at most.
const (
	maxHolders  = 10
	maxDigests  = 10
	maxPaused   = 10
	MaxPosition = 1000
)

// Waiting works out what a run waits for, or returns nil if it does not wait.
func (s *Store) Waiting(ctx context.Context, now time.Time, r *Run) (*Waiting, error) {
	switch {
	case r.State == Scheduled && r.Attempts > 0:
		return &Waiting{Reason: WaitsForRetry, Until: r.Due}, nil
	case r.State == Scheduled:
		return &Waiting{Reason: WaitsForTime, Until: r.Due}, nil
	case r.State == Offered:
		return &Waiting{Reason: WaitsForAnswer}, nil
	case r.State != Queued:
		return nil, nil
	case r.Blocked:
		return s.waitingForSlot(ctx, r)
	}
	workers, err := s.Workers(ctx, now)
	if err != nil {
		return nil, err
	}
	w, takers := waitingForWorker(r, workers)
	if len(takers) > 0 {
		w.Position, err = s.position(ctx, r, takers)
	}
	return w, err
}

func (s *Store) waitingForSlot(ctx context.Context, r *Run) (*Waiting, error) {
	w := &Waiting{Reason: WaitsForSlot}
	err := s.query(ctx, `SELECT cookie FROM runs WHERE concurrency_key = ?1 AND blocked = 0
			AND concurrency_key <> '' AND state < 4 AND state IN (1, 2, 3) ORDER BY seq LIMIT ?2`,
		func(row scanner) error {
			var cookie string
			err := row.Scan(&cookie)
			w.Holders = append(w.Holders, cookie)
			return err
		}, r.Concurrency.Key, maxHolders)
	if err != nil {
		return nil, err
	}
	err = s.query(ctx, `SELECT count(*) + 1 FROM (SELECT 1 FROM runs WHERE concurrency_key = ?1 AND blocked = 1 AND state = 1
			AND concurrency_key <> '' AND state < 4 AND seq < ?2 LIMIT ?3) AS before`,
		func(row scanner) error { return row.Scan(&w.Position) }, r.Concurrency.Key, r.Seq, MaxPosition-1)
	return w, err
}

// position counts the runs of the queue that go first, by priority and age. Those
// that none of the takers could take stand in no line of theirs.
func (s *Store) position(ctx context.Context, r *Run, takers []offering) (int, error) {
	before := 0
	err := s.query(ctx, queuedRoutes+`
		SELECT q.pipeline, q.digest, q.labels, (SELECT count(*) FROM (
			SELECT 1 FROM runs r WHERE r.route = q.id AND r.state = 1 AND r.blocked = 0
				AND r.seq < CASE WHEN q.priority > ?2 THEN ?4 ELSE CAST(?3 AS BIGINT) END LIMIT ?5) AS before)
		FROM queued JOIN routes q ON q.id = queued.route WHERE q.queue = ?1 AND q.priority >= ?2`,
		func(row scanner) error {
			var q route
			n := 0
			err := row.Scan(&q.pipeline, &q.digest, object{&q.need}, &n)
			if n > 0 && before < MaxPosition && slices.ContainsFunc(takers, func(o offering) bool { return o.fits(&q) }) {
				before += n
			}
			return err
		}, r.Queue, r.Priority, r.Seq, noRun, MaxPosition-1)
	return min(1+before, MaxPosition), err
}

// waitingForWorker finds the first thing that keeps the workers from taking a
// run: the least of what keeps each of them. It returns what those offer that only
// have to have room.
func waitingForWorker(r *Run, workers []Worker) (w *Waiting, takers []offering) {
	w = &Waiting{Reason: WaitsForQueue}
	free := 0
	for i := range workers {
		one := &workers[i]
		if one.Lost || !one.takesFrom(r.Queue) {
			continue
		}
		held := CatalogOf(one.Pipelines)
		reason := one.obstacle(r, held)
		if nearness[reason] > nearness[w.Reason] {
			*w = Waiting{Reason: reason}
		}
		if reason != w.Reason {
			continue
		}
		switch reason {
		case WaitsForLabels:
			if lacks := one.lacks(r.Labels); w.Missing == nil || len(lacks) < len(w.Missing) {
				w.Missing = lacks
			}
		case WaitsForDigest:
			w.addDigest(held[r.Pipeline])
		case WaitsForDrained:
			w.Workers++
		case WaitsForPaused:
			w.Workers++
			w.addPaused(one)
		case WaitsForWorkers:
			takers = append(takers, offering{labels: one.Labels, pipelines: held})
			w.Workers++
			w.Slots += one.Capacity
			free += max(0, one.Capacity-one.Leased)
		}
	}
	if free > 0 {
		w.Reason = WaitsForOffer
	}
	return w, takers
}

// addDigest notes what a worker has the pipeline with, if it says.
func (w *Waiting) addDigest(digest string) {
	if digest != "" && len(w.Digests) < maxDigests && !slices.Contains(w.Digests, digest) {
		w.Digests = append(w.Digests, digest)
	}
}

// addPaused notes why a worker is paused.
func (w *Waiting) addPaused(one *Worker) {
	if w.Paused == nil {
		w.Paused = make(map[string]string)
	}
	if len(w.Paused) < maxPaused {
		w.Paused[one.Worker] = one.Paused
	}
}

// obstacle is what keeps a worker of its queue from taking a run: it has to have
// its labels and its pipeline, go on working, take runs now, and have room.
func (w *Worker) obstacle(r *Run, held Catalog) WaitReason {
	switch {
	case len(w.lacks(r.Labels)) > 0:
		return WaitsForLabels
	case !held.Has(r.Pipeline, ""):
		return WaitsForPipeline
	case !held.Has(r.Pipeline, r.PipelineDigest):
		return WaitsForDigest
	case !w.DrainingAt.IsZero() || !w.ShutdownAt.IsZero():
		return WaitsForDrained
	case w.Paused != "":
		return WaitsForPaused
	}
	return WaitsForWorkers
}

// nearness orders what keeps a worker from taking a run by how little it is.
var nearness = map[WaitReason]int{
	WaitsForQueue: 0, WaitsForLabels: 1, WaitsForPipeline: 2, WaitsForDigest: 3, WaitsForDrained: 4, WaitsForPaused: 5, WaitsForWorkers: 6,
}

func (w *Worker) takesFrom(queue string) bool { return slices.Contains(w.Queues, queue) }

// lacks returns the labels that the worker does not have.
func (w *Worker) lacks(labels map[string]string) map[string]string {
	out := map[string]string{}
	for name, value := range labels {
		if have, ok := w.Labels[name]; !ok || have != value {
			out[name] = value
		}
	}
	return out
}
