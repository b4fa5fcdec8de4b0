// Package storetest gives tests databases: SQLite and PostgreSQL, one after the
// other, so that whatever uses the store is tested on both.
//
// A package's TestMain wraps its *testing.M in [OnBoth], and each test asks for
// a fresh database with [URL].
package storetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

const (
	// SQLite and Postgres are the kinds of databases.
	SQLite   = "sqlite"
	Postgres = "postgres"

	// kindVariable restricts the tests to one kind. While tests run it says
	// which kind is under test.
	kindVariable = "PULLRUN_TEST_STORE"
	// serverVariable is the address of the PostgreSQL server to test on.
	serverVariable = "PULLRUN_TEST_POSTGRES"
)

// Runner runs tests, as *testing.M does.
type Runner interface{ Run() int }

// OnBoth returns a runner that runs m once for each kind of database.
func OnBoth(m Runner) Runner { return both{m} }

type both struct{ m Runner }

func (b both) Run() int {
	kinds := []string{SQLite, Postgres}
	if only := os.Getenv(kindVariable); only != "" {
		kinds = []string{only}
	}
	worst := 0
	for _, kind := range kinds {
		if kind == Postgres && os.Getenv(serverVariable) == "" {
			fmt.Fprintf(os.Stderr, "%s is not set. These tests run on PostgreSQL too: let \"make test\" start one, name one as in\n"+
				"%s=postgres://user@127.0.0.1/database, or leave it out with %s=%s.\n", serverVariable, serverVariable, kindVariable, SQLite)
			return 1
		}
		if err := os.Setenv(kindVariable, kind); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Fprintln(os.Stderr, "database:", kind)
		worst = max(worst, b.m.Run())
	}
	return worst
}

// Kind returns the kind of database that is under test.
func Kind() string {
	if kind := os.Getenv(kindVariable); kind != "" {
		return kind
	}
	return SQLite
}

// Only skips a test that is about one kind of database while the other is under
// test.
func Only(t testing.TB, kind string) {
	t.Helper()
	if Kind() != kind {
		t.Skipf("is about %s", kind)
	}
}

// URL returns the address of a database that has never been used, and which is
// gone when the test has ended.
func URL(t testing.TB) string {
	t.Helper()
	if Kind() == SQLite {
		return "sqlite://" + filepath.Join(t.TempDir(), "runs.db")
	}
	schema := "test_" + strings.ToLower(rand.Text())
	run(t, `CREATE SCHEMA `+schema)
	t.Cleanup(func() { run(t, `DROP SCHEMA `+schema+` CASCADE`) })
	u, err := url.Parse(os.Getenv(serverVariable))
	if err != nil {
		t.Fatalf("%s is no address", serverVariable) // the error may hold a password
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}

// run runs a statement on the PostgreSQL server.
func run(t testing.TB, statement string) {
	t.Helper()
	ctx := context.Background() // a cleanup's test context has ended
	c, err := pgx.Connect(ctx, os.Getenv(serverVariable))
	if err != nil {
		t.Fatalf("connect to the PostgreSQL server of %s: %v", serverVariable, err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}
