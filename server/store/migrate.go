package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed migrations
var migrationFiles embed.FS

// migration is one step of the tables' definition.
type migration struct {
	version int
	name    string
	text    string
}

// loadMigrations reads dir, whose files are numbered without a gap from 0001.
func loadMigrations(fsys fs.FS, dir string) ([]migration, error) {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil, err
	}
	var all []migration
	for i, entry := range entries {
		m := migration{version: i + 1, name: entry.Name()}
		if !strings.HasPrefix(m.name, fmt.Sprintf("%04d_", m.version)) {
			return nil, fmt.Errorf("migration %q: want number %04d", m.name, m.version)
		}
		text, err := fs.ReadFile(fsys, dir+"/"+m.name)
		if err != nil {
			return nil, err
		}
		m.text = string(text)
		all = append(all, m)
	}
	return all, nil
}

// migrate brings the tables to the newest version, each step in a transaction of
// its own. It refuses a database that a newer program has migrated.
func migrate(ctx context.Context, conn *sql.Conn, all []migration) error {
	_, err := conn.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS schema_versions (
		version INTEGER PRIMARY KEY, name TEXT NOT NULL)`)
	if err != nil {
		return err
	}
	var version int
	var name string
	err = conn.QueryRowContext(ctx, `SELECT version, name FROM schema_versions ORDER BY version DESC LIMIT 1`).Scan(&version, &name)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if version > len(all) {
		return fmt.Errorf("has version %d (%s), newer than this program's %d; start the newer program", version, name, len(all))
	}
	for _, m := range all[version:] {
		if err := m.apply(ctx, conn); err != nil {
			return fmt.Errorf("migrate to %s: %w", m.name, err)
		}
	}
	return nil
}

func (m migration) apply(ctx context.Context, conn *sql.Conn) error {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after Commit there is nothing to roll back
	if _, err := tx.ExecContext(ctx, m.text); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO schema_versions (version, name) VALUES (?1, ?2)`, m.version, m.name)
	if err != nil {
		return err
	}
	return tx.Commit()
}
