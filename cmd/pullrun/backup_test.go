package main

import (
	"os"
	"path/filepath"
	"strings"
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
