package store

import (
	"context"
	"time"
)

// The newest events of a run are kept: MaxEvents of them, and MaxEventBytes of
// what they say. Beyond that the oldest go, a tenth at a time.
const (
	MaxEvents     = 10_000
	MaxEventBytes = 4 << 20
)

// fenceShift puts an event's fence above its number within the attempt.
const fenceShift = 32

// number orders what the attempts of a run have counted.
func number(fence, no int64) int64 { return fence<<fenceShift | no }

// Event is something that a run logged.
type Event struct {
	Cookie string
	Fence  int64
	No     int64 // the worker counts from 1 within an attempt, so that a repeat is known
	N      int64 // order within the run; set by Events, ignored by AppendEvents
	At     time.Time
	Kind   string
	Data   []byte
}

// Missing is how many events of its attempt were not kept between the event
// numbered before, 0 for none, and this one.
func (e Event) Missing(before int64) int64 {
	if before>>fenceShift != e.Fence {
		return e.No - 1
	}
	return e.N - before - 1
}

// Appended is what became of events.
type Appended struct {
	Kept    int // of the new ones
	Trimmed int // of the old ones, which went to make room
}

// AppendEvents records events of a worker's runs under their current or last
// fence. Those of an older lease, of another
// worker's or of unknown runs are dropped, and so are those that do not follow
// what the run has, which are repeats.
func (s *Store) AppendEvents(ctx context.Context, now time.Time, worker string, events []Event) (Appended, error) {
	return add(ctx, s.writer, now, func(t *tx) (all Appended, err error) {
		t.point("events")
		for _, of := range byRun(events) {
			one, err := t.append(worker, of)
			if err != nil {
				return Appended{}, err
			}
			all.Kept, all.Trimmed = all.Kept+one.Kept, all.Trimmed+one.Trimmed
		}
		return all, nil
	})
}

// byRun parts events by their leases, in order.
func byRun(events []Event) (parts [][]Event) {
	type lease struct {
		cookie string
		fence  int64
	}
	places := make(map[lease]int)
	for _, e := range events {
		l := lease{e.Cookie, e.Fence}
		i, known := places[l]
		if !known {
			i = len(parts)
			places[l], parts = i, append(parts, nil)
		}
		parts[i] = append(parts[i], e)
	}
	return parts
}

// append records the events of one lease.
func (t *tx) append(worker string, events []Event) (out Appended, err error) {
	if err := t.spare(events[0].Cookie); err != nil {
		return Appended{}, err
	}
	var seq, lines, size, last int64
	found, err := t.row(`
		SELECT r.seq, coalesce(a.lines, 0), coalesce(a.bytes, 0), coalesce((SELECT max(e.n) FROM events e WHERE e.run = r.seq), 0)
		FROM runs r LEFT JOIN activity a ON a.run = r.seq
		WHERE r.cookie = ?1 AND r.fence = ?2 AND r.fence > 0 AND (r.worker = ?3 OR EXISTS (
			SELECT 1 FROM attempts p WHERE p.run = r.seq AND p.fence = ?2 AND p.worker = ?3))`,
		[]any{&seq, &lines, &size, &last}, events[0].Cookie, events[0].Fence, worker)
	if err != nil || !found {
		return Appended{}, err
	}
	for _, e := range events {
		n := number(e.Fence, e.No)
		if e.No < 1 || n <= last {
			continue
		}
		if err := t.exec(`INSERT INTO events (run, n, at, kind, data) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (run, n) DO NOTHING`,
			seq, n, micros(e.At), e.Kind, notNil(e.Data)); err != nil {
			return Appended{}, err
		}
		last, size = n, size+int64(len(e.Data))
		out.Kept++
	}
	if out.Kept == 0 {
		return Appended{}, nil
	}
	lines += int64(out.Kept)
	if lines > MaxEvents || size > MaxEventBytes {
		had := lines
		if lines, size, err = t.trim(seq, lines, size); err != nil {
			return Appended{}, err
		}
		out.Trimmed = int(had - lines)
	}
	return out, t.exec(`
		INSERT INTO activity (run, lines, bytes, last, progress_n, progress_at, progress) VALUES (?1, ?2, ?3, 0, 0, 0, ?4)
		ON CONFLICT (run) DO UPDATE SET lines = excluded.lines, bytes = excluded.bytes`, seq, lines, size, []byte{})
}

