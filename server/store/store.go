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
// When the disk fails a write, the store refuses all further ones, because a
// repeated sync may report success for pages that are gone. Close finishes what
// was accepted.
package store

import (
	"context"
	"database/sql"
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
	// Probe is for fault tests; nil is none. It is called with "NAME.before" just
	// before a commit and "NAME.after" just after it, when no caller has been
	// told, once for each kind of operation (submit, poll, heartbeat, finish,
	// cancel, register, leave, shutdown, events, sweep, purge, resume) and each
	// event of a run (offer, reoffer, accept, adopt, claim, finish, release,
	// expire, cancel, due, resume) that the commit holds. All else waits for it.
	Probe func(point string)

	vfs string // file system layer under SQLite, for tests
}

// DefaultTiming returns the usual waits.
func DefaultTiming() Timing {
	return Timing{Offer: 10 * time.Second, Cancel: 30 * time.Second, Grace: 30 * time.Second}
}

// Store is an open database of runs. Its methods may be called concurrently.
type Store struct {
	dialect dialect
	writer  *writer
	conn    *sql.Conn
	reads   *sql.DB

	open   sync.RWMutex // held to read, so that Close waits for reads; guards closed
	closed bool

	mu    sync.Mutex // guards stmts
	stmts map[string]*sql.Stmt
}

// Open opens the database that url names, "sqlite:///absolute/path" or
// "sqlite://relative/path", creates it if it is not there, and brings its tables
// up to date. It refuses a file that is damaged, foreign, newer than this
// program, or in use by another process, and changes nothing in it.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	path, err := sqlitePath(url)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if o.Timing == (Timing{}) {
		o.Timing = DefaultTiming()
	}
	o.Log = o.Log.With("component", "store")
	return open(ctx, &sqlite{path: path, vfs: o.vfs}, o)
}

func sqlitePath(url string) (string, error) {
	path, ok := strings.CutPrefix(url, "sqlite://")
	if !ok || path == "" {
		scheme, _, _ := strings.Cut(url, ":") // the rest may hold a password
		return "", fmt.Errorf("scheme %q: want sqlite:///absolute/path or sqlite://relative/path", scheme)
	}
	return path, nil
}

func open(ctx context.Context, d dialect, o Options) (*Store, error) {
	all, err := loadMigrations(migrationFiles, "migrations")
	if err != nil {
		return nil, err
	}
	conn, reads, err := d.open(ctx, all)
	if err != nil {
		return nil, err
	}
	return &Store{
		dialect: d, writer: newWriter(conn, d, o), conn: conn, reads: reads, stmts: map[string]*sql.Stmt{},
	}, nil
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
	for _, stmt := range s.stmts {
		_ = stmt.Close() // closing the database reports what matters
	}
	_ = s.conn.Close() // likewise
	if err := s.dialect.close(); err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}

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

// Check reads the whole database and reports what is damaged. It takes a while
// and does not hold up writes.
func (s *Store) Check(ctx context.Context) error {
	s.open.RLock()
	defer s.open.RUnlock()
	if s.closed {
		return ErrClosed
	}
	return s.dialect.check(ctx, s.reads)
}

// query runs a prepared statement on a reading connection and calls scan for
// each row.
func (s *Store) query(ctx context.Context, query string, scan func(*sql.Rows) error, args ...any) error {
	s.open.RLock()
	defer s.open.RUnlock()
	if s.closed {
		return ErrClosed
	}
	stmt, err := s.prepare(ctx, query)
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	return each(rows, scan)
}

func (s *Store) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stmt, ok := s.stmts[query]; ok {
		return stmt, nil
	}
	stmt, err := s.reads.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s.stmts[query] = stmt
	return stmt, nil
}
