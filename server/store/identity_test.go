package store_test

import (
	"log/slog"
	"path/filepath"
	"sync"
	"testing"

	"github.com/pullrun/pullrun/server/store"
	"github.com/pullrun/pullrun/server/store/storetest"
)

// A database keeps its identity, and no other has it.
func TestIdentityIsTheDatabases(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	id := w.ID()
	if len(id) != 36 || id == other.ID() {
		t.Errorf("ID() = %q, of another database %q, want two that differ", id, other.ID())
	}
	w.reopen()
	if w.ID() != id {
		t.Errorf("ID() = %q when it is opened again, want %q", w.ID(), id)
	}
}

// Servers that open a new database together agree on its identity.
func TestServersAgreeOnTheIdentity(t *testing.T) {
	t.Parallel()
	storetest.Only(t, storetest.Postgres)
	url := storetest.URL(t)
	ids := make([]string, 4)
	var all sync.WaitGroup
	for i := range ids {
		all.Go(func() {
			s, err := store.Open(t.Context(), url, store.Options{Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = s.ID()
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, id := range ids {
		if id == "" || id != ids[0] {
			t.Fatalf("the servers have the identities %q, want one", ids)
		}
	}
}

// What is restored is the database that the backup was made of.
func TestIdentityIsRestored(t *testing.T) {
	t.Parallel()
	storetest.Only(t, storetest.SQLite)
	w := newWorld(t)
	restored := &world{t: t, url: "sqlite://" + filepath.Join(t.TempDir(), "restored.db"), now: t0}
	if err := store.Restore(t.Context(), restored.url, w.backup()); err != nil {
		t.Fatal(err)
	}
	restored.open()
	if restored.ID() != w.ID() {
		t.Errorf("ID() = %q of what is restored, want %q", restored.ID(), w.ID())
	}
}