// spare keeps another server from purging a run until what is added to it is
// committed. A run that has not ended is not locked: no purge looks at it, and a
// claim of it would pass over it.
func (t *tx) spare(cookie string) error {
	return t.ask(`SELECT 1 FROM runs WHERE cookie = ?1 AND state > 3 FOR UPDATE`, func(scanner) error { return nil }, cookie)
}

// trimPage bounds how many events are looked through at a time.
const trimPage = 1_000

// trim deletes the oldest events until a tenth of the room is free, and returns
// what is left.
func (t *tx) trim(seq, lines, size int64) (int64, int64, error) {
	var upTo int64
	for page := trimPage; page == trimPage && (lines > MaxEvents*9/10 || size > MaxEventBytes*9/10); {
		page = 0
		err := t.rows(`SELECT n, length(data) FROM events WHERE run = ?1 AND n > ?2 ORDER BY n LIMIT ?3`, func(row scanner) error {
			var n, long int64
			if err := row.Scan(&n, &long); err != nil {
				return err
			}
			page++
			if lines > MaxEvents*9/10 || size > MaxEventBytes*9/10 {
				upTo, lines, size = n, lines-1, size-long
			}
			return nil
		}, seq, upTo, trimPage)
		if err != nil {
			return 0, 0, err
		}
	}
	return lines, size, t.exec(`DELETE FROM events WHERE run = ?1 AND n <= ?2`, seq, upTo)
}

// lastEvent notes the number of the event after which an attempt has no more.
func (t *tx) lastEvent(seq, n int64) error {
	return t.exec(`
		INSERT INTO activity (run, lines, bytes, last, progress_n, progress_at, progress) VALUES (?1, 0, 0, ?2, 0, 0, ?3)
		ON CONFLICT (run) DO UPDATE SET last = excluded.last`, seq, n, []byte{})
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

// BeforeLast returns the number after which a run has so many events, 0 if it
// has no more than that.
func (s *Store) BeforeLast(ctx context.Context, cookie string, events int) (after int64, err error) {
	err = s.query(ctx, `SELECT e.n FROM runs r JOIN events e ON e.run = r.seq
		WHERE r.cookie = ?1 ORDER BY e.n DESC LIMIT 1 OFFSET ?2`, func(row scanner) error {
		return row.Scan(&after)
	}, cookie, events)
	return after, err
}

// Activity is what is known of a run's events beside them.
type Activity struct {
	// Last is the number after which the attempt that ended last has no more
	// events, 0 if it had none.
	Last int64
	// Progress is what the worker has told of where the run is, under the
	// fence and at the time that stand beside it. Nil is nothing.
	Progress []byte
	Fence    int64
	N        int64 // grows with each
	At       time.Time
}

// Activity returns what is known of a run's events. A run of which nothing is
// known has none.
func (s *Store) Activity(ctx context.Context, cookie string) (a Activity, err error) {
	err = s.query(ctx, `SELECT a.last, a.progress_n, a.progress_at, a.progress FROM runs r JOIN activity a ON a.run = r.seq
		WHERE r.cookie = ?1`, func(row scanner) error {
		return row.Scan(&a.Last, &a.N, stamp{&a.At}, &a.Progress)
	}, cookie)
	a.Fence = a.N >> fenceShift
	return a, err
}

// Advance records where a worker's runs are: of each the newest that is known.
// Those of an older lease, of another worker's or of unknown runs are dropped.
func (s *Store) Advance(ctx context.Context, now time.Time, worker string, progress []Event) error {
	_, err := add(ctx, s.writer, now, func(t *tx) (none struct{}, err error) {
		t.point("progress")
		for _, e := range progress {
			if err := t.spare(e.Cookie); err != nil {
				return none, err
			}
			err = t.exec(`
				INSERT INTO activity (run, lines, bytes, last, progress_n, progress_at, progress)
				SELECT seq, 0, 0, 0, ?1, ?2, ?3 FROM runs WHERE cookie = ?4 AND fence = ?5 AND worker = ?6
				ON CONFLICT (run) DO UPDATE SET progress_n = excluded.progress_n, progress_at = excluded.progress_at, progress = excluded.progress
				WHERE excluded.progress_n > activity.progress_n`,
				number(e.Fence, e.No), micros(e.At), notNil(e.Data), e.Cookie, e.Fence, worker)
			if err != nil {
				return none, err
			}
		}
		return none, nil
	})
	return err
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
