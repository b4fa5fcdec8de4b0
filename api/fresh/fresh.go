// Package fresh keeps what files hold, and reads them again when they change:
// certificates that are renewed while the process runs.
//
// The one idea: whoever needs the value asks for it, and only then is looked
// whether the files are other files by now. Nothing watches, and nothing has to
// be stopped. Files that cannot be used, such as a half of a pair that is just
// being replaced, leave the value before them in place.
package fresh

import (
	"os"
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
	stamps []stamp // of the files as they were last read
}

// A stamp tells one state of a file from the next.
type stamp struct {
	size    int64
	changed time.Time
}

// New reads the files and parses what they hold.
func New[T any](parse func(files [][]byte) (T, error), paths ...string) (*Value[T], error) {
	v := &Value[T]{paths: paths, parse: parse}
	stamps, err := v.stat()
	if err != nil {
		return nil, err
	}
	if v.value, err = v.read(); err != nil {
		return nil, err
	}
	v.stamps = stamps
	return v, nil
}

// Get returns the value of the files as they are now. The error says why they
// cannot be used, once for each change of theirs; the value is then, and stays,
// the one before.
func (v *Value[T]) Get() (T, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	stamps, err := v.stat()
	if err != nil {
		stamps = nil // there is no file
	}
	if equal(stamps, v.stamps) {
		return v.value, nil
	}
	v.stamps = stamps
	if err != nil {
		return v.value, err
	}
	value, err := v.read()
	if err == nil {
		v.value = value
	}
	return v.value, err
}

func (v *Value[T]) stat() ([]stamp, error) {
	stamps := make([]stamp, len(v.paths))
	for i, path := range v.paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		stamps[i] = stamp{info.Size(), info.ModTime()}
	}
	return stamps, nil
}

func (v *Value[T]) read() (T, error) {
	files := make([][]byte, len(v.paths))
	for i, path := range v.paths {
		var err error
		if files[i], err = os.ReadFile(path); err != nil {
			var none T
			return none, err
		}
	}
	return v.parse(files)
}

func equal(a, b []stamp) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].size != b[i].size || !a[i].changed.Equal(b[i].changed) {
			return false
		}
	}
	return true
}
