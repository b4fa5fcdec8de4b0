package store_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pullrun/pullrun/server/store"
	"github.com/pullrun/pullrun/server/store/storetest"
)

// What PostgreSQL's own tools have copied while a server works is a database
// like any other when they have put it elsewhere.
func TestADumpIsABackup(t *testing.T) {
	t.Parallel()
	storetest.Only(t, storetest.Postgres)
	w := newWorld(t)
	w.register("w", 2)
	for i := range 100 {
		w.submit(fmt.Sprint("run-", i), func(n *store.NewRun) { n.Variables = []byte(fmt.Sprintf(`{"n": %d}`, i)) })
	}
	leased := held(w.poll("w").Offers)
	w.poll("w", leased...)

	from, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	schema := from.Query().Get("search_path")
	from.RawQuery = ""
	to := *from
	to.Path = "/restored_" + schema
	dump := filepath.Join(t.TempDir(), "dump")
	tool(t, "pg_dump", "--format=custom", "--schema="+schema, "--file="+dump, from.String())
	admin(t, from.String(), `CREATE DATABASE `+to.Path[1:])
	t.Cleanup(func() { admin(t, from.String(), `DROP DATABASE `+to.Path[1:]+` WITH (FORCE)`) })
	tool(t, "pg_restore", "--dbname="+to.String(), dump)

	to.RawQuery = url.Values{"search_path": {schema}}.Encode()
	restored := &world{t: t, url: to.String(), now: w.now}
	restored.open()
	if restored.ID() != w.ID() {
		t.Errorf("ID() = %q of what is restored, want %q", restored.ID(), w.ID())
	}
	for i := range 100 {
		if r := restored.get(fmt.Sprint("run-", i)); string(r.Variables) != fmt.Sprintf(`{"n": %d}`, i) {
			t.Fatalf("run-%d has the variables %s", i, r.Variables)
		}
	}
	restored.finish(store.Result{Cookie: leased[0].Cookie, Fence: leased[0].Fence, Worker: "w", RC: "OK"}) // its worker goes on
	restored.submit("after")
	if got := restored.poll("w", leased[1]).Offers; len(got) != 1 || got[0].Run.Cookie != "run-2" {
		t.Errorf("the next offer is %+v, want run-2", got)
	}
}

// tool runs one of PostgreSQL's programs, which Debian keeps out of the path.
func tool(t *testing.T, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		installed, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
		if len(installed) == 0 {
			t.Fatalf("%v: install the package postgresql-client", err)
		}
		path = slices.Max(installed)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func admin(t *testing.T, address, statement string) {
	t.Helper()
	ctx := context.Background() // a cleanup's test context has ended
	c, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, statement); err != nil {
		t.Fatal(err)
	}
}
