package store

import (
	"errors"
	"sync"
	"syscall"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// systemFiles is the system's file layer, but that a write which finds no room
// says so. The driver (v0.37) looks for the error where it is wrapped already,
// and reports a disk that is broken.
type systemFiles struct{ vfs.VFSFilename }

const systemFilesName = "pullrun"

// registerSystemFiles makes the layer known to SQLite, once.
var registerSystemFiles = sync.OnceFunc(func() {
	vfs.Register(systemFilesName, systemFiles{vfs.Find("").(vfs.VFSFilename)})
})

func (s systemFiles) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, flags, err := s.VFSFilename.OpenFilename(name, flags)
	if err != nil {
		return nil, flags, err
	}
	return systemFile{f}, flags, nil
}

type systemFile struct{ vfs.File }

func (f systemFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(p, off)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		err = vfs.SystemError(err, sqlite3.FULL)
	}
	return n, err
}

// SharedMemory is what the write-ahead log's index lives in.
func (f systemFile) SharedMemory() vfs.SharedMemory {
	return f.File.(vfs.FileSharedMemory).SharedMemory()
}
