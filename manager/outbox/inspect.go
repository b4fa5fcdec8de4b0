package outbox

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// A State is what somebody sees who looks into an outbox from outside.
type State struct {
	Results int       // that wait
	Bytes   int64     // of them
	Oldest  time.Time // when the first of them was finished; zero if that is not known
	Damaged int       // records that cannot be read
	Aside   []string  // copies of damaged files, from before
	Unknown string    // the file of results that a server did not know; empty if there is none
}

// Inspect looks into an outbox, also while a worker has it open, and changes
// nothing. Its error is [fs.ErrNotExist] where there is none yet.
func Inspect(dir string) (State, error) {
	var s State
	if _, err := os.Stat(dir); err != nil {
		return s, err
	}
	var err error
	if s.Aside, err = filepath.Glob(filepath.Join(dir, damagedName+"*")); err != nil {
		return s, err
	}
	if path := filepath.Join(dir, unknownName); exists(path) {
		s.Unknown = path
	}
	raw, err := os.ReadFile(filepath.Join(dir, logName))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil // no worker has been here
	}
	if err != nil {
		return s, err
	}
	live := make(map[Key]kept)
	s.Damaged = scan(raw, func(c content, record []byte) {
		if c.Kept != nil {
			live[c.Kept.Key()] = kept{int64(len(record)), c.Kept.EndedAt}
		}
		for _, k := range c.Judged {
			delete(live, k)
		}
	})
	for _, k := range live {
		s.Results++
		s.Bytes += k.bytes
		if !k.at.IsZero() && (s.Oldest.IsZero() || k.at.Before(s.Oldest)) {
			s.Oldest = k.at
		}
	}
	return s, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

type kept struct {
	bytes int64
	at    time.Time
}
