package outbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// unknownName is the file for what a server does not know. It is a log as
// [logName] is, so that it can take its place or be appended to it.
const unknownName = "results.unknown"

// SetAside moves entries to a file beside the log, for a person to look at, and
// returns its name. After an error they are where they were, unless the disk hangs
// and does it later. Those that it does
// not have are none of its business.
func (o *Outbox) SetAside(keys ...Key) (file string, err error) {
	path := filepath.Join(o.cfg.Dir, unknownName)
	done := make(chan struct{})
	var failed error // to be read when it is closed
	err = o.inTurn(done, func() {
		defer close(done)
		if failed = o.appendTo(path, o.rawOf(keys)); failed == nil {
			_ = o.commit(&batch{judged: keys}) // as for those that are judged
		}
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return "", fmt.Errorf("set aside results in %q: %w", path, err)
	}
	return path, nil
}

// rawOf are the records of entries.
func (o *Outbox) rawOf(keys []Key) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	var raw []byte
	for _, k := range keys {
		raw = append(raw, o.live[k].raw...)
	}
	return raw
}

// appendTo replaces a file beside the log, which is bounded as the log is, by one
// that has more. It is the caller's turn.
func (o *Outbox) appendTo(path string, raw []byte) error {
	if o.closed {
		return errClosed
	}
	known, err := os.ReadFile(path)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case int64(len(known)) >= o.cfg.Max:
		return fmt.Errorf("it has %d bytes already; see to what is in it, and delete it", len(known))
	}
	return o.replaceBy(path+".new", path, append(known, raw...))
}
