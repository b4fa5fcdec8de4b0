package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/pullrun/pullrun/api"
)

// A backup is made while the server works, and what it holds goes on where it
// was when it is put in the place of a database that is gone.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	first := s.server()
	wk := s.worker("w")
	s.submit(api.Submit{Cookie: "done", Pipeline: "give", Variables: []byte(`{"value": [1, null]}`)})
	s.ended("done", api.StateSucceeded)
	g := newGate(t)
	s.submit(api.Submit{Cookie: "running", Pipeline: "hang", Variables: g.variables("running")})
	g.waits(t, 1)
	s.submit(api.Submit{Cookie: "later", Pipeline: "give", Queue: "nobody"})

	backup := filepath.Join(s.dir, "backup.db")
	if code, _, log := call(t, s.env, "backup", backup); code != 0 {
		t.Fatalf("pullrun backup ended with %d:\n%s", code, log)
	}
	if code, _, log := call(t, s.env, "backup", backup); code == 0 || !strings.Contains(log, "exists already") {
		t.Errorf("a second backup to the same file ended with %d:\n%s", code, log)
	}
	config := []string{"restore", "--config", filepath.Join(s.dir, "server.yaml"), backup}
	if code, _, log := call(t, nil, config...); code == 0 || !strings.Contains(log, "move it away first") {
		t.Errorf("restore over a database ended with %d:\n%s", code, log)
	}
	first.kill()
	for _, name := range []string{"pullrun.db", "pullrun.db-wal", "pullrun.db-shm"} {
		if err := os.Remove(filepath.Join(s.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if code, _, log := call(t, nil, config...); code != 0 {
		t.Fatalf("pullrun restore ended with %d:\n%s", code, log)
	}
	s.server()
	g.letGo()
	if run := s.ended("done", api.StateSucceeded); string(run.Result) != "[1,null]" && string(run.Result) != "[1, null]" {
		t.Errorf("the result is %s, want [1, null]", run.Result)
	}
	s.ended("running", api.StateSucceeded) // its worker has it still
	if run, err := s.client.Get(t.Context(), "later", 0); err != nil || run.State != api.StateQueued {
		t.Errorf("the run that waits is %s, %v, want QUEUED", run.State, err)
	}
	wk.kill()
}

// A server that finds its database damaged says which and what to do. It
// changes nothing in one that it cannot open.
func TestADamagedDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		stop os.Signal
		at   int    // of the byte that is changed
		says string // by the server, before it ends
	}{
		{"in its head, before it serves", syscall.SIGTERM, 200, ""},
		{"elsewhere, while it serves", syscall.SIGKILL, 1 << 20, `"msg":"the store was not closed, checking it"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			first := s.server()
			for range 6 { // more than the log keeps before it goes into the database
				s.submit(api.Submit{Pipeline: "give", Variables: []byte(`{"value": "` + strings.Repeat("x", 900_000) + `"}`)})
			}
			first.signal(tt.stop)
			first.ends()
			path := filepath.Join(s.dir, "pullrun.db")
			raw, err := os.ReadFile(path)
			if err != nil || len(raw) < 2<<20 {
				t.Fatalf("the database has %d bytes, %v", len(raw), err)
			}
			raw[tt.at] ^= 0x10
			if err := os.WriteFile(path, raw, 0o600); err != nil {
				t.Fatal(err)
			}
			second := start(t, nil, "server", "--config", filepath.Join(s.dir, "server.yaml"))
			if tt.says != "" {
				second.says(tt.says)
			}
			code := second.ends()
			for _, want := range []string{path, "damaged", "restore a backup, or move the file away"} {
				if code == 0 || !strings.Contains(second.log(), want) {
					t.Errorf("the server ended with %d, want an error with %q:\n%s", code, want, second.log())
				}
			}
			if after, err := os.ReadFile(path); tt.says == "" && (err != nil || !bytes.Equal(after, raw)) {
				t.Errorf("the server changed the damaged database, %v", err)
			}
		})
	}
}

// The flags of a restore are of where to, and not of all that a server may be told.
func TestRestoreHasTheFlagsThatItUses(t *testing.T) {
	t.Parallel()
	_, help, _ := call(t, nil, "restore", "--help")
	var flags []string
	for _, f := range regexp.MustCompile(`(?m)^ +(?:-\w, )?--(\S+)`).FindAllStringSubmatch(help, -1) {
		flags = append(flags, f[1])
	}
	if want := []string{"config", "store", "store-file", "help"}; !slices.Equal(flags, want) {
		t.Errorf("the flags of a restore are %q, want %q", flags, want)
	}
}
