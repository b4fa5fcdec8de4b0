package faults

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// A postgres is a PostgreSQL server of one test, which may restart it.
type postgres struct {
	url           string
	programs, dir string
}

// newPostgres starts one, as tools/postgres.sh does it for all the other tests.
func newPostgres(t *testing.T) *postgres {
	t.Helper()
	cmd := exec.Command("sh", "../../tools/postgres.sh", "sh", "-c", `echo "$PULLRUN_TEST_POSTGRES"; exec cat`)
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "PULLRUN_TEST_POSTGRES=") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, readErr := bufio.NewReader(out).ReadString('\n')
	t.Cleanup(func() {
		_ = in.Close() // whereupon the script stops the server
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil && !t.Failed() {
			t.Errorf("stop the PostgreSQL server: %v", err)
		}
	})
	if readErr != nil {
		t.Fatalf("start a PostgreSQL server: %v", readErr)
	}
	p := &postgres{url: strings.TrimSpace(line)}
	c, err := pgx.Connect(t.Context(), p.url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.WithoutCancel(t.Context()))
	err = c.QueryRow(t.Context(), `SELECT current_setting('data_directory'), setting FROM pg_config WHERE name = 'BINDIR'`).Scan(&p.dir, &p.programs)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// restart kills the server and starts it again, which recovers what it had
// committed.
func (p *postgres) restart(t *testing.T) {
	t.Helper()
	cmd := exec.Command(filepath.Join(p.programs, "pg_ctl"), "-D", p.dir, "-m", "immediate", "-w", "-l", filepath.Join(p.dir, "server.log"), "restart")
	cmd.Dir = p.dir
	info, err := os.Stat(p.dir)
	if err != nil {
		t.Fatal(err)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && int(owner.Uid) != os.Geteuid() {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: owner.Uid, Gid: owner.Gid}}
	}
	if err := cmd.Run(); err != nil {
		t.Error(fmt.Errorf("restart the PostgreSQL server: %w", err))
	}
}
