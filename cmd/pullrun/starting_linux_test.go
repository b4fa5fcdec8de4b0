package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A signal ends a process whose start hangs at what no context reaches.
func TestASignalEndsAStartThatHangs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		args func(dir, pipe string) []string
		sig  syscall.Signal
	}{
		{"a server's settings", func(_, pipe string) []string { return []string{"server", "--config", pipe} }, syscall.SIGTERM},
		{"a worker's token", func(dir, pipe string) []string { return []string{"worker", "--server-token-file", pipe, dir} }, syscall.SIGINT},
		{"a worker's pipeline", func(dir, _ string) []string { return []string{"worker", dir} }, syscall.SIGTERM},
		{"a worker's certificates", func(_, pipe string) []string {
			return []string{"worker", "--server-url", "https://127.0.0.1:1", "--outbox-dir", "", "--server-ca-file", pipe, pipelinesDir(t)}
		}, syscall.SIGTERM},
		{"a playground's pipeline", func(dir, _ string) []string { return []string{"dev", dir} }, syscall.SIGINT},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			pipe := filepath.Join(dir, "pipe.yml")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Fatal(err)
			}
			p := start(t, nil, tt.args(dir, pipe)...)
			opened := make(chan error, 1) // when the process has opened the pipe as well
			go func() {
				f, err := os.OpenFile(pipe, os.O_WRONLY, 0)
				opened <- err
				<-p.done
				_ = f.Close() // nothing was written
			}()
			select {
			case err := <-opened:
				if err != nil {
					t.Fatal(err)
				}
			case <-p.done:
				t.Fatalf("it has not opened the pipe, and ended with\n%s", p.log())
			}
			p.signal(tt.sig)
			if code, want := p.ends(), tt.sig.String()+" signal received while it was starting"; code != exitInterrupted || !strings.Contains(p.log(), want) {
				t.Errorf("ended with %d:\n%s\nwant %d and %q", code, p.log(), exitInterrupted, want)
			}
		})
	}
}

// A signal ends a server whose database takes its connection and says nothing.
func TestASignalEndsAServerWhoseDatabaseIsSilent(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := start(t, nil, "server", "--listen", "127.0.0.1:0", "--store", "postgres://u:secret@"+l.Addr().String()+"/d")
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p.signal(syscall.SIGTERM)
	if code, want := p.ends(), "pullrun: terminated signal received while the store was being opened"; code != exitInterrupted || p.log() != want {
		t.Errorf("ended with %d:\n%q\nwant %d and %q", code, p.log(), exitInterrupted, want)
	}
}
