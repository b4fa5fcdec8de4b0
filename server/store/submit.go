package store

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Submit records a run. If one with the same cookie and digest is there, or one
// of the same submitter with the same Idempotency-Key and digest, it returns
// that, with created false; with another digest it returns ErrCookieCollision or
// ErrKeyCollision. It returns ErrNoSlot for a run that is not to wait for one,
// ErrQueueFull if there are MaxQueued that wait, and ErrTooManyRoutes.
func (s *Store) Submit(ctx context.Context, now time.Time, n NewRun) (_ Submitted, created bool, _ error) {
	return s.BeginSubmit(ctx, now, n)()
}

// BeginSubmit gives a submit its turn and returns what waits for its answer, once.
// So submits that are begun one after the other are recorded in that order, and
// still share a commit.
func (s *Store) BeginSubmit(ctx context.Context, now time.Time, n NewRun) func() (_ Submitted, created bool, _ error) {
	type outcome struct {
		Submitted
		created bool
	}
	n.NotBefore = n.NotBefore.UTC().Truncate(time.Microsecond)
	op := operation{now: now, adds: true, ahead: func(t *tx, submits *earlySubmits) error { return t.submitEarly(n, submits) }}
	answer := begin(ctx, s.writer, op, func(t *tx) (o outcome, err error) {
		o.Run, o.created, err = t.admit(n)
		o.Moved = t.moved
		return o, err
	})
	return func() (Submitted, bool, error) {
		out, err := answer()
		return out.Submitted, out.created, err
	}
}

// Submitted is the run that a submit made or named, and what that did to others.
type Submitted struct {
	Run
	Moved []Moved
}

// admit is submit where there is room in the queue.
func (t *tx) admit(n NewRun) (Run, bool, error) {
	if t.early != nil {
		t.point("submit")
		return t.submitted(n)
	}
	if err := t.w.backlog.full(t, n.Queue); err != nil {
		return t.refuse(n, err)
	}
	return t.submit(n)
}

func (t *tx) submit(n NewRun) (Run, bool, error) {
	t.point("submit")
	if n.Concurrency.Key != "" && n.Concurrency.Policy == Reject {
		if err := t.noSlot(n.Concurrency); err != nil {
			return t.refuse(n, err)
		}
	}
	labels, err := jsonObject(n.Labels)
	if err != nil {
		return Run{}, false, err
	}
	r := start(n, t.now)
	route, err := t.w.routes.find(t, keyOf(&n, labels), n.Labels)
	if err != nil {
		return t.refuse(n, err)
	}
	r.route = route.id
	inserted, err := t.insert(&r)
	if err != nil {
		return Run{}, false, err
	}
	if !inserted {
		return t.repeated(n)
	}
	t.w.backlog.add(r.Queue, 1)
	if err := t.furnish(&r); err != nil {
		return Run{}, false, err
	}
	return r, true, t.takeSlot(&r)
}

// furnish writes what belongs to a new run beside its row.
func (t *tx) furnish(r *Run) error {
	if r.Variables != nil {
		if err := t.exec(`INSERT INTO variables (run, body) VALUES (?1, ?2)`, r.Seq, r.Variables); err != nil {
			return err
		}
	}
	for name, value := range r.Tags {
		if err := t.exec(`INSERT INTO tags (name, value, run) VALUES (?1, ?2, ?3)`, name, value, r.Seq); err != nil {
			return err
		}
	}
	if r.State == Queued && !r.Blocked {
		t.w.routes.wake(r.route, r.Seq, r.QueuedAt)
	}
	t.w.recall.left(r, nil)
	return nil
}

// refuse answers a submit for which there is no room, unless it has been
// answered before.
func (t *tx) refuse(n NewRun, reason error) (Run, bool, error) {
	if !errors.Is(reason, ErrNoSlot) && !errors.Is(reason, ErrQueueFull) && !errors.Is(reason, ErrTooManyRoutes) {
		return Run{}, false, reason
	}
	r, found, err := t.known(n)
	if err == nil && !found {
		err = reason
	}
	return r, false, err
}

// takeSlot gives a new run a slot of its key, if there is one.
func (t *tx) takeSlot(r *Run) error {
	if r.Concurrency.Key == "" {
		return nil
	}
	if r.Concurrency.Policy == CancelOlder {
		if err := t.cancelOlder(r); err != nil {
			return err
		}
	}
	err := t.giveSlots(r.Concurrency.Key)
	t.moved = slices.DeleteFunc(t.moved, func(m Moved) bool {
		own := m.Run.Seq == r.Seq
		if own {
			r.Blocked = false
		}
		return own
	})
	return err
}

