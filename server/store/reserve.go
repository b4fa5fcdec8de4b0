package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// reserveRetry is how long after a full disk, and after each try, the reserve
// is asked for again.
const reserveRetry = 10 * time.Second

// reserve is disk space that is kept for what must not be refused. When the
// disk is full it is given up, so that results, cancellations and the upkeep of
// leases find room; whatever adds to the database is refused until the disk has
// room for the reserve again.
type reserve struct {
	path string // of the file that takes the space
	size int64  // bytes; zero keeps none

	fill func(path string, size int64) error // for tests; fillFile otherwise
}

// take makes the file, whole or not at all. It may be there already.
func (r *reserve) take() error {
	if r.size == 0 {
		return nil
	}
	if info, err := os.Stat(r.path); err == nil && info.Size() == r.size {
		return nil
	}
	fill := r.fill
	if fill == nil {
		fill = fillFile
	}
	err := fill(r.path, r.size)
	if err != nil {
		err = errors.Join(err, r.drop())
	}
	return err
}

// give deletes the file, and reports whether that has made room.
func (r *reserve) give() (bool, error) {
	if info, err := os.Stat(r.path); err != nil || info.Size() == 0 {
		return false, nil
	}
	if err := r.drop(); err != nil {
		return false, fmt.Errorf("give up the reserve %q: %w", r.path, err)
	}
	return true, nil
}

func (r *reserve) drop() error {
	if err := os.Remove(r.path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// fillFile writes and syncs zeros, for a file system may promise space that it
// does not have until then.
func fillFile(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	piece := make([]byte, 256<<10)
	for left := size; left > 0 && err == nil; {
		var n int
		n, err = f.Write(piece[:min(left, int64(len(piece)))])
		left -= int64(n)
	}
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}
