package store

import (
	"context"
	"time"
)

// clockSlack is more than clocks are apart, and the order of runs from that of
// their times.
const clockSlack = time.Minute

// notBefore is now, or when something has happened to the run last if that is
// later: calls that are committed together have looked at the clock in another
// order. A clock that was wrong and has been set back is not waited for.
func (r *Run) notBefore(now time.Time) time.Time {
	at := now
	for _, past := range []time.Time{r.SubmittedAt, r.QueuedAt, r.OfferedAt, r.AcceptedAt, r.ClaimedAt, r.CancelAt, r.CancelToldAt, r.CancelHeededAt} {
		if past.After(at) && past.Sub(now) < clockSlack {
			at = past
		}
	}
	return at
}

// between returns the numbers from which and before which there are all the runs
// that were submitted between two times. Zero is no limit, of either kind.
func (s *Store) between(ctx context.Context, since, until time.Time) (first, end int64, err error) {
	if !since.IsZero() {
		first, err = s.numberAt(ctx, since.Add(-clockSlack))
	}
	if !until.IsZero() && err == nil {
		end, err = s.numberAt(ctx, until.Add(clockSlack))
	}
	return first, end, err
}

// numberAt returns the lowest number of a run that was submitted at a time or
// later, or the one after the last. It halves the numbers that come into question
// until one is left, as there is no index of the times: runs have them in the
// order of their numbers, or nearly so.
func (s *Store) numberAt(ctx context.Context, at time.Time) (first int64, _ error) {
	var end int64
	if err := s.query(ctx, `SELECT coalesce(max(seq), 0) + 1 FROM runs`, func(row scanner) error { return row.Scan(&end) }); err != nil {
		return 0, err
	}
	for first < end {
		middle := first + (end-first)/2
		var seq int64
		submitted := at // of a run that is not there
		err := s.query(ctx, `SELECT seq, submitted_at FROM runs WHERE seq >= ?1 ORDER BY seq LIMIT 1`, func(row scanner) error {
			return row.Scan(&seq, stamp{&submitted})
		}, middle)
		if err != nil {
			return 0, err
		}
		if submitted.Before(at) {
			first = seq + 1
		} else {
			end = middle
		}
	}
	return first, nil
}
