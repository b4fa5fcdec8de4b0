//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A SIGHUP that comes while a process starts waits until it has.
func TestAHangupWhileItStarts(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"worker", "server"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			settings := "listen: 127.0.0.1:0\nlog: { format: json }\n"
			if role == "worker" {
				settings += "pipelines: { dirs: [\"" + pipelinesDir(t) + "\"] }\nserver: { url: \"http://" + s.addr + "\" }\n"
			} else {
				settings += "store: \"sqlite://" + filepath.Join(s.dir, "own.db") + "\"\nanonymous: true\n"
			}
			fifo := filepath.Join(s.dir, "settings.yaml")
			if err := syscall.Mkfifo(fifo, 0o600); err != nil {
				t.Fatal(err)
			}
			p := start(t, nil, role, "--config", fifo)
			file, err := os.OpenFile(fifo, os.O_WRONLY, 0) // which waits until the process reads
			if err != nil {
				t.Fatal(err)
			}
			p.signal(syscall.SIGHUP)
			if _, err := file.WriteString(settings); err != nil {
				t.Fatal(err)
			}
			file.Close()
			p.says(map[string]string{"worker": `"msg":"status is served"`, "server": `"msg":"serving"`}[role])
			again, err := os.OpenFile(fifo, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := again.WriteString(strings.Replace(settings, "json }", "json, level: debug }", 1)); err != nil {
				t.Fatal(err)
			}
			again.Close()
			p.says(`"setting":"log.level","from":"info","to":"debug"`)
			p.signal(syscall.SIGTERM)
			if code := p.ends(); code != exitDone {
				t.Errorf("the %s ended with %d, want 0", role, code)
			}
		})
	}
}
