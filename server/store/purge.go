package store

import (
	"context"
	"time"
)

// Purge deletes up to limit runs that ended before a time, with all that belongs
// to them, the longest ended first, and returns how many. Keep limit small, since
// others wait meanwhile, and call again while it returns limit.
func (s *Store) Purge(ctx context.Context, before time.Time, limit int) (int, error) {
	return write(ctx, s.writer, before, func(t *tx) (int, error) {
		t.point("purge")
		seqs, err := t.seqs(`SELECT seq FROM runs WHERE finished_at > 0 AND finished_at < ?1
			ORDER BY finished_at LIMIT ?2 FOR UPDATE SKIP LOCKED`, micros(before), limit)
		if err != nil {
			return 0, err
		}
		for _, seq := range seqs {
			for _, query := range []string{
				`DELETE FROM variables WHERE run = ?1`,
				`DELETE FROM results WHERE run = ?1`,
				`DELETE FROM tags WHERE run = ?1`,
				`DELETE FROM attempts WHERE run = ?1`,
				`DELETE FROM events WHERE run = ?1`,
				`DELETE FROM late WHERE run = ?1`,
				`DELETE FROM runs WHERE seq = ?1`,
			} {
				if err := t.exec(query, seq); err != nil {
					return 0, err
				}
			}
		}
		return len(seqs), nil
	})
}
