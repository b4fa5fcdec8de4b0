package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"
)

const (
	// applicationID marks a file as ours: "plrn".
	applicationID = 0x706c726e
	// checkpointPages is how long the write-ahead log grows before its pages go
	// into the database file.
	checkpointPages = 1000
)

// sqlite is a database file of this process alone. Beside it stand SQLite's own
// -wal and -shm, and -lock, which is held while the store is open.
type sqlite struct {
	path string
	vfs  string // name of the file system layer

	lock     *sqlite3.Conn
	write    *sql.DB
	conn     *sqliteConn // of write
	reads    *sql.DB
	reserve  reserve
	unclean  bool // the process before did not close it
	walPages int  // in the log at the last commit; used by the writing connection alone

	mu    sync.Mutex // guards stmts
	stmts map[string]*sql.Stmt
}

func (d *sqlite) open(ctx context.Context, log *slog.Logger) (_ conn, err error) {
	defer func() {
		if err != nil {
			_ = d.close() // err says more
			err = fmt.Errorf("open store %q: %w", d.path, d.advise(err))
		}
	}()
	if d.path, err = filepath.Abs(d.path); err != nil {
		return nil, err
	}
	if err := d.takeLock(); err != nil {
		return nil, err
	}
	if d.vfs == "" {
		registerSystemFiles()
		d.vfs = systemFilesName
	}
	d.reserve.path = d.path + "-reserve"
	if log, err := os.Stat(d.path + "-wal"); err == nil {
		d.unclean = log.Size() > 0
	}
	if err := prepareFile(d.path); err != nil {
		return nil, err
	}
	if d.write, err = driver.Open(d.dsn("synchronous(full)", "cache_size(-32000)"), d.countPages); err != nil {
		return nil, err
	}
	d.write.SetMaxOpenConns(1)
	w, err := d.write.Conn(ctx)
	if err != nil {
		return nil, err
	}
	d.conn = &sqliteConn{conn: w, stmts: map[string]*sql.Stmt{}}
	if err := d.settle(ctx, w); err != nil {
		return nil, err
	}
	all, err := loadMigrations(migrationFiles, "migrations/sqlite")
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, d.conn, all, log); err != nil {
		return nil, err
	}
	if d.reads, err = driver.Open(d.dsn("query_only(1)", "cache_size(-8000)"), steady); err != nil {
		return nil, err
	}
	readers := max(2, runtime.GOMAXPROCS(0))
	d.reads.SetMaxOpenConns(readers)
	d.reads.SetMaxIdleConns(readers)
	return d.conn, nil
}

// takeLock keeps a second process out. SQLite's own locks would admit it, and
// each would miss what the other holds in memory. The lock ends with the process.
func (d *sqlite) takeLock() error {
	var err error
	if d.lock, err = sqlite3.Open(fileURI(d.path+"-lock", nil)); err != nil {
		return err
	}
	if err := d.lock.Exec("BEGIN EXCLUSIVE"); errors.Is(err, sqlite3.BUSY) {
		return ErrLocked
	} else if err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	return nil
}

var errForeign error = wrongAddress{errors.New("not a pullrun database")}

// prepareFile creates the database file, for its owner alone, or makes sure that
// a file which exists is one that SQLite may be let near.
func prepareFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		f, err = os.OpenFile(path, os.O_RDWR, 0)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	magic := []byte("SQLite format 3\x00")
	head := make([]byte, len(magic))
	switch n, err := io.ReadFull(f, head); {
	case n == 0 && errors.Is(err, io.EOF):
		return nil
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return err
	case !bytes.Equal(head, magic):
		return errForeign
	}
	return nil
}

func fileURI(path string, query url.Values) string {
	raw := strings.ReplaceAll(query.Encode(), "+", "%20") // SQLite knows no other form of a space
	u := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path), RawQuery: raw}
	return u.String()
}

func (d *sqlite) dsn(pragmas ...string) string {
	// modeof gives SQLite's other files the permissions of the database.
	query := url.Values{"modeof": {d.path}, "_pragma": append([]string{"busy_timeout(10000)"}, pragmas...)}
	query.Set("vfs", d.vfs)
	return fileURI(d.path, query)
}

// countPages takes the place of SQLite's automatic checkpoint, which would hide
// that a sync of the database file failed.
func (d *sqlite) countPages(c *sqlite3.Conn) error {
	if err := steady(c); err != nil {
		return err
	}
	c.WALHook(func(_ *sqlite3.Conn, _ string, pages int) error {
		d.walPages = pages
		return nil
	})
	return nil
}

// steady keeps SQLite from preparing a statement anew whenever an argument
// changes that a partial index could depend on. None of ours does.
func steady(c *sqlite3.Conn) error {
	_, err := c.Config(sqlite3.DBCONFIG_ENABLE_QPSG, true)
	return err
}

