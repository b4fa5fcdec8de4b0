package main

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// serveOn serves until the test ends and returns the address.
func serveOn(t *testing.T, s *http.Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		s.Serve(l)
		close(done)
	}()
	t.Cleanup(func() {
		s.Close()
		<-done
	})
	return l.Addr().String()
}

func TestDevNeedsNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := []string{"XDG_RUNTIME_DIR=" + dir}
	dev := start(t, env, "dev", "--listen", "127.0.0.1:0")
	dev.says("registered")
	code, out, log := call(t, env, "run", "transform")
	if code != exitDone || !strings.Contains(out, "99.50 EUR") {
		t.Errorf("run transform = %d, %s\n%s", code, out, log)
	}
	code, _, log = call(t, env, "run", "fail")
	if code != exitFailed || !strings.Contains(log, "fail_billing.yml:5") {
		t.Errorf("run fail = %d\n%s", code, log)
	}
	dev.says("status") // is served, or not where all ports are taken
	if strings.Contains(dev.log(), `"msg":"status is served"`) {
		if _, out, log := call(t, env, "status", "--addr", dev.statusAddr()); !strings.Contains(out, "dev · ready") {
			t.Errorf("status prints\n%s%s\nwant the worker dev", out, log)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "pullrun-dev.json")); err != nil {
		t.Errorf("other commands are not told of the server: %v", err)
	}
	dev.signal(syscall.SIGINT)
	if code := dev.ends(); code != exitDone {
		t.Errorf("dev ended with %d, want 0\n%s", code, dev.log())
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
		t.Errorf("dev leaves %v behind", left)
	}
}

func TestDevTakesAnotherPortWhenItsOwnIsTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	env := []string{"XDG_RUNTIME_DIR=" + t.TempDir()}
	dev := start(t, env, "dev", "--listen", l.Addr().String())
	dev.says("registered")
	if code, _, log := call(t, env, "run", "transform"); code != exitDone {
		t.Errorf("run transform = %d\n%s", code, log)
	}
}

func TestDemoEndsByItself(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	demo := exec.Command("sh", "../../examples/demo.sh", program)
	demo.Env = append(os.Environ(), "PORT="+port)
	out, err := demo.CombinedOutput()
	if err != nil {
		t.Fatalf("demo: %v\n%s", err, out)
	}
	for _, want := range []string{"url_check SUCCEEDED", "trace ", `"checked": 3`, `"ok": true`, "/livez", `"ms":`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the demo does not show %q:\n%s", want, out)
		}
	}
}
