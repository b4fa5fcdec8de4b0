// Package fresh keeps what files hold, and reads them again when they change:
// certificates and tokens that are renewed while the process runs.
//
// The one idea: whoever needs the value asks for it, and only then is looked
// whether the files are other files by now. Nothing watches, and nothing has to
// be stopped. Files that cannot be used, such as a half of a pair that is just
// being replaced, leave the value before them in place.
package fresh

import (
	"bytes"
	"os"
	"slices"
	"sync"
	"time"
)

// A Value is what some files hold. It is safe for concurrent use.
type Value[T any] struct {
	paths []string
	parse func(files [][]byte) (T, error)

	mu sync.Mutex
	// Guarded by mu.
	value  T
	files  [][]byte // as they were last read
	stamps []stamp  // of these; nil if they cannot tell that nothing has changed since
	gone   bool     // the files could not be read the last time
}

// A stamp tells one state of a file from the next.
type stamp struct {
	size    int64
	changed int64 // nanoseconds
}

// settled is the age of a file from which on another time would show that it
// has been written again. Until then it may have the same: file systems count in
// steps, which on Linux are milliseconds and on some media two seconds.
const settled = 3 * time.Second

// From has this value until the files are first read, and have another.
func From[T any](value T, parse func(files [][]byte) (T, error), paths ...string) *Value[T] {
	return &Value[T]{value: value, paths: paths, parse: parse}
}

// New reads the files and parses what they hold.
func New[T any](parse func(files [][]byte) (T, error), paths ...string) (*Value[T], error) {
	var none T
	v := From(none, parse, paths...)
	if _, err := v.Get(); err != nil {
		return nil, err
	}
	return v, nil
}

// Get returns the value of the files as they are now. The error says why they
// cannot be used, once for each change of theirs; the value is then, and stays,
// the one before.
func (v *Value[T]) Get() (T, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	stamps := v.stat()
	if stamps != nil && slices.Equal(stamps, v.stamps) {
		return v.value, nil
	}
	files, err := v.read()
	if err != nil {
		known := v.gone
		v.gone, v.stamps = true, nil
		if known {
			err = nil
		}
		return v.value, err
	}
	known := v.files != nil && slices.EqualFunc(files, v.files, bytes.Equal)
	v.gone, v.files, v.stamps = false, files, stamps
	if known {
		return v.value, nil
	}
	value, err := v.parse(files)
	if err == nil {
		v.value = value
	}
	return v.value, err
}

// stat returns nothing when a file is not there, or was written so lately that
// its stamp may be that of the next state as well.
func (v *Value[T]) stat() []stamp {
	stamps := make([]stamp, len(v.paths))
	now := time.Now()
	for i, path := range v.paths {
		info, err := os.Stat(path)
		if err != nil || now.Sub(info.ModTime()) < settled {
			return nil
		}
		stamps[i] = stamp{info.Size(), info.ModTime().UnixNano()}
	}
	return stamps
}

func (v *Value[T]) read() ([][]byte, error) {
	files := make([][]byte, len(v.paths))
	for i, path := range v.paths {
		var err error
		if files[i], err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	return files, nil
}
