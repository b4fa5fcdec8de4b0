package outbox_test

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/pullrun/pullrun/manager/outbox"
)

// A faulty disk counts what it is asked to do, from 1, and fails. It remembers
// what has been synced, so that a power cut can take the rest.
type faulty struct {
	outbox.System
	ops      int
	from, to int // the first and the last operation that fail
	err      error
	full     bool // every write fails, with err, and nothing else

	synced  map[string]int64  // sizes of files, by path
	renamed map[string][]byte // what was at a path before renames that no SyncDir followed
}

func (d *faulty) op() error {
	d.ops++
	if d.from <= d.ops && d.ops <= d.to {
		return d.err
	}
	return nil
}

func (d *faulty) Open(path string, flag int) (outbox.File, error) {
	if err := d.op(); err != nil {
		return nil, err
	}
	f, err := d.System.Open(path, flag)
	if err != nil {
		return nil, err
	}
	if d.synced == nil {
		d.synced, d.renamed = make(map[string]int64), make(map[string][]byte)
	}
	if flag&os.O_APPEND == 0 {
		d.synced[path] = 0
	}
	return &faultyFile{f, d, path, d.synced[path]}, nil
}

func (d *faulty) Rename(from, to string) error {
	if err := d.op(); err != nil {
		return err
	}
	if _, pending := d.renamed[to]; !pending {
		before, err := os.ReadFile(to)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		d.renamed[to] = before[:min(int64(len(before)), d.synced[to])]
	}
	d.synced[to] = d.synced[from]
	delete(d.synced, from)
	return d.System.Rename(from, to)
}

func (d *faulty) SyncDir(dir string) error {
	if err := d.op(); err != nil {
		return err
	}
	clear(d.renamed)
	return nil
}

// cut takes everything that was not synced.
func (d *faulty) cut(t *testing.T) {
	t.Helper()
	for path, size := range d.synced {
		if err := os.Truncate(path, size); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	for path, before := range d.renamed {
		if err := os.WriteFile(path, before, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

type faultyFile struct {
	outbox.File
	disk *faulty
	path string
	size int64
}

// Write writes a half before it fails.
func (f *faultyFile) Write(p []byte) (int, error) {
	err := f.disk.op()
	if f.disk.full {
		err = f.disk.err
	}
	if err != nil {
		n, _ := f.File.Write(p[:len(p)/2])
		f.size += int64(n)
		return n, err
	}
	n, err := f.File.Write(p)
	f.size += int64(n)
	return n, err
}

func (f *faultyFile) Sync() error {
	if err := f.disk.op(); err != nil {
		return err
	}
	f.disk.synced[f.path] = f.size
	return nil
}

// work fills an outbox and has some of it judged. It tries what fails again, up
// to the given number of times, and returns what was kept and not judged, and
// what may be there besides.
func work(dir string, d *faulty, tries int) (o *outbox.Outbox, kept, perhaps map[string]bool) {
	kept, perhaps = make(map[string]bool), make(map[string]bool)
	for range tries {
		var err error
		if o, err = outbox.OpenOn(outbox.Config{Dir: dir, Max: noLimit}, d, slog.New(slog.DiscardHandler)); err == nil {
			break
		}
	}
	if o == nil {
		return nil, kept, perhaps
	}
	large := `"` + strings.Repeat("x", 50<<10) + `"` // so that the log is made short at times
	for i := range 8 {
		cookie := fmt.Sprint(i)
		perhaps[cookie] = true
		for range tries {
			if o.Put(entry(cookie, large)) == nil {
				kept[cookie] = true
				break
			}
		}
		if i%4 != 0 {
			o.Judged(key(cookie))
			delete(kept, cookie)
		}
	}
	return o, kept, perhaps
}

func TestEveryOperationFails(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		lasting bool // until the power is cut
		tries   int
		err     error
	}{
		{"once", false, 2, syscall.EIO},
		{"once, and it is not tried again", false, 1, syscall.EIO},
		{"from then on", true, 2, syscall.ENOSPC},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for n := 1; ; n++ {
				dir := t.TempDir()
				d := &faulty{from: n, to: n, err: tt.err}
				if tt.lasting {
					d.to = 1 << 30
				}
				o, kept, perhaps := work(dir, d, tt.tries)
				if o != nil {
					if !tt.lasting && tt.tries > 1 && len(kept) != 2 {
						t.Errorf("operation %d failed once: %v are kept, want two although each was tried twice", n, kept)
					}
					if err := o.Close(); err != nil {
						t.Fatal(err)
					}
				}
				d.cut(t)
				again, said := openOn(t, dir, hasty{})
				there := cookies(again)
				for cookie := range kept {
					if !slices.Contains(there, cookie) {
						t.Errorf("operation %d failed: %s was kept and is gone, there is %q", n, cookie, there)
					}
				}
				for _, cookie := range there {
					if !perhaps[cookie] {
						t.Errorf("operation %d failed: %q wait, want none but %v", n, there, slices.Sorted(maps.Keys(perhaps)))
					}
				}
				if said.Len() > 0 || len(damaged(t, dir)) > 0 {
					t.Errorf("operation %d failed: what a power cut leaves is taken as damage\n%s", n, said)
				}
				if d.ops < n {
					if n < 20 {
						t.Errorf("only %d operations were there to fail", n)
					}
					return
				}
			}
		})
	}
}

func TestAFullDiskLosesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := &faulty{err: syscall.ENOSPC}
	o, _ := openOn(t, dir, d)
	put(t, o, entry("a", `1`), entry("b", `1`))
	d.full = true
	for range 3 {
		if err := o.Put(entry("c", `1`)); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), dir) {
			t.Errorf("Put() on a full disk = %v, want what is wrong and where", err)
		}
	}
	o.Judged(key("a"))
	wantCookies(t, o, "b")
	if _, err := os.Stat(filepath.Join(dir, "results.new")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a part of a file takes space on the full disk: %v", err)
	}
	d.full = false
	put(t, o, entry("c", `1`))
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	d.cut(t)
	wantCookies(t, open(t, dir), "b", "c")
}

func TestWhatWaitsOnAFullDiskIsSentAfterARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := &faulty{err: syscall.ENOSPC}
	o, _ := openOn(t, dir, d)
	put(t, o, entry("a", `1`), entry("b", `1`))
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	d.full = true
	o, said := openOn(t, dir, d)
	wantCookies(t, o, "a", "b")
	if !o.Full() || !strings.Contains(said.String(), "its disk is full") {
		t.Errorf("Full() = %v on a full disk, which the log says with %q", o.Full(), said)
	}
	d.full = false
	o.Judged(key("a"))
	if o.Full() {
		t.Error("Full() although there is room again")
	}
	put(t, o, entry("c", `1`))
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	wantCookies(t, open(t, dir), "b", "c")
}
