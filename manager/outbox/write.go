package outbox

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"
)

const (
	logName     = "results"
	newName     = "results.new"
	damagedName = "results.damaged"
)

// shortEnough is the size, in bytes, up to which a log is not worth shortening.
const shortEnough = 256 << 10

// patience is how long a caller waits for the disk. A disk that hangs may never
// answer, and neither a result that could be sent nor the end of the worker is to
// wait for that.
const patience = 3 * time.Second

var (
	errClosed = errors.New("it is closed")
	errHangs  = fmt.Errorf("the disk has not answered for %s", patience)
)

// inTurn has do called when it is its turn, and returns nil when done is closed, by
// do or by another's, or errHangs when the caller has waited for long enough. Its
// turn is over when do returns.
func (o *Outbox) inTurn(done chan struct{}, do func()) error {
	over := time.NewTimer(patience)
	defer over.Stop()
	select {
	case <-done:
		return nil
	case o.turn <- struct{}{}:
	case <-over.C:
		return errHangs
	}
	go func() {
		defer func() { <-o.turn }()
		do()
	}()
	select {
	case <-done:
		return nil
	case <-over.C:
		return errHangs
	}
}

// write adds to the next batch, and returns when that has been written: for this
// caller, or for another that had to wait for the disk as well. After errHangs it
// may still be written.
func (o *Outbox) write(add func(*batch)) error {
	o.mu.Lock()
	b := o.next
	add(b)
	o.mu.Unlock()
	err := o.inTurn(b.done, func() {
		runtime.Gosched() // callers that are about to add something spare the disk a sync
		o.mu.Lock()
		mine := o.next == b // or else it has just been done
		if mine {
			o.next = newBatch()
		}
		o.mu.Unlock()
		if mine {
			b.err = o.commit(b)
			close(b.done)
		}
	})
	if err != nil {
		return err
	}
	return b.err
}

// commit writes a batch. It is the caller's turn.
func (o *Outbox) commit(b *batch) error {
	if o.closed {
		return errClosed
	}
	o.drop(b.judged)
	var err error
	if o.file == nil || o.wasteful() {
		err = o.rewrite(b.puts)
	} else {
		err = o.append(b)
	}
	if err != nil {
		return err
	}
	for k, raw := range b.puts {
		o.add(k, raw)
	}
	return nil
}

// wasteful reports whether most of a log that is not short has been judged.
func (o *Outbox) wasteful() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.size > shortEnough && o.size > 2*o.bytes
}

// append adds a batch to the log, and syncs it if there is an entry in it.
func (o *Outbox) append(b *batch) error {
	var raw []byte
	for _, r := range b.puts {
		raw = append(raw, r...)
	}
	if len(b.judged) > 0 {
		note, err := encode(content{Judged: b.judged})
		if err != nil {
			return err
		}
		raw = append(raw, note...)
	}
	_, err := o.file.Write(raw)
	if err == nil && len(b.puts) > 0 {
		err = o.file.Sync()
	}
	if err != nil {
		// What the file holds now is not known, and after a sync that failed
		// the next one may succeed without having written anything.
		o.abandon()
		return err
	}
	o.size += int64(len(raw))
	return nil
}

// abandon has the log written anew at the next occasion.
func (o *Outbox) abandon() {
	if o.file != nil {
		_ = o.file.Close() // its content does not count any more
		o.file = nil
	}
}

// rewrite replaces the log by one that holds what is live and what is put. The
// one before it stays until the new one is whole.
func (o *Outbox) rewrite(puts map[Key][]byte) error {
	o.abandon()
	raws := slices.AppendSeq(o.records(), maps.Values(puts))
	size := 0
	for _, raw := range raws {
		size += len(raw)
	}
	path, fresh := filepath.Join(o.cfg.Dir, logName), filepath.Join(o.cfg.Dir, newName)
	if err := o.replaceBy(fresh, path, slices.Concat(raws...)); err != nil {
		return err
	}
	f, err := o.disk.Open(path, os.O_APPEND|os.O_WRONLY)
	if err != nil {
		return err
	}
	o.file, o.size = f, int64(size)
	o.mu.Lock()
	o.tight = false
	o.mu.Unlock()
	return nil
}

// replaceBy replaces the file at path by a new one, whole or not at all.
func (o *Outbox) replaceBy(fresh, path string, raw []byte) error {
	if err := o.create(fresh, raw, os.O_TRUNC); err != nil {
		return errors.Join(err, remove(fresh)) // it may take the space that others need
	}
	if err := o.disk.Rename(fresh, path); err != nil {
		return err
	}
	return o.disk.SyncDir(o.cfg.Dir)
}

// create writes a file and syncs it.
func (o *Outbox) create(path string, raw []byte, flag int) error {
	f, err := o.disk.Open(path, os.O_CREATE|os.O_WRONLY|flag)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// load reads the log. A damaged one is kept beside it.
func (o *Outbox) load() error {
	path := filepath.Join(o.cfg.Dir, logName)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	damaged := scan(raw, func(c content, record []byte) {
		if c.Kept != nil {
			o.add(c.Kept.Key(), slices.Clone(record))
		}
		o.drop(c.Judged)
	})
	if damaged == 0 {
		return nil
	}
	aside, err := o.setAside(raw)
	if err != nil {
		return fmt.Errorf("set aside the damaged file %q: %w", path, err)
	}
	o.log.Error("the outbox is damaged, results may be lost; a copy of it is set aside", "count", len(o.live), "file", aside)
	return nil
}

// setAside keeps a damaged log under a name that nothing has yet.
func (o *Outbox) setAside(raw []byte) (string, error) {
	for n := 1; ; n++ {
		path := filepath.Join(o.cfg.Dir, damagedName)
		if n > 1 {
			path = fmt.Sprintf("%s.%d", path, n)
		}
		err := o.create(path, raw, os.O_EXCL)
		if err == nil {
			err = o.disk.SyncDir(o.cfg.Dir)
		}
		switch {
		case err == nil:
			return path, nil
		case !errors.Is(err, fs.ErrExist):
			return "", errors.Join(err, remove(path))
		}
	}
}
