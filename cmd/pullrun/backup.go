package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun/configs"
	"github.com/pullrun/pullrun/server/store"
)

func newBackup(t terminal) *cobra.Command {
	c := &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy a running server's database into a file",
		Long: `Copies the SQLite database of a running server, as it is at this moment, into
FILE, which must not exist. The server goes on meanwhile. It needs a token with
the scope admin. "pullrun restore" puts the copy in place.

A server on PostgreSQL is backed up with PostgreSQL's own tools, such as pg_dump.`,
		Args: exactly("a file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := connect(t, cmd)
			if err != nil {
				return err
			}
			defer r.flush()
			return backup(cmd, t, r, args[0])
		},
	}
	configs.Flags[configs.Client](c.Flags())
	return c
}

// backup writes the copy under another name first, so that a file with the
// name that was asked for is always whole.
func backup(cmd *cobra.Command, t terminal, r remote, path string) (err error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return usageError(fmt.Errorf("back up: %q exists already; name another file", path))
	}
	out, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+"-")
	if err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(out.Name()) // err says more
		}
	}()
	sizeMeter := newMeter(t, "backup")
	err = r.client.Backup(cmd.Context(), out, sizeMeter.show)
	sizeMeter.clear()
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return err
	}
	if err := os.Link(out.Name(), path); err != nil { // unlike a rename, it replaces nothing
		return fmt.Errorf("back up: %w", err)
	}
	fmt.Fprintf(t.err, "%s holds the database as it is now, %s\n", path, mebibytes(sizeMeter.done))
	return os.Remove(out.Name())
}

// sizeMeter is one line about bytes that arrive, while somebody watches.
type sizeMeter struct {
	t           terminal
	what        string
	done        int64
	drawn, next time.Time
}

func newMeter(t terminal, what string) *sizeMeter { return &sizeMeter{t: t, what: what} }

func (m *sizeMeter) show(done, total int64) {
	m.done = done
	now := time.Now()
	if !m.t.interactive() || now.Before(m.next) {
		return
	}
	m.drawn, m.next = now, now.Add(progressEvery)
	fmt.Fprintf(m.t.err, "\r%s %d%% of %s\x1b[K", m.what, done*100/total, mebibytes(total))
}

func (m *sizeMeter) clear() {
	if !m.drawn.IsZero() {
		fmt.Fprint(m.t.err, "\r\x1b[K")
	}
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

func newRestore(t terminal) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "restore BACKUP",
		Short: "Put a backup where a server's database will be",
		Long: `Checks a file that "pullrun backup" has made and copies it to where the server's
settings have its SQLite database, which must not be there yet. The server must
not be running.

Runs that were under way when the backup was made are given to a worker again.`,
		Args: exactly("a backup"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, _, err := configs.Load[configs.Server](configs.LoadOptions{File: file, Search: serverFiles, Flags: cmd.Flags()})
			if err != nil {
				return err
			}
			if err := store.Restore(cmd.Context(), cfg.Store.Reveal(), args[0]); err != nil {
				return err
			}
			fmt.Fprintf(t.err, "restored; start the server\n")
			return nil
		},
	}
	configFlag(c, &file)
	configs.Flags[configs.Server](c.Flags(), "store", "store_file")
	return c
}
