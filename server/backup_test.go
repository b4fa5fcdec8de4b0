package server_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/server/store"
	"github.com/pullrun/pullrun/server/store/storetest"
)

func TestBackup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if storetest.Kind() == storetest.Postgres {
		w.refused(api.CodeNotSupported, "GET", "/v1/backup", nil)
		return
	}
	w.submit(api.Submit{Cookie: "c"})
	a := w.want(http.StatusOK, "GET", "/v1/backup", nil)
	entries := into[api.AuditList](t, w.want(http.StatusOK, "GET", "/v1/audit?action=backup", nil)).Entries
	if len(entries) != 1 || entries[0].Actor != "anybody" || entries[0].Target != "database" {
		t.Errorf("audit of the backup = %+v, want a line", entries)
	}
	dir := t.TempDir()
	copied, database := filepath.Join(dir, "backup.db"), "sqlite://"+filepath.Join(dir, "runs.db")
	if err := os.WriteFile(copied, []byte(a.body), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := store.Restore(t.Context(), database, copied); err != nil {
		t.Fatalf("Restore() = %v", err)
	}
}
