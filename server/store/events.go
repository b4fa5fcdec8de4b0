package store

import (
	"context"
	"time"
)

// MaxEvents is how many events one attempt may record. More are dropped.
const MaxEvents = 10_000

// fenceShift puts an event's fence above its number within the attempt.
const fenceShift = 32

// Event is something that a run logged.
type Event struct {
	Cookie string
	Fence  int64
	No     int64 // the worker counts from 1 within an attempt, so a repeat is known
	N      int64 // order within the run; set by Events, ignored by AppendEvents
	At     time.Time
	Kind   string
	Data   []byte
}

// AppendEvents records events of runs under their current or last fence and
// returns how many it did. Repeated ones, those of an older lease, of unknown
// runs and beyond MaxEvents are dropped.
func (s *Store) AppendEvents(ctx context.Context, now time.Time, events []Event) (int, error) {
	return add(ctx, s.writer, now, func(t *tx) (int, error) {
		t.point("events")
		kept := 0
		for _, e := range events {
			if e.No < 1 || e.No > MaxEvents {
				continue
			}
			n, err := t.count(`
				INSERT INTO events (run, n, at, kind, data)
				SELECT seq, ?1, ?2, ?3, ?4 FROM runs WHERE cookie = ?5 AND fence = ?6 AND fence > 0
				ON CONFLICT (run, n) DO NOTHING`,
				e.Fence<<fenceShift|e.No, micros(e.At), e.Kind, notNil(e.Data), e.Cookie, e.Fence)
			if err != nil {
				return 0, err
			}
			kept += int(n)
		}
		return kept, nil
	})
}

// Events returns up to limit events of a run, in order, that come after N.
func (s *Store) Events(ctx context.Context, cookie string, after int64, limit int) ([]Event, error) {
	var out []Event
	err := s.query(ctx, `SELECT e.n, e.at, e.kind, e.data FROM runs r JOIN events e ON e.run = r.seq
		WHERE r.cookie = ?1 AND e.n > ?2 ORDER BY e.n LIMIT ?3`, func(row scanner) error {
		e := Event{Cookie: cookie}
		err := row.Scan(&e.N, stamp{&e.At}, &e.Kind, &e.Data)
		e.Fence, e.No = e.N>>fenceShift, e.N&(1<<fenceShift-1)
		out = append(out, e)
		return err
	}, cookie, after, limit)
	return out, err
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
