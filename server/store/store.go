// Package store keeps runs, leases and results in a database.
//
// A run is a row. What may happen to it is one pure function of the run, an
// event and the time (next); the SQL writes what that function returns, in one
// transaction with the fence that the caller showed. A fence numbers the leases
// of a run, so a worker that lost its lease can change nothing, whatever its
// clock says. Time comes in with every call.
//
// A call that writes returns after its transaction was committed and synced.
// One goroutine commits for all callers, many at a time. What a call moved it
// returns as Moved, once, for the caller to act upon.
//
// The database is a SQLite file of this process alone, or PostgreSQL, which any
// number of stores may share. The statements are the same for both and written
// so that both understand them:
//
//   - Placeholders are numbered: ?1, ?2. PostgreSQL gets $1, $2.
//   - Whoever reads a row to write it later in the transaction locks it, with
//     FOR UPDATE at the end, or FOR UPDATE OF r if the statement joins; sweeps
//     and claims add SKIP LOCKED. SQLite, with its one writer, gets neither.
//   - Sessions are locked before runs.
//   - Numbers, times and truth values are 64-bit integers, payloads are bytes;
//     sum() of them is a CAST(... AS BIGINT). Text holds no NUL.
//   - A row is written by its key, and a run on the condition that its version is
//     the one that was read.
//   - What writes and is not asked for its count (exec, one) may be sent with a
//     later statement, so its error is that of the whole transaction.
//   - Moves of runs wait until something is read or the batch ends, and are then
//     written together, each kind by one statement for all its rows (bulk).
//     PostgreSQL gets the rows as arrays; SQLite is run once per row.
//   - What the writer has written itself it need not read again (recall), unless
//     the run's version says that another server has changed it.
//   - A change of the tables stands in migrations/sqlite and, in the same words
//     as far as they are SQL's, in migrations/postgres.
//
// When the disk fails a write, the store refuses all further ones, because a
// repeated sync may report success for pages that are gone. Close finishes what
// was accepted.
package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Options are what a store needs beside its URL.
type Options struct {
	// Log receives what an operator has to know. Required.
	Log *slog.Logger
	// Timing holds the waits of the state machine; DefaultTiming has the usual.
	Timing Timing
	// Aging is how long the first run of a line waits for its priority to count
	// as one higher, so that it is not kept waiting for ever by others of a
	// higher one. Zero leaves priorities as they are.
	Aging time.Duration
	// Probe is for fault tests; nil is none. It is called with "NAME.before" just
	// before a commit and "NAME.after" just after it, when no caller has been
	// told, once for each kind of operation (submit, requeue, poll, heartbeat,
	// finish, cancel, register, leave, shutdown, events, progress, sweep, purge,
	// resume, token, enrol, rotate) and each
	// event of a run (offer, reoffer, accept, adopt, claim, finish, release,
	// expire, cancel, due, resume, grant) that the commit holds. All else waits for
	// it.
	Probe func(point string)

	// MaxQueued is how many runs may wait in one queue: for their time, for a
	// slot of their concurrency key, or for a worker. Submits beyond it are
	// refused with ErrQueueFull; a run that comes back to its queue never is.
	// When other stores have the database open too, it is what this one knows.
	// Zero is no limit.
	MaxQueued int

	// Reserve is disk space, in bytes, that a SQLite store keeps for results
	// and for the upkeep of leases. When the disk is full, submits are refused
	// with ErrFull before those are. Zero keeps none.
	Reserve int64

	// Committed is told of each transaction that was committed and synced: how
	// long it took from its begin, and how many operations it holds. All else
	// waits for it. Nil is none.
	Committed func(took time.Duration, operations int)

	vfs  string                              // file system layer under SQLite, for tests
	fill func(path string, size int64) error // takes the reserve, for tests
}

// DefaultTiming returns the usual waits.
func DefaultTiming() Timing {
	return Timing{Offer: 10 * time.Second, Cancel: 30 * time.Second, Grace: 30 * time.Second}
}

// Store is an open database of runs. Its methods may be called concurrently.
type Store struct {
	dialect   dialect
	writer    *writer
	id        string // of the database
	self      string // tells this server from others on the database
	fewTagged int    // as of the constant
	bus       *bus   // to the other servers on the database; nil if there can be none

	open   sync.RWMutex // held to read, so that Close waits for reads; guards closed
	closed bool
}

