package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

const testReserve = 1 << 20

// A full disk refuses what is new, and nothing else: the reserve is given up
// for results, cancellations and leases, and taken again when there is room.
func TestAFullDiskTakesResults(t *testing.T) {
	t.Parallel()
	d := newDisk(t, "reserve")
	s, path := openFile(t, Options{vfs: "reserve", Reserve: testReserve, fill: d.fill})
	d.keep = path + "-reserve"
	if info, err := os.Stat(d.keep); err != nil || info.Size() != testReserve {
		t.Fatalf("the reserve is %v, %v, want %d bytes", info, err, testReserve)
	}
	now := scriptStart
	held := leased(t, s, now, "finishes", "is cancelled", "goes on")
	submit := func(cookie string) error {
		_, _, err := s.Submit(t.Context(), now, newRun(cookie))
		return err
	}
	d.setFull(true)
	for range 3 {
		if err := submit("new"); !errors.Is(err, ErrFull) {
			t.Errorf("Submit() = %v, want ErrFull", err)
		}
	}
	if _, err := s.AppendEvents(t.Context(), now, "w", []Event{{Cookie: "goes on", Fence: 1, No: 1, Kind: "log"}}); !errors.Is(err, ErrFull) {
		t.Errorf("AppendEvents() = %v, want ErrFull", err)
	}
	verdicts, _, err := s.Finish(t.Context(), now, []Result{{Cookie: "finishes", Fence: 1, Worker: "w", RC: "OK", Result: make([]byte, 100_000)}})
	if err != nil || verdicts[0] != Accepted {
		t.Errorf("Finish() = %v, %v, want accepted", verdicts, err)
	}
	if r, _, err := s.Cancel(t.Context(), now, "is cancelled", "me", ""); err != nil || r.CancelAt.IsZero() {
		t.Errorf("Cancel() = %v, %v, want the run with a cancellation", r, err)
	}
	now = now.Add(reserveRetry) // and no room yet
	if _, err := s.Heartbeat(t.Context(), now, PollIn{Worker: "w", Session: "s", Holding: held[1:]}); err != nil {
		t.Errorf("Heartbeat() = %v", err)
	}
	if err := submit("still"); !errors.Is(err, ErrFull) {
		t.Errorf("Submit() = %v, want ErrFull while there is no room", err)
	}
	if _, err := os.Stat(d.keep); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the reserve is there, or half of it: %v", err)
	}

	d.setFull(false)
	for range 2 { // the first is when the reserve is taken
		now = now.Add(reserveRetry)
		if _, err := s.Sweep(t.Context(), now); err != nil {
			t.Errorf("Sweep() = %v", err)
		}
	}
	if err := submit("with room again"); err != nil {
		t.Errorf("Submit() = %v with room again", err)
	}
	if info, err := os.Stat(d.keep); err != nil || info.Size() != testReserve {
		t.Errorf("the reserve is %v, %v, want it back", info, err)
	}
	for cookie, want := range map[string]error{"finishes": nil, "new": ErrNotFound, "still": ErrNotFound} {
		if _, err := s.Get(t.Context(), cookie); !errors.Is(err, want) {
			t.Errorf("Get(%q) = %v, want %v", cookie, err, want)
		}
	}
}

// leased submits runs and has worker "w" take them up.
func leased(t *testing.T, s *Store, now time.Time, cookies ...string) []Held {
	t.Helper()
	n := NewSession{Worker: "w", Session: "s", Capacity: len(cookies), Queues: []string{newRun("").Queue}, Lease: time.Hour}
	if _, err := s.Register(t.Context(), now, n); err != nil {
		t.Fatal(err)
	}
	var held []Held
	for _, cookie := range cookies {
		if _, _, err := s.Submit(t.Context(), now, newRun(cookie)); err != nil {
			t.Fatal(err)
		}
		held = append(held, Held{Cookie: cookie, Fence: 1})
	}
	for _, holding := range [][]Held{nil, held} { // offered, then named
		if _, err := s.Poll(t.Context(), now, PollIn{Worker: "w", Session: "s", Holding: holding, Max: len(held)}); err != nil {
			t.Fatal(err)
		}
	}
	return held
}

// A disk that is full from the start serves what is there.
func TestAStoreOpensOnAFullDisk(t *testing.T) {
	t.Parallel()
	d := newDisk(t, "full from the start")
	d.setFull(true)
	d.keep = "/nonexistent" // the database itself finds room
	s, _ := openFile(t, Options{vfs: "full from the start", Reserve: testReserve, fill: d.fill})
	if _, _, err := s.Submit(t.Context(), scriptStart, newRun("new")); !errors.Is(err, ErrFull) {
		t.Errorf("Submit() = %v, want ErrFull", err)
	}
	if err := s.Resume(t.Context(), scriptStart); err != nil {
		t.Errorf("Resume() = %v", err)
	}
}

// What the system says of a disk without room reaches SQLite as that, and not
// as a disk that is broken.
func TestAWriteWithoutRoomSaysSo(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	_, system := full.WriteAt([]byte("x"), 0)
	_, got := systemFile{onDisk{file: full}}.WriteAt([]byte("x"), 0)
	if want := vfs.SystemError(system, sqlite3.FULL); system == nil || !reflect.DeepEqual(got, want) {
		t.Errorf("WriteAt() = %#v, want %#v", got, want)
	}
}

// onDisk writes to a file as the system's layer does.
type onDisk struct {
	vfs.File
	file *os.File
}

func (f onDisk) WriteAt(p []byte, off int64) (int, error) { return f.file.WriteAt(p, off) }

// A backup that finds no room says so and leaves nothing; the store goes on.
func TestABackupOnAFullDisk(t *testing.T) {
	t.Parallel()
	d := newDisk(t, "backup")
	s, path := openFile(t, Options{vfs: "backup"})
	submit := func(cookie string) error {
		_, _, err := s.Submit(t.Context(), scriptStart, newRun(cookie))
		return err
	}
	if err := submit("before"); err != nil {
		t.Fatal(err)
	}
	d.setFull(true)
	if f, err := s.Backup(t.Context(), scriptStart, "me"); !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "back up store") {
		t.Errorf("Backup() = %v, %v, want ErrFull of the copy", f, err)
	}
	if left, _ := filepath.Glob(path + "-backup-*"); len(left) > 0 {
		t.Errorf("Backup() leaves %q", left)
	}
	d.setFull(false)
	if err := submit("after"); err != nil {
		t.Errorf("Submit() = %v with room again", err)
	}
}
