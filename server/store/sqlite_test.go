package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	_ "github.com/ncruces/go-sqlite3/driver"

	"github.com/pullrun/pullrun/server/store/storetest"
)

func openPath(t *testing.T, path string) error {
	t.Helper()
	s, err := Open(t.Context(), "sqlite://"+path, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	return s.Close()
}

// openFile opens a fresh file and returns its path too. It skips the test when
// it is not SQLite's turn.
func openFile(t *testing.T, o Options) (*Store, string) {
	t.Helper()
	storetest.Only(t, storetest.SQLite)
	s, url := openTest(t, o)
	return s, strings.TrimPrefix(url, "sqlite://")
}

// filled returns the path of a closed database with runs in it.
func filled(t *testing.T, runs int) string {
	t.Helper()
	s, path := openFile(t, Options{})
	for i := range runs {
		if _, _, err := s.Submit(t.Context(), scriptStart, newRun(fmt.Sprint("run-", i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	storetest.Only(t, storetest.SQLite)
	for _, tt := range []struct {
		name string
		make func(t *testing.T, path string)
		want string // in the error, which also names the file
	}{
		{name: "a text file", want: "not a pullrun database; name another file", make: func(t *testing.T, path string) {
			write1(t, path, []byte("hello, this is not a database at all"))
		}},
		{name: "another program's database", want: "not a pullrun database; name another file", make: func(t *testing.T, path string) {
			exec1(t, path, `CREATE TABLE t (a)`)
		}},
		{name: "another program's empty database", want: "not a pullrun database; name another file", make: func(t *testing.T, path string) {
			exec1(t, path, `PRAGMA application_id = 7`)
		}},
		{name: "a newer database", want: "has version 99 (0099_future.sql), newer than this program's 6; start the newer program", make: func(t *testing.T, path string) {
			copyFile(t, filled(t, 1), path)
			exec1(t, path, `INSERT INTO schema_versions VALUES (99, '0099_future.sql')`)
		}},
		{name: "a damaged first page", want: "restore a backup", make: func(t *testing.T, path string) {
			copyFile(t, filled(t, 1), path)
			flip(t, path, 200)
		}},
		{name: "a file that was cut off", want: "restore a backup", make: func(t *testing.T, path string) {
			copyFile(t, filled(t, 100), path)
			if err := os.Truncate(path, 3*4096+100); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "a folder", want: "is a directory", make: func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "runs.db")
			tt.make(t, path)
			before, _ := os.ReadFile(path) // a folder cannot be read
			err := openPath(t, path)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), fmt.Sprintf("%q", path)) {
				t.Errorf("Open() = %v, want the file's name and %q", err, tt.want)
			}
			after, _ := os.ReadFile(path) // likewise
			if string(before) != string(after) {
				t.Error("Open() changed the file that it refused")
			}
		})
	}
}

func TestOpenRefusesURL(t *testing.T) {
	t.Parallel()
	storetest.Only(t, storetest.SQLite)
	for _, url := range []string{"", "runs.db", "sqlite:", "sqlite://", "mysql://me:hunter2@host/db", "mysql:hunter2", "postgres://me:hunter2@ho st/db", "postgres://me:hunter2@127.0.0.1:1/db"} {
		_, err := Open(t.Context(), url, Options{Log: slog.New(slog.DiscardHandler)})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Open(%q) = %v, want an error without the password", url, err)
		}
	}
}

// A file that was created and not filled, by a crash or by hand, is a new one.
func TestOpenTakesEmptyFile(t *testing.T) {
	t.Parallel()
	storetest.Only(t, storetest.SQLite)
	path := filepath.Join(t.TempDir(), "a b?c#d%20.db")
	write1(t, path, nil)
	for range 2 {
		if err := openPath(t, path); err != nil {
			t.Errorf("Open() = %v", err)
		}
	}
}

func TestFilesAreTheOwners(t *testing.T) {
	t.Parallel()
	s, path := openFile(t, Options{})
	if _, _, err := s.Submit(t.Context(), scriptStart, newRun("a")); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal"} {
		info, err := os.Stat(path + suffix)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("Stat(%s) = %v, %v, want mode 0600", suffix, info, err)
		}
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	if path := os.Getenv("STORE_SECOND_DB"); path != "" {
		fmt.Println("open:", openPath(t, path))
		return
	}
	t.Parallel()
	s, path := openFile(t, Options{})
	if err := openPath(t, path); !errors.Is(err, ErrLocked) {
		t.Errorf("Open() in the same process = %v, want ErrLocked", err)
	}
	second := func() string {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSecondProcessIsRefused$")
		cmd.Env = append(os.Environ(), "STORE_SECOND_DB="+path)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("second process: %v\n%s", err, out)
		}
		return string(out)
	}
	if out := second(); !strings.Contains(out, ErrLocked.Error()) {
		t.Errorf("second process said %q, want it refused", out)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if out := second(); !strings.Contains(out, "open: <nil>") {
		t.Errorf("second process said %q after Close, want it to open", out)
	}
}

