package store_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/pullrun/pullrun/server/store"
	"github.com/pullrun/pullrun/server/store/storetest"
)

// backup writes a backup of w into a file of its own.
func (w *world) backup() string {
	w.t.Helper()
	copied, err := w.Backup(w.t.Context(), w.now, "ann")
	if err != nil {
		w.t.Fatalf("Backup() = %v", err)
	}
	defer copied.Close()
	path := filepath.Join(w.t.TempDir(), "backup.db")
	out, err := os.Create(path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer out.Close()
	if _, err := io.Copy(out, copied); err != nil {
		w.t.Fatal(err)
	}
	return path
}

func TestBackupHoldsWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	storetest.Only(t, storetest.SQLite)
	w := newWorld(t)
	const size = 20_000 // 10 MB in all, of which SQLite writes much before it is done
	for i := range 500 {
		w.submit(fmt.Sprint("before-", i), func(n *store.NewRun) { n.Variables = []byte(`"` + strings.Repeat("x", size) + `"`) })
	}
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	begun := make(chan struct{})
	writing.Go(func() { // a backup does not hold up writes, nor they it
		for i := 0; ctx.Err() == nil; i++ {
			w.submit(fmt.Sprint("during-", i))
			if i == 10 {
				close(begun)
			}
		}
	})
	<-begun
	path := w.backup()
	stop()
	writing.Wait()

	if left, _ := filepath.Glob(strings.TrimPrefix(w.url, "sqlite://") + "-backup-*"); len(left) > 0 {
		t.Errorf("Backup() leaves %q", left)
	}
	restored := &world{t: t, url: "sqlite://" + filepath.Join(t.TempDir(), "restored.db"), now: t0}
	if err := store.Restore(t.Context(), restored.url, path); err != nil {
		t.Fatalf("Restore() = %v", err)
	}
	restored.open()
	if err := restored.Check(t.Context()); err != nil {
		t.Errorf("Check() of what was restored = %v", err)
	}
	for i := range 500 {
		if r, err := restored.Get(t.Context(), fmt.Sprint("before-", i)); err != nil || len(r.Variables) != size+2 {
			t.Fatalf("run before-%d is not in the backup: %v", i, err)
		}
	}
	restored.submit("after") // it is a database like any other
}

func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	storetest.Only(t, storetest.SQLite)
	w := newWorld(t)
	for i := range 100 {
		w.submit(fmt.Sprint(i))
	}
	good := w.backup()
	raw, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, want string
		backup     []byte
		there      bool // something is where the database is to be
	}{
		{name: "to replace a database", want: "exists; move it away first", backup: raw, there: true},
		{name: "what is no database", want: "damaged", backup: []byte("hello, this is not a database at all")},
		{name: "an empty file", want: "not a pullrun database", backup: nil},
		{name: "half a backup", want: "damaged", backup: raw[:len(raw)/2]},
		{name: "a backup with a flipped bit", want: "damaged", backup: flipped(raw, len(raw)/2)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			from, to := filepath.Join(dir, "backup.db"), filepath.Join(dir, "runs.db")
			for path, content := range map[string][]byte{from: tt.backup, to: []byte("mine")} {
				if path == to && !tt.there {
					continue
				}
				if err := os.WriteFile(path, content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := store.Restore(t.Context(), "sqlite://"+to, from); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Restore() = %v, want %q", err, tt.want)
			} else if strings.Contains(err.Error(), "restore a backup") {
				t.Errorf("Restore() = %v, which is what it was asked to", err)
			}
			after, err := os.ReadFile(to)
			if there := err == nil; there != tt.there || there && string(after) != "mine" {
				t.Errorf("there is %q, %v now", after, err)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*-restore-*")); len(left) > 0 {
				t.Errorf("Restore() leaves %q", left)
			}
		})
	}
}

func flipped(raw []byte, at int) []byte {
	out := append([]byte(nil), raw...)
	out[at] ^= 4
	return out
}