// Open opens the database that url names and brings its tables up to date.
//
// "sqlite:///absolute/path" or "sqlite://relative/path" is a file, which is
// created if it is not there. Open refuses a file that is damaged, foreign,
// newer than this program, or in use by another process, and changes nothing in
// it. "postgres://user:password@host/database" is a database on a server, which
// any number of stores may have open. Open refuses one that does not promise to
// keep what it has committed.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	if o.Timing == (Timing{}) {
		o.Timing = DefaultTiming()
	}
	o.Log = o.Log.With("component", "store")
	d, err := dialectOf(url, o)
	if err != nil {
		return nil, wrongAddress{err}
	}
	c, err := d.open(ctx, o.Log)
	if err != nil {
		return nil, err
	}
	id, err := identify(c)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open store: read its identity: %w", err), d.close())
	}
	s := &Store{dialect: d, writer: newWriter(c, d, o), id: id, self: rand.Text(), fewTagged: fewTagged}
	if p, ok := d.(*postgres); ok {
		s.bus = newBus(p.link, p.readClock, o.Log)
	}
	return s, nil
}

func dialectOf(url string, o Options) (dialect, error) {
	switch scheme, _, _ := strings.Cut(url, ":"); scheme { // the rest may hold a password
	case "postgres", "postgresql":
		return newPostgres(url)
	case "sqlite":
		path, err := sqlitePath(url)
		if err != nil {
			return nil, fmt.Errorf("open store: %w", err)
		}
		return &sqlite{path: path, vfs: o.vfs, stmts: map[string]*sql.Stmt{}, reserve: reserve{size: o.Reserve, fill: o.fill}}, nil
	default:
		return nil, fmt.Errorf("open store: scheme %q: want sqlite:///absolute/path, sqlite://relative/path or postgres://host/database", scheme)
	}
}

func sqlitePath(url string) (string, error) {
	path, ok := strings.CutPrefix(url, "sqlite://")
	if !ok || path == "" {
		scheme, _, _ := strings.Cut(url, ":") // the rest may hold a password
		return "", fmt.Errorf("scheme %q: want sqlite:///absolute/path or sqlite://relative/path", scheme)
	}
	return path, nil
}

// Close finishes the operations that were accepted and closes the database.
// Calls that come later return ErrClosed. It may be called twice.
func (s *Store) Close() error {
	s.writer.close()
	s.open.Lock()
	defer s.open.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if err := s.dialect.close(); err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}

// Now is the time by the database's clock, which servers share when they share
// the database.
func (s *Store) Now() time.Time { return time.Now().Add(s.dialect.ahead()) }

// Kind is which kind of database it is: "sqlite" or "postgres".
func (s *Store) Kind() string {
	if _, ok := s.dialect.(*postgres); ok {
		return "postgres"
	}
	return "sqlite"
}

// Full reports whether the disk is full: what is new is refused then, and results
// are still taken.
func (s *Store) Full() bool { return s.writer.low.Load() }

// Failed is closed when the disk has failed a write. From then on every write
// returns ErrFailed and Err says why; the process had better end.
func (s *Store) Failed() <-chan struct{} { return s.writer.failed }

// Err returns what closed Failed, or nil.
func (s *Store) Err() error {
	select {
	case <-s.writer.failed:
		return s.writer.err
	default:
		return nil
	}
}

// Suspect reports whether the process before this one ended without Close, so
// that a Check is worth its time.
func (s *Store) Suspect() bool { return s.dialect.suspect() }

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	return s.query(ctx, `SELECT 1`, func(scanner) error { return nil })
}

// Check reads the whole database and reports what is damaged. It takes a while
// and does not hold up writes.
func (s *Store) Check(ctx context.Context) error {
	s.open.RLock()
	defer s.open.RUnlock()
	if s.closed {
		return ErrClosed
	}
	return s.dialect.check(ctx)
}

// query runs a statement that only reads and calls scan for each row. The error of
// one that was broken off since ctx has ended is ctx's, whatever the driver calls it.
func (s *Store) query(ctx context.Context, query string, scan func(scanner) error, args ...any) error {
	s.open.RLock()
	defer s.open.RUnlock()
	if s.closed {
		return ErrClosed
	}
	err := s.dialect.read(ctx, query, scan, args)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return s.unavailable(err)
}

// unavailable marks the error of a read that could not reach the database.
func (s *Store) unavailable(err error) error {
	if s.dialect.fault(err) == faultLost {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}
