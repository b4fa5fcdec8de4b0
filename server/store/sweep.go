package store

import (
	"context"
	"time"
)

// A sweep goes in steps, each a transaction, so that it never holds up others
// for long, and stops after some of them even if there is more to do.
const (
	sweepStep  = 128
	sweepSteps = 8
	// sweepAgain is how soon to look again at what another replica has locked.
	sweepAgain = 100 * time.Millisecond
)

// SweepOut is what a sweep did.
type SweepOut struct {
	Moved   []Moved
	Expired []string  // workers whose sessions ran out
	NextDue time.Time // when there is something to do again; zero is never, as things stand
}

// Sweep does what time brings: it ends sessions that were not renewed, lets
// offers lapse, queues scheduled runs, and ends what has run out of time, the
// longest due first. Call it at NextDue, and every second or so.
func (s *Store) Sweep(ctx context.Context, now time.Time) (SweepOut, error) {
	var out SweepOut
	for range sweepSteps {
		step, err := write(ctx, s.writer, now, (*tx).sweep)
		out.Moved = append(out.Moved, step.Moved...)
		out.Expired = append(out.Expired, step.Expired...)
		out.NextDue = step.NextDue
		if err != nil {
			return out, err
		}
		if out.NextDue.IsZero() || out.NextDue.After(now) {
			break
		}
		if len(step.Moved)+len(step.Expired) == 0 { // another replica is at it
			out.NextDue = now.Add(sweepAgain)
			break
		}
	}
	return out, nil
}

func (t *tx) sweep() (SweepOut, error) {
	t.point("sweep")
	var out SweepOut
	var err error
	if out.Expired, err = t.sweepSessions(); err != nil {
		return out, err
	}
	if err := t.sweepRuns(); err != nil {
		return out, err
	}
	if err := t.w.backlog.refresh(t); err != nil {
		return out, err
	}
	out.Moved = t.moved
	out.NextDue, err = t.nextDue()
	return out, err
}

// sweepSessions ends sessions that ran out, and takes their runs away. A session
// with more runs than a step has room for stays until the next.
func (t *tx) sweepSessions() (expired []string, _ error) {
	var workers []string
	err := t.rows(`SELECT worker FROM sessions WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2 FOR UPDATE SKIP LOCKED`,
		func(row scanner) error {
			var worker string
			err := row.Scan(&worker)
			workers = append(workers, worker)
			return err
		}, micros(t.now), sweepStep)
	if err != nil {
		return nil, err
	}
	for _, worker := range workers {
		leases, err := t.leases(worker)
		if err != nil {
			return nil, err
		}
		room := max(0, sweepStep-len(t.moved))
		for _, l := range leases[:min(room, len(leases))] {
			if _, _, err := t.moveLease(l, event{kind: evExpire}); err != nil {
				return nil, err
			}
		}
		if len(leases) > room {
			return expired, nil
		}
		if err := t.endSession(worker, false); err != nil {
			return nil, err
		}
		expired = append(expired, worker)
	}
	return expired, nil
}

func (t *tx) sweepRuns() error {
	seqs, err := t.seqs(`SELECT seq FROM runs WHERE due > 0 AND due <= ?1 ORDER BY due LIMIT ?2 FOR UPDATE SKIP LOCKED`,
		micros(t.now), sweepStep)
	if err != nil {
		return err
	}
	for _, seq := range seqs {
		if err := t.moveNow(seq, event{kind: evDue}); err != nil {
			return err
		}
	}
	return nil
}

// nextDue returns the earliest time at which a sweep has something to do.
func (t *tx) nextDue() (time.Time, error) {
	var session, run time.Time
	_, err := t.row(`SELECT expires_at FROM sessions ORDER BY expires_at LIMIT 1`, []any{stamp{&session}})
	if err != nil {
		return time.Time{}, err
	}
	_, err = t.row(`SELECT due FROM runs WHERE due > 0 ORDER BY due LIMIT 1`, []any{stamp{&run}})
	if run.IsZero() || !session.IsZero() && session.Before(run) {
		return session, err
	}
	return run, err
}

// Resume is called once when a server starts. While it was away nobody could
// renew or acknowledge anything, so every session gets a whole lease more, and
// every offer, cancellation and timeout that waits for a worker its wait anew.
// If another server has been there meanwhile, nothing of this is so, and Resume
// leaves everything as it is.
func (s *Store) Resume(ctx context.Context, now time.Time) error {
	_, err := write(ctx, s.writer, now, func(t *tx) (struct{}, error) { return struct{}{}, t.resume() })
	return err
}

func (t *tx) resume() error {
	t.point("resume")
	if alone, err := t.w.dialect.alone(t.w.conn); err != nil || !alone {
		return err
	}
	err := t.exec(`UPDATE sessions SET expires_at = ?1 + lease WHERE expires_at < ?1 + lease`, micros(t.now))
	if err != nil {
		return err
	}
	runs, err := t.runs(`WHERE r.due > 0 AND r.state IN (2, 3)`)
	if err != nil {
		return err
	}
	for i := range runs {
		if _, err := t.move(&runs[i], event{kind: evResume}); err != nil {
			return err
		}
	}
	return nil
}

// seqs reads the numbers of runs.
func (t *tx) seqs(query string, args ...any) ([]int64, error) {
	var out []int64
	err := t.rows(query, func(row scanner) error {
		var seq int64
		err := row.Scan(&seq)
		out = append(out, seq)
		return err
	}, args...)
	return out, err
}

// runs reads and locks runs by a condition, without variables and results. It
// leaves out those that another replica has locked, and so is at.
func (t *tx) runs(where string, args ...any) ([]Run, error) {
	var out []Run
	err := t.rows(selectRun+where+` FOR UPDATE OF r SKIP LOCKED`, func(row scanner) error {
		var r Run
		err := row.Scan(r.dest()...)
		out = append(out, r)
		return err
	}, args...)
	return out, err
}
