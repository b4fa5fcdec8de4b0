package store

import (
	"context"
	"time"
)

// Purged is what a step of a purge has deleted.
type Purged struct {
	Runs   int
	Routes int // combinations of queue, pipeline, digest, labels and priority
	Keys   int // concurrency keys
	Audit  int // lines of the audit
}

// Any reports whether anything was deleted.
func (p Purged) Any() bool { return p != Purged{} }

// Add adds what another step has deleted.
func (p *Purged) Add(more Purged) {
	p.Runs += more.Runs
	p.Routes += more.Routes
	p.Keys += more.Keys
	p.Audit += more.Audit
}

// Purge deletes up to limit each of the runs, routes, keys and lines of the audit
// that are outdated, runs with all that belongs to them, those of each state that
// ended longest ago first, and fewer where they have logged much. Keep limit small,
// since others wait meanwhile, and call again while it deletes any.
func (s *Store) Purge(ctx context.Context, now time.Time, o *Outdated, limit int) (Purged, error) {
	out, err := write(ctx, s.writer, now, func(t *tx) (Purged, error) {
		t.point("purge")
		if mine, err := t.chore(chorePurge, s.self); err != nil || !mine {
			return Purged{}, err
		}
		return t.purge(o, limit)
	})
	if err == nil {
		o.routes, o.keys = o.routes[out.Routes:], o.keys[out.Keys:]
	}
	return out, err
}

func (t *tx) purge(o *Outdated, limit int) (out Purged, err error) {
	if out.Runs, err = t.purgeRuns(o, limit); err != nil {
		return out, err
	}
	// A submit that uses one of the others meanwhile notes so in its row first.
	for _, id := range o.routes[:min(limit, len(o.routes))] {
		if err := t.exec(`DELETE FROM routes WHERE id = ?1 AND used_at < ?2`, id, micros(o.unused)); err != nil {
			return out, err
		}
		out.Routes++
	}
	if out.Routes > 0 {
		t.w.routes.forget()
	}
	for _, name := range o.keys[:min(limit, len(o.keys))] {
		if err := t.exec(`DELETE FROM concurrency WHERE name = ?1 AND used_at < ?2`, name, micros(o.unused)); err != nil {
			return out, err
		}
		out.Keys++
	}
	lines, err := t.count(`DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < ?1 ORDER BY at LIMIT ?2)`,
		micros(o.audit), limit)
	out.Audit = int(lines)
	return out, err
}

// purgeRuns deletes up to limit runs, and of those that have logged much only as
// many as have MaxEvents lines together.
func (t *tx) purgeRuns(o *Outdated, limit int) (n int, _ error) {
	lines := 0
	for _, state := range ends {
		if o.runs[state].IsZero() {
			continue
		}
		var seqs []int64
		err := t.rows(`SELECT seq, coalesce((SELECT lines FROM activity WHERE run = seq), 0) FROM runs
			WHERE state = ?1 AND state > 3 AND finished_at < ?2 ORDER BY finished_at LIMIT ?3 FOR UPDATE SKIP LOCKED`, func(row scanner) error {
			var seq int64
			var logged int
			err := row.Scan(&seq, &logged)
			if lines += logged; lines <= MaxEvents || n+len(seqs) == 0 {
				seqs = append(seqs, seq)
			}
			return err
		}, int(state), micros(o.runs[state]), limit-n)
		if err != nil {
			return n, err
		}
		for _, seq := range seqs {
			if err := t.purgeRun(seq); err != nil {
				return n, err
			}
		}
		n += len(seqs)
	}
	return n, nil
}

func (t *tx) purgeRun(seq int64) error {
	for _, query := range []string{
		`DELETE FROM variables WHERE run = ?1`,
		`DELETE FROM results WHERE run = ?1`,
		`DELETE FROM tags WHERE run = ?1`,
		`DELETE FROM attempts WHERE run = ?1`,
		`DELETE FROM events WHERE run = ?1`,
		`DELETE FROM activity WHERE run = ?1`,
		`DELETE FROM late WHERE run = ?1`,
		`DELETE FROM runs WHERE seq = ?1`,
	} {
		if err := t.exec(query, seq); err != nil {
			return err
		}
	}
	return nil
}
