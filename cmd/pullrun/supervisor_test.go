//go:build unix

package main

import (
	"net"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A notifySocket is where a service manager would listen.
type notifySocket struct {
	t    *testing.T
	conn *net.UnixConn
	env  []string
	said []string // that nobody has waited for yet
	all  []string
}

func newNotifySocket(t *testing.T) *notifySocket {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &notifySocket{t: t, conn: conn, env: []string{"NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=300000"}}
}

// hears waits for an assignment that begins so, and returns it whole.
func (n *notifySocket) hears(prefix string) string {
	n.t.Helper()
	if err := n.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		n.t.Fatal(err)
	}
	for {
		for i, line := range n.said {
			if strings.HasPrefix(line, prefix) {
				n.said = n.said[i+1:]
				return line
			}
		}
		raw := make([]byte, 4096)
		size, err := n.conn.Read(raw)
		if err != nil {
			n.t.Fatalf("waiting for %s: %v; heard %q", prefix, err, n.said)
		}
		lines := strings.Split(string(raw[:size]), "\n")
		n.said, n.all = append(n.said, lines...), append(n.all, lines...)
	}
}

func TestSystemdIsToldHowAWorkerStands(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	n := newNotifySocket(t)
	s.env = append(s.env, n.env...)
	s.server()
	w := s.worker("w", "--listen", "")
	n.hears("READY=1")
	n.hears("WATCHDOG=1") // again and again
	n.hears("WATCHDOG=1")
	w.signal(syscall.SIGHUP)
	n.hears("RELOADING=1")
	if got := n.hears("MONOTONIC_USEC="); got == "MONOTONIC_USEC=0" {
		t.Errorf("%s, want the time", got)
	}
	n.hears("READY=1")
	w.signal(syscall.SIGTERM)
	n.hears("STOPPING=1")
	if code := w.ends(); code != 0 {
		t.Errorf("the worker ended with %d", code)
	}
}

// A worker is ready when it has registered. Until then it asks systemd for time,
// and when it has lost its server it feeds the watchdog: it must not be restarted.
func TestAWorkerWithoutAServerIsNotRestarted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	n := newNotifySocket(t)
	s.env = append(s.env, n.env...)
	w := s.lonely("w", "--listen", "")
	n.hears("EXTEND_TIMEOUT_USEC=300000")
	w.signal(syscall.SIGHUP)
	w.says(`"msg":"settings are read anew"`)
	n.hears("EXTEND_TIMEOUT_USEC=300000")
	if slices.Contains(n.all, "READY=1") || slices.Contains(n.all, "RELOADING=1") {
		t.Errorf("heard %q of a worker that has not registered", n.all)
	}
	server := s.server()
	n.hears("READY=1")
	server.kill()
	w.says("contact with the server is lost")
	n.hears("WATCHDOG=1")
	n.hears("WATCHDOG=1")
}

func TestSystemdIsToldHowAServerStands(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	n := newNotifySocket(t)
	s.extra = n.env
	server := start(t, s.extra, "server", "--config", filepath.Join(s.dir, "server.yaml"))
	n.hears("READY=1")
	if _, err := s.client.Workers(t.Context()); err != nil {
		t.Errorf("a call to a server that is ready: %v", err)
	}
	if got, want := n.hears("STATUS="), "STATUS=serving http://"+s.addr; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	n.hears("WATCHDOG=1") // again and again
	n.hears("WATCHDOG=1")
	server.signal(syscall.SIGHUP)
	n.hears("RELOADING=1")
	if got := n.hears("MONOTONIC_USEC="); got == "MONOTONIC_USEC=0" {
		t.Errorf("%s, want the time", got)
	}
	n.hears("READY=1")
	server.signal(syscall.SIGTERM)
	n.hears("STOPPING=1")
	if code := server.ends(); code != exitDone {
		t.Errorf("the server ended with %d", code)
	}
}

func TestSystemdIsNotToldThatAServerIsReadyWhichIsNot(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	n := newNotifySocket(t)
	args := []string{"server", "--listen", s.addr, "--anonymous", "--store", "sqlite://" + filepath.Join(t.TempDir(), "other.db")}
	if code, _, log := call(t, n.env, args...); code == exitDone || !strings.Contains(log, "in use") {
		t.Errorf("a server on a taken port ended with %d\n%s", code, log)
	}
	if err := n.conn.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil { // what was sent is there
		t.Fatal(err)
	}
	if size, err := n.conn.Read(make([]byte, 4096)); err == nil {
		t.Errorf("the service manager has heard %d bytes of it", size)
	}
}
