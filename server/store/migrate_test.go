package store

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMigrationsAgree holds that both databases get the same tables, columns and
// indexes: the files are the same but for the names of the types and for what
// PostgreSQL is told at the end.
func TestMigrationsAgree(t *testing.T) {
	t.Parallel()
	words := strings.NewReplacer(
		` GENERATED ALWAYS AS IDENTITY`, ``, ` COLLATE "C"`, ``, `BIGINT`, `INTEGER`, `BYTEA`, `BLOB`,
		`) STRICT, WITHOUT ROWID;`, `);`, `) STRICT;`, `);`,
	)
	read := func(path string) []string {
		text, err := fs.ReadFile(migrationFiles, path)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for line := range strings.Lines(words.Replace(string(text))) {
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
		return lines
	}
	entries, err := fs.ReadDir(migrationFiles, "migrations/sqlite")
	if err != nil || len(entries) == 0 {
		t.Fatalf("migrations: %v, %v", entries, err)
	}
	others, err := fs.ReadDir(migrationFiles, "migrations/postgres")
	if err != nil || len(others) != len(entries) {
		t.Errorf("%d migrations for PostgreSQL, %d for SQLite, %v", len(others), len(entries), err)
	}
	for _, e := range entries {
		want := read("migrations/sqlite/" + e.Name())
		got := read("migrations/postgres/" + e.Name())
		if len(got) < len(want) {
			t.Fatalf("%s: PostgreSQL has %d lines, SQLite %d", e.Name(), len(got), len(want))
		}
		if d := cmp.Diff(want, got[:len(want)]); d != "" {
			t.Errorf("%s: (-sqlite +postgres)\n%s", e.Name(), d)
		}
		for _, line := range got[len(want):] {
			if line != "" && !strings.HasPrefix(line, "--") && !strings.Contains(line, " SET ") {
				t.Errorf("%s: PostgreSQL alone has %q", e.Name(), line)
			}
		}
	}
}