// TestFlippedBitIsReported flips bits all over the file. Nothing that is read may
// be wrong without an error.
func TestFlippedBitIsReported(t *testing.T) {
	t.Parallel()
	const runs = 100
	path := filled(t, runs)
	size := fileSize(t, path)
	reported := 0
	for at := int64(4096 + 50); at < size; at += size / 20 {
		damaged := filepath.Join(t.TempDir(), "runs.db")
		copyFile(t, path, damaged)
		flip(t, damaged, at)
		s, err := Open(t.Context(), "sqlite://"+damaged, Options{Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			reported++
			continue
		}
		if s.Check(t.Context()) != nil {
			reported++
		}
		for i := range runs {
			r, err := s.Get(t.Context(), fmt.Sprint("run-", i))
			if err == nil && (r.Digest != "d" || string(r.Variables) != "{}") {
				t.Errorf("flip at %d: run %d is read wrong: %+v", at, i, r)
			}
		}
		if err := s.Close(); err != nil {
			t.Errorf("flip at %d: Close() = %v", at, err)
		}
	}
	if reported < 15 {
		t.Errorf("%d of 20 flips were reported", reported)
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{
		"m/0001_a.sql": {Data: []byte(`CREATE TABLE a (x INTEGER)`)},
		"m/0002_b.sql": {Data: []byte(`INSERT INTO a VALUES (1); CREATE TABLE b (y INTEGER)`)},
		"m/0003_c.sql": {Data: []byte(`INSERT INTO a VALUES (2); INSERT INTO nowhere VALUES (1)`)},
	}
	all, err := loadMigrations(fsys, "m")
	if err != nil {
		t.Fatal(err)
	}
	s, _ := openTest(t, Options{})
	if err := s.writer.conn.script(`DELETE FROM schema_versions`); err != nil { // what Open has done
		t.Fatal(err)
	}
	count := func() (n int) {
		if err := s.query(t.Context(), `SELECT coalesce(sum(x), 0) FROM a`, func(row scanner) error { return row.Scan(&n) }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	var lines strings.Builder
	log := slog.New(slog.NewTextHandler(&lines, nil))
	said := func(want ...string) {
		t.Helper()
		for _, text := range want {
			if !strings.Contains(lines.String(), text) {
				t.Errorf("the log has no %q:\n%s", text, lines.String())
			}
		}
		if got := strings.Count(lines.String(), "\n"); got != len(want) {
			t.Errorf("the log has %d lines, want %d:\n%s", got, len(want), lines.String())
		}
		lines.Reset()
	}
	for range 2 {
		if err := migrate(t.Context(), s.writer.conn, all[:2], log); err != nil || count() != 1 {
			t.Fatalf("migrate() = %v, sum %d, want 1", err, count())
		}
	}
	said("database is new")
	if err := migrate(t.Context(), s.writer.conn, all, log); err == nil || !strings.Contains(err.Error(), "0003_c.sql") || count() != 1 {
		t.Errorf("migrate() = %v, sum %d, want the step's name and nothing of it done", err, count())
	}
	said("database is changed for this version, and for none before it\" from=2 to=3")
	fsys["m/0003_c.sql"] = &fstest.MapFile{Data: []byte(`INSERT INTO a VALUES (2)`)}
	if all, err = loadMigrations(fsys, "m"); err != nil {
		t.Fatal(err)
	}
	if err := migrate(t.Context(), s.writer.conn, all, log); err != nil {
		t.Error(err)
	}
	said("from=2 to=3", "database has been changed\" took=")
	if err := migrate(t.Context(), s.writer.conn, all[:1], log); err == nil || !strings.Contains(err.Error(), "version 3 (0003_c.sql)") {
		t.Errorf("migrate(older program) = %v, want it refused", err)
	}
	fsys["m/0005_e.sql"] = &fstest.MapFile{}
	if _, err := loadMigrations(fsys, "m"); err == nil {
		t.Error("loadMigrations() takes a gap in the numbers")
	}
}

func write1(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func exec1(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite3", fileURI(path, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(context.Background(), statement); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	write1(t, to, data)
}

func flip(t *testing.T, path string, at int64) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[at] ^= 0x10
	write1(t, path, data)
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestReadsGoOnDuringWrites holds that a reader sees whole transactions and does
// not wait for the writer.
func TestReadsGoOnDuringWrites(t *testing.T) {
	t.Parallel()
	s, _ := openTest(t, Options{})
	if _, _, err := s.Submit(t.Context(), scriptStart, newRun("a")); err != nil {
		t.Fatal(err)
	}
	entered, leave := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		_, err := write(context.Background(), s.writer, scriptStart, func(t *tx) (int, error) {
			_, _, err := t.submit(newRun("b"))
			close(entered)
			<-leave
			return 0, err
		})
		done <- err
	}()
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := s.Get(ctx, "a"); err != nil {
		t.Errorf("Get(a) = %v", err)
	}
	if _, err := s.Get(ctx, "b"); !errors.Is(err, ErrNotFound) {
		t.Errorf("Get(b) before its commit = %v, want ErrNotFound", err)
	}
	close(leave)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(ctx, "b"); err != nil {
		t.Errorf("Get(b) = %v", err)
	}
}
