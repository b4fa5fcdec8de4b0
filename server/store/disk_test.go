package store

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// disk is the system's file layer with failures. Writes, truncations and syncs
// of any file are counted from 1.
type disk struct {
	vfs.VFSFilename

	mu     sync.Mutex
	ops    int
	failAt int    // the operation that fails; zero is none
	err    error  // with which it fails
	full   bool   // no write succeeds
	keep   string // the file that has to go before one does, if it is there
	main   bool   // no write to the database file itself succeeds
	flaw   bool   // no page of it carries its checksum
	after  int    // operations since the failure
}

func newDisk(t *testing.T, name string) *disk {
	t.Helper()
	d := &disk{VFSFilename: vfs.Find("").(vfs.VFSFilename)}
	vfs.Register(name, d)
	t.Cleanup(func() { vfs.Unregister(name) })
	return d
}

// write decides about one operation that changes a file.
func (d *disk) write(main bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ops++
	switch {
	case d.main && main:
		return d.err
	case d.full && !d.gone():
		return vfs.SystemError(syscall.ENOSPC, sqlite3.FULL)
	case d.failAt > 0 && d.ops == d.failAt:
		return d.err
	case d.failAt > 0 && d.ops > d.failAt:
		d.after++
	}
	return nil
}

// gone reports whether the file that was kept for this has made room.
func (d *disk) gone() bool {
	if d.keep == "" {
		return false
	}
	_, err := os.Stat(d.keep)
	return errors.Is(err, fs.ErrNotExist)
}

// fill takes the reserve while there is room.
func (d *disk) fill(path string, size int64) error {
	d.mu.Lock()
	full := d.full
	d.mu.Unlock()
	if full {
		return syscall.ENOSPC
	}
	return fillFile(path, size)
}

func (d *disk) setFull(full bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full = full
}

func (d *disk) setFlaw(flaw bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.flaw = flaw
}

func (d *disk) failed() (failed bool, after int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failAt > 0 && d.ops >= d.failAt, d.after
}

func (d *disk) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, flags, err := d.VFSFilename.OpenFilename(name, flags)
	if err != nil {
		return nil, flags, err
	}
	return &diskFile{File: f, disk: d, main: flags&vfs.OPEN_MAIN_DB != 0}, flags, nil
}

type diskFile struct {
	vfs.File
	disk *disk
	main bool
}

func (f *diskFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.disk.write(f.main); err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, off)
}

func (f *diskFile) ReadAt(p []byte, off int64) (int, error) {
	f.disk.mu.Lock()
	flaw := f.disk.flaw && f.main
	f.disk.mu.Unlock()
	if flaw {
		return 0, sqlite3.IOERR_DATA
	}
	return f.File.ReadAt(p, off)
}

func (f *diskFile) Truncate(size int64) error {
	if err := f.disk.write(f.main); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f *diskFile) Sync(flags vfs.SyncFlag) error {
	if err := f.disk.write(f.main); err != nil {
		return err
	}
	return f.File.Sync(flags)
}

func (f *diskFile) SharedMemory() vfs.SharedMemory {
	return f.File.(vfs.FileSharedMemory).SharedMemory()
}
