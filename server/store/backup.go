package store

import (
	"context"
	"fmt"
	"os"
	"time"
)

// Backup returns a copy of the whole database as it is now, checked, as a file
// to be read and closed. It takes as much disk as the database until then, and
// does not hold up writes. It is put into the audit, as by's, before it is
// returned. PostgreSQL has tools of its own for this: there it returns
// ErrNoBackup.
func (s *Store) Backup(ctx context.Context, now time.Time, by string) (*os.File, error) {
	copied, err := s.copied(ctx)
	if err != nil {
		return nil, err
	}
	_, err = write(ctx, s.writer, now, func(t *tx) (struct{}, error) {
		return struct{}{}, t.audit(by, ActionBackup, TargetDatabase, "")
	})
	if err != nil {
		_ = copied.Close() // the copy is given up
		return nil, err
	}
	return copied, nil
}

func (s *Store) copied(ctx context.Context) (*os.File, error) {
	s.open.RLock()
	defer s.open.RUnlock()
	if s.closed {
		return nil, ErrClosed
	}
	return s.dialect.backup(ctx)
}

// Restore puts a copy of a backup where the store that url names will be. There
// must be nothing yet. The backup is checked and stays as it is.
func Restore(ctx context.Context, url, backup string) error {
	path, err := sqlitePath(url)
	if err != nil {
		return fmt.Errorf("restore: %w", wrongAddress{err})
	}
	d := &sqlite{path: path}
	if err := d.restore(ctx, backup); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return nil
}
