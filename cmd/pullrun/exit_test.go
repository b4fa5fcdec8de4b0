package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/pullrun/pullrun/api/fresh/freshtest"
	"github.com/pullrun/pullrun/server/store"
)

// What is wrong with a start is told from a server that cannot be reached.
func TestExitCodesOfAStartThatFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	st, err := store.Open(t.Context(), "sqlite://"+path("whole.db"), store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path("whole.db"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"damaged.db": append(whole[:8192:8192], bytes.Repeat([]byte("damaged!"), 8192)...),
		"none.db":    bytes.Repeat([]byte("no database"), 1000),
		"ca.pem":     []byte("no certificate"),
	} {
		if err := os.WriteFile(path(name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	cert, key := freshtest.NewAuthority(t, "unknown").Issue(t, "127.0.0.1")
	server := []string{"server", "--anonymous", "--listen", "127.0.0.1:0", "--store"}
	worker := []string{"worker", pipelinesDir(t), "--listen", "127.0.0.1:0", "--server-url", "https://127.0.0.1:1"}
	for _, tt := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"no such pipelines", []string{"worker", path("nope")}, exitUsage, "nope"},
		{"no such pipelines to try", []string{"dev", path("nope")}, exitUsage, "nope"},
		{"no such pipelines to check", []string{"validate", path("nope")}, exitUsage, "nope"},
		{"a pipeline's file to check", []string{"validate", path("ca.pem")}, exitUsage, "ca.pem: is a file, and not a directory"},
		{"an argument too many", []string{"runs", "a", "b"}, exitUsage, `does not know what to do with "b"`},
		{"no pipeline", []string{"run-local"}, exitUsage, "wants a pipeline"},
		{"no such CA file", append(worker[:len(worker):len(worker)], "--server-ca-file", path("nope")), exitUsage, "CA file"},
		{"a CA file with none", append(worker[:len(worker):len(worker)], "--server-ca-file", path("ca.pem")), exitUsage, "CA file"},
		{"a worker's address in use", append(worker[:len(worker):len(worker)], "--listen", taken.Addr().String()), exitOther, "in use"},
		{"a server's address in use", append(server[:len(server):len(server)], "sqlite://"+path("new.db"), "--listen", taken.Addr().String()), exitOther, "in use"},
		{"a certificate that is none", append(server[:len(server):len(server)], "sqlite://"+path("new2.db"), "--tls-cert-file", path("ca.pem"), "--tls-key-file", path("ca.pem")), exitUsage, "certificate"},
		{"no such directory for the database", append(server[:len(server):len(server)], "sqlite://"+path("nope/new.db")), exitUsage, "nope"},
		{"a damaged database", append(server[:len(server):len(server)], "sqlite://"+path("damaged.db")), exitOther, "damaged"},
		{"another file than a database", append(server[:len(server):len(server)], "sqlite://"+path("none.db")), exitUsage, "name another file"},
		{"a directory for a database", append(server[:len(server):len(server)], "sqlite://"+dir), exitUsage, "is a directory"},
		{"an address of a database that is none", append(server[:len(server):len(server)], "postgres://127.0.0.1:x/x"), exitUsage, "cannot be read"},
		{"an address that is not this machine's", append(server[:len(server):len(server)], "sqlite://"+path("new5.db"), "--listen", "192.0.2.1:0"), exitUsage, "cannot assign"},
		{"a file for the outbox", append(worker[:len(worker):len(worker)], "--outbox-dir", path("ca.pem")), exitUsage, "outbox"},
		{"a database where a backup is to go", []string{"restore", path("whole.db"), "--store", "sqlite://" + path("none.db")}, exitUsage, "none.db\" exists; move it away first"},
		{"a database that takes no backup", []string{"restore", path("whole.db"), "--store", "postgres://127.0.0.1/x"}, exitUsage, `scheme "postgres"`},
		{"a directory for a backup", []string{"restore", dir, "--store", "sqlite://" + path("new6.db")}, exitUsage, "is a directory"},
		{"no such backup", []string{"restore", path("nope"), "--store", "sqlite://" + path("new3.db")}, exitUsage, "nope"},
		{"a backup that is none", []string{"restore", path("none.db"), "--store", "sqlite://" + path("new4.db")}, exitOther, "none.db"},
		{"a database that is not reached", append(server[:len(server):len(server)], "postgres://127.0.0.1:1/x"), exitUnreachable, "refused"},
		{"a server that hangs up", []string{"workers", "--server-url", "http://" + impostor(t, "")}, exitUnreachable, "EOF"},
		{"something else than a server", []string{"workers", "--server-url", "http://" + impostor(t, "SSH-2.0-x\r\n\r\n")}, exitUnreachable, "malformed"},
		{"an answer that is cut", []string{"workers", "--server-url", "http://" + impostor(t, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{")}, exitUnreachable, "EOF"},
		{"a server that is not trusted", []string{"workers", "--server-url", serveTLS(t, cert, key, tls.NoClientCert)}, exitUnreachable, "a private authority wants its CA file"},
		{"a server that is not trusted", []string{"logs", "a", "--server-url", serveTLS(t, cert, key, tls.NoClientCert)}, exitUnreachable, "a private authority wants its CA file"},
		{"a server that is not reached", []string{"workers", "--server-url", "http://127.0.0.1:1"}, exitUnreachable, "refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if code, _, log := call(t, nil, tt.args...); code != tt.code || !strings.Contains(log, tt.says) {
				t.Errorf("pullrun %s = %d, want %d and a word of %q:\n%s", strings.Join(tt.args, " "), code, tt.code, tt.says, log)
			}
		})
	}
}

// A file that this user may not read is one that the settings should not name.
func TestExitCodeOfAFileThatIsForOthers(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("open: %w", &fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES}) // which root never meets
	if code := exitCode(err); code != exitUsage {
		t.Errorf("exitCode(%v) = %d, want %d", err, code, exitUsage)
	}
}

// impostor listens, and says the same to whoever connects and asks for something, and
// hangs up.
func impostor(t *testing.T, what string) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var answers sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		answers.Wait()
	})
	answers.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4096)) // what is left unread resets the connection
			_, _ = conn.Write([]byte(what))
			conn.Close()
		}
	})
	return l.Addr().String()
}
