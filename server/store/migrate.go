package store

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"
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
// its own, and says so, for there is no way back. It refuses a database that a
// newer program has migrated.
func migrate(ctx context.Context, c conn, all []migration, log *slog.Logger) error {
	if err := c.script(`CREATE TABLE IF NOT EXISTS schema_versions (version INTEGER PRIMARY KEY, name TEXT NOT NULL)`); err != nil {
		return err
	}
	var version int
	var name string
	err := c.query(`SELECT version, name FROM schema_versions ORDER BY version DESC LIMIT 1`, func(row scanner) error {
		return row.Scan(&version, &name)
	}, nil)
	if err != nil {
		return err
	}
	if version > len(all) {
		return fmt.Errorf("has version %d (%s), newer than this program's %d; start the newer program", version, name, len(all))
	}
	switch version {
	case len(all):
		return nil
	case 0:
		log.InfoContext(ctx, "database is new")
	default:
		log.InfoContext(ctx, "database is changed for this version, and for none before it", "from", version, "to", len(all))
	}
	began := time.Now()
	for _, m := range all[version:] {
		if err := m.apply(c); err != nil {
			c.rollback()
			return fmt.Errorf("migrate to %s: %w", m.name, err)
		}
	}
	if version > 0 {
		log.InfoContext(ctx, "database has been changed", "took", time.Since(began))
	}
	return nil
}

func (m migration) apply(c conn) error {
	if err := c.begin(); err != nil {
		return err
	}
	if err := c.script(m.text); err != nil {
		return err
	}
	err := c.exec(`INSERT INTO schema_versions (version, name) VALUES (?1, ?2)`, 1, []any{m.version, m.name})
	if err != nil {
		return err
	}
	return c.commit()
}