// settle makes a new file ours, refuses another program's, and asserts what
// durability rests on.
func (d *sqlite) settle(ctx context.Context, conn *sql.Conn) error {
	var id, tables int
	if err := conn.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id); err != nil {
		return err
	}
	if err := conn.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return err
	}
	switch {
	case id == applicationID:
	case id == 0 && tables == 0:
		if err := mark(ctx, conn); err != nil {
			return err
		}
	default:
		return errForeign
	}
	for _, want := range []struct{ pragma, value string }{
		{"journal_mode = wal", "wal"},
		{"synchronous", "2"},
		{"checksum_verification", "1"},
	} {
		var got string
		if err := conn.QueryRowContext(ctx, "PRAGMA "+want.pragma).Scan(&got); err != nil {
			return err
		}
		if got != want.value {
			return fmt.Errorf("pragma %s: is %q, want %q", want.pragma, got, want.value)
		}
	}
	return nil
}

// mark makes an empty file a database of ours, with checksums.
func mark(ctx context.Context, conn *sql.Conn) error {
	if err := conn.Raw(enableChecksums); err != nil {
		return fmt.Errorf("enable checksums: %w", err)
	}
	_, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID))
	return err
}

func enableChecksums(c any) error { return c.(driver.Conn).Raw().EnableChecksums("main") }

// advise says what to do about a file that cannot be opened.
func (d *sqlite) advise(err error) error {
	switch {
	case errors.Is(err, errForeign):
		return fmt.Errorf("%w; name another file", err)
	case damaged(err):
		return fmt.Errorf("damaged: %w; restore a backup, or move the file away together with its -wal to start empty", err)
	}
	return err
}

// damaged reports whether a file is to blame for the error.
func damaged(err error) bool {
	return errors.Is(err, sqlite3.NOTADB) || errors.Is(err, sqlite3.CORRUPT) || errors.Is(err, sqlite3.IOERR_DATA)
}

func (d *sqlite) among(query string) string { return `IN (` + query + `)` }

func (d *sqlite) fault(err error) fault {
	var code sqlite3.ExtendedErrorCode
	var missed *missedError
	switch {
	case errors.As(err, &missed):
		return faultOther
	case !errors.As(err, &code):
		return faultNone
	}
	if code == sqlite3.IOERR_DATA {
		return faultPage
	}
	switch code.Code() {
	case sqlite3.FULL:
		return faultFull
	case sqlite3.IOERR, sqlite3.CORRUPT, sqlite3.NOTADB, sqlite3.READONLY, sqlite3.CANTOPEN, sqlite3.PERM:
		return faultDisk
	}
	return faultOther
}

func (d *sqlite) alone(conn) (bool, error) { return true, nil }
func (d *sqlite) ahead() time.Duration     { return 0 }

// maintain moves the log into the database file once it has grown. Readers may
// go on; what they still need stays in the log.
func (d *sqlite) maintain(c conn) error {
	if d.walPages < checkpointPages {
		return nil
	}
	d.walPages = 0
	if err := c.script("PRAGMA wal_checkpoint(PASSIVE)"); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

// abandon leaves the log as it is for the next process to recover from. Closing
// would sync it again and then move it into the database file.
func (d *sqlite) abandon(conn) {
	_ = d.conn.conn.Raw(func(c any) error { // the failure before this one is what counts
		_, err := c.(driver.Conn).Raw().Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true)
		return err
	})
}

func (d *sqlite) relieve() (bool, error) { return d.reserve.give() }
func (d *sqlite) restock() error         { return d.reserve.take() }

func (d *sqlite) suspect() bool { return d.unclean }

func (d *sqlite) check(ctx context.Context) error {
	if err := quickCheck(ctx, d.reads); err != nil {
		return fmt.Errorf("check store %q: %w", d.path, d.advise(err))
	}
	return nil
}

// quickCheck reads a whole database and returns the first thing that is damaged.
func quickCheck(ctx context.Context, db *sql.DB) error {
	var first string
	err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&first)
	if err == nil && first != "ok" {
		err = fmt.Errorf("%w: %s", sqlite3.CORRUPT, first)
	}
	return err
}

// close closes the connection that writes last, since the last one moves the log
// into the database file, and the driver (v0.37) dereferences nil when another
// than the writer does that to a file with checksums.
func (d *sqlite) close() error {
	for _, s := range d.stmts {
		_ = s.Close() // closing the database reports what matters
	}
	if d.conn != nil {
		d.conn.close()
	}
	var errs []error
	for _, db := range []*sql.DB{d.reads, d.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if d.lock != nil {
		errs = append(errs, d.lock.Close())
	}
	return errors.Join(errs...)
}