// insert writes a new row and sets r.Seq, unless the cookie or the key is taken.
func (t *tx) insert(r *Run) (bool, error) {
	row, err := r.insertRow()
	if err != nil {
		return false, err
	}
	inserted, err := t.row(insertRun.one, []any{&r.Seq, &r.Cookie}, row...)
	t.wrote = t.wrote || inserted
	return inserted, err
}

// insertRun writes the runs whose cookies and keys are not taken, in order, and
// returns which those are.
var insertRun = newBulk(`
	INSERT INTO runs (
		cookie, digest, route, pipeline, delivery, max_attempts, not_before, queue_timeout, run_timeout, detach,
		idempotency_key, submitter, tags, send_parent, send_state, request_parent, request_state, submitted_at,
		state, queued_at, due,
		concurrency_key, concurrency_limit, concurrency_policy, blocked, retry, retries,
		requeued_from, requeued_as,
		version, fence, attempts, worker, session, span, worker_digest, offered_at, accepted_at, claimed_at, finished_at,
		cancel_at, cancel_by, cancel_reason, cancel_told_at, cancel_heeded_at, stop, rc)
	SELECT
		:cookie, :digest, :route, :pipeline, :delivery, :max_attempts, :not_before, :queue_timeout, :run_timeout, :detach,
		:idempotency_key, :submitter, :tags, :send_parent, :send_state, :request_parent, :request_state, :submitted_at,
		:state, :queued_at, :due,
		:concurrency_key, :concurrency_limit, :concurrency_policy, :blocked, :retry, 0,
		:requeued_from, '',
		0, 0, 0, '', '', '', '', 0, 0, 0, 0, 0, '', '', 0, 0, '', '' FROM given WHERE true
	ON CONFLICT DO NOTHING RETURNING seq, cookie`,
	"cookie text", "digest text", "route bigint", "pipeline text", "delivery bigint", "max_attempts bigint",
	"not_before bigint", "queue_timeout bigint", "run_timeout bigint", "detach bigint",
	"idempotency_key text", "submitter text", "tags text", "send_parent text", "send_state text",
	"request_parent text", "request_state text", "submitted_at bigint",
	"state bigint", "queued_at bigint", "due bigint",
	"concurrency_key text", "concurrency_limit bigint", "concurrency_policy bigint", "blocked bigint", "retry text",
	"requeued_from text")

// insertRow is a row of insertRun.
func (r *Run) insertRow() ([]any, error) {
	tags, err := jsonObject(r.Tags)
	if err != nil {
		return nil, err
	}
	retry, err := jsonText(r.Retry)
	if err != nil {
		return nil, err
	}
	return []any{
		r.Cookie, r.Digest, r.route, r.Pipeline, int64(r.Delivery), int64(r.MaxAttempts),
		micros(r.NotBefore), r.QueueTimeout.Microseconds(), r.RunTimeout.Microseconds(), boolean(r.Detach),
		r.IdempotencyKey, r.Submitter, tags, r.Trace.Send.TraceParent, r.Trace.Send.TraceState,
		r.Trace.Request.TraceParent, r.Trace.Request.TraceState, micros(r.SubmittedAt),
		int64(r.State), micros(r.QueuedAt), micros(r.Due),
		r.Concurrency.Key, int64(r.Concurrency.Limit), int64(r.Concurrency.Policy), boolean(r.Blocked), retry,
		r.RequeuedFrom,
	}, nil
}

// known returns the run that stands in the way of n, if there is one and it is
// the same.
func (t *tx) known(n NewRun) (_ Run, found bool, err error) {
	collision := ErrCookieCollision
	r, found, err := t.peek(`WHERE r.cookie = ?1`, n.Cookie)
	if err == nil && !found {
		collision = ErrKeyCollision
		r, found, err = t.peek(`WHERE r.submitter = ?1 AND r.idempotency_key = ?2 AND r.idempotency_key <> ''`,
			n.Submitter, n.IdempotencyKey)
	}
	if err == nil && found && r.Digest != n.Digest {
		err = collision
	}
	if err != nil {
		return Run{}, found, err
	}
	return r, found, nil
}

// repeated answers a submit whose cookie or key was taken when its row was to be
// written, with the run that has it. If that has been purged since, it makes the
// run after all.
func (t *tx) repeated(n NewRun) (Run, bool, error) {
	r, found, err := t.known(n)
	if err == nil && !found {
		return t.admit(n)
	}
	return r, false, err
}

func boolean(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
