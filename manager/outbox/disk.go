package outbox

import (
	"errors"
	"os"
)

var errInUse = errors.New("it is in use; has another worker the same name or outbox.dir?")

// A disk is what the outbox needs of a file system to write.
type disk interface {
	Open(path string, flag int) (file, error)
	Rename(from, to string) error
	// SyncDir makes it last that files in dir were made and renamed.
	SyncDir(dir string) error
}

type file interface {
	Write(p []byte) (int, error)
	Sync() error
	Close() error
}

// system is the operating system's.
type system struct{}

func (system) Open(path string, flag int) (file, error) { return os.OpenFile(path, flag, 0o600) }

func (system) Rename(from, to string) error { return os.Rename(from, to) }

func (system) SyncDir(dir string) error { return syncDir(dir) }
