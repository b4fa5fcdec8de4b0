package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"syscall"

	"github.com/ncruces/go-sqlite3/driver"
)

// backupPages is how many pages are copied between two looks at the context.
const backupPages = 4096

// backup copies the database into a file beside it. The file has no name any
// more when it is returned, so nothing is left of it, whatever happens.
func (d *sqlite) backup(ctx context.Context) (_ *os.File, err error) {
	temporary, err := os.CreateTemp(filepath.Dir(d.path), filepath.Base(d.path)+"-backup-")
	if err != nil {
		return nil, fmt.Errorf("back up store %q: %w", d.path, err)
	}
	path := temporary.Name()
	_ = temporary.Close() // nothing was written
	defer func() {
		if d.fault(err) == faultFull {
			err = fmt.Errorf("%w: %w", ErrFull, err)
		}
		err = errors.Join(err, os.Remove(path))
		if err != nil {
			err = fmt.Errorf("back up store %q: %w", d.path, err)
		}
	}()
	conn, err := d.reads.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := d.begin(ctx, path); err != nil {
		return nil, err
	}
	if err := d.copyTo(ctx, conn, path); err != nil {
		return nil, err
	}
	if err := checkFile(ctx, path); err != nil {
		return nil, err
	}
	return os.Open(path)
}

// begin makes the file an empty database with checksums. The pages of a copy are
// given theirs as they are written, and the first of them may be written long
// before the header that says so.
func (d *sqlite) begin(ctx context.Context, path string) error {
	db, err := driver.Open(fileURI(path, url.Values{"vfs": {d.vfs}}))
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return mark(ctx, conn)
}

// copyTo copies the pages within one read transaction, so that they are of one
// moment, and so that a write in between does not make it begin anew.
func (d *sqlite) copyTo(ctx context.Context, conn *sql.Conn, path string) error {
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // it has written nothing
	var first int64
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM schema_versions").Scan(&first); err != nil {
		return err
	}
	return conn.Raw(func(c any) error {
		b, err := c.(driver.Conn).Raw().BackupInit("main", fileURI(path, url.Values{"vfs": {d.vfs}}))
		if err != nil {
			return err
		}
		for done := false; !done && err == nil; {
			if done, err = b.Step(backupPages); err == nil {
				err = ctx.Err()
			}
		}
		return errors.Join(err, b.Close())
	})
}

// checkFile reads a whole database file that nobody has open, and reports what
// is damaged, or that it is none of ours.
func checkFile(ctx context.Context, path string) error {
	if info, err := os.Stat(path); err != nil {
		return err
	} else if info.IsDir() { // SQLite says that the disk fails
		return &fs.PathError{Op: "open", Path: path, Err: syscall.EISDIR}
	}
	db, err := driver.Open(fileURI(path, map[string][]string{"mode": {"ro"}, "immutable": {"1"}}))
	if err != nil {
		return err
	}
	defer db.Close()
	var id int
	err = db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id)
	switch {
	case err == nil && id != applicationID:
		return errForeign
	case err == nil:
		err = quickCheck(ctx, db)
	}
	if damaged(err) {
		err = fmt.Errorf("damaged: %w", err)
	}
	return err
}

// restore puts a copy of the backup where the database is to be. Nothing may be
// there.
func (d *sqlite) restore(ctx context.Context, backup string) error {
	path, err := filepath.Abs(d.path)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return wrongAddress{fmt.Errorf("%q exists; move it away first, together with its -wal and -shm", path)}
	}
	if err := checkFile(ctx, backup); err != nil {
		return fmt.Errorf("backup %q: %w", backup, err)
	}
	return install(backup, path)
}

// install makes the copy whole or not at all: it is synced under another name
// before it gets its own.
func install(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.CreateTemp(filepath.Dir(to), filepath.Base(to)+"-restore-") // for its owner alone
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(out.Name()) // err says more
		}
	}()
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return err
	}
	if err := os.Link(out.Name(), to); err != nil { // unlike a rename, it replaces nothing
		return err
	}
	if err := os.Remove(out.Name()); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
