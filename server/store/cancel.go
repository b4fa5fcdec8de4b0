package store

import (
	"context"
	"time"
)

// Cancel asks for a run to be stopped. A run that no worker has ends at once;
// one that a worker has ends when the worker says so, or without it after a
// while. Cancelling again, or too late, changes nothing and is no error.
func (s *Store) Cancel(ctx context.Context, now time.Time, cookie, by, reason string) (Run, []Moved, error) {
	return s.BeginCancel(ctx, now, cookie, by, reason)()
}

// BeginCancel gives a cancellation its turn and returns what waits for its answer,
// once, as BeginSubmit does for a submit.
func (s *Store) BeginCancel(ctx context.Context, now time.Time, cookie, by, reason string) func() (Run, []Moved, error) {
	type outcome struct {
		run   Run
		moved []Moved
	}
	answer := begin(ctx, s.writer, operation{now: now}, func(t *tx) (outcome, error) {
		t.point("cancel")
		r, found, err := t.run(`WHERE r.cookie = ?1`, cookie)
		if err == nil && !found {
			err = ErrNotFound
		}
		if err != nil {
			return outcome{}, err
		}
		cancelled, err := t.move(&r, event{kind: evCancel, by: by, reason: reason})
		if err == nil && cancelled {
			err = t.audit(by, ActionCancel, cookie, reason)
		}
		return outcome{run: r, moved: t.moved}, err
	})
	return func() (Run, []Moved, error) {
		out, err := answer()
		return out.run, out.moved, err
	}
}
