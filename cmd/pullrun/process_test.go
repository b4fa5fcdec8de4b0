package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
)

// The tests of this package run the program itself, as its users do: real
// processes, real signals, real files.

// patience bounds every wait for something that must happen.
const patience = 30 * time.Second

// program is the binary under test.
var program string

// TestMain builds the program and runs the tests or, called by a pipeline of
// them, is what the pipeline runs.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "as" {
		act(os.Args[2], os.Args[3:])
		return
	}
	dir, err := os.MkdirTemp("", "pullrun-test-")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "pullrun")
	build := exec.Command("go", slices.Concat([]string{"build", "-tags", "grpcnotrace", "-o", program}, buildFlags, []string{"."})...)
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		panic(fmt.Errorf("build the program under test: %w", err))
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// A process is one running command.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  bytes.Buffer // what it printed; to be read when it has ended
	done chan struct{}

	mu    sync.Mutex
	lines []string      // of its log so far; guarded by mu
	more  chan struct{} // closed and replaced at each line; guarded by mu
}

// start runs a command until the test ends. env is added to an environment
// that has nothing of pullrun's or OpenTelemetry's in it.
func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	return startAs(t, env, slices.Concat([]string{program}, args)...)
}

// startAs is start for a command line that need not begin with the program.
func startAs(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(args[0], args[1:]...), done: make(chan struct{}), more: make(chan struct{})}
	p.cmd.Dir = t.TempDir()
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "PULLRUN_") && !strings.HasPrefix(kv, "OTEL_") && !strings.HasPrefix(kv, "XDG_") && !strings.HasPrefix(kv, "STATE_DIRECTORY=") {
			p.cmd.Env = append(p.cmd.Env, kv)
		}
	}
	p.cmd.Env = append(p.cmd.Env, "XDG_RUNTIME_DIR="+p.cmd.Dir, "XDG_CONFIG_HOME="+p.cmd.Dir, "XDG_STATE_HOME="+p.cmd.Dir)
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.Stdout = &p.out
	log, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for s := bufio.NewScanner(log); s.Scan(); {
			p.mu.Lock()
			p.lines = append(p.lines, s.Text())
			close(p.more)
			p.more = make(chan struct{})
			p.mu.Unlock()
		}
	}()
	go func() {
		<-read
		p.cmd.Wait() // the exit code is in ProcessState
		close(p.done)
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("%s:\n%s", strings.Join(args, " "), p.log())
		}
		for _, line := range strings.Split(p.log(), "\n") {
			if strings.Contains(line, "DATA RACE") || strings.HasPrefix(line, "panic:") || strings.Contains(line, "\"panic ") {
				t.Errorf("%s: %s", args[0], line)
			}
		}
	})
	return p
}

func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// says waits until the process has written a line with this text.
func (p *process) says(text string) {
	p.t.Helper()
	p.awaits(1, text, patience)
}

// saysTimes waits until the process has written so many lines with this text.
func (p *process) saysTimes(n int, text string) {
	p.t.Helper()
	p.awaits(n, text, patience)
}

// saysWithin is says with a patience of its own.
func (p *process) saysWithin(text string, patience time.Duration) {
	p.t.Helper()
	p.awaits(1, text, patience)
}

func (p *process) awaits(n int, text string, patience time.Duration) {
	p.t.Helper()
	timeout := time.After(patience)
	for seen := 0; ; {
		p.mu.Lock()
		fresh, more := p.lines[seen:], p.more
		seen = len(p.lines)
		p.mu.Unlock()
		for _, line := range fresh {
			if strings.Contains(line, text) {
				if n--; n == 0 {
					return
				}
			}
		}
		select {
		case <-more:
		case <-p.done:
			p.t.Fatalf("ended with %d without saying %q:\n%s", p.code(), text, p.log())
		case <-timeout:
			p.t.Fatalf("did not say %q within %s:\n%s", text, patience, p.log())
		}
	}
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// kill kills the process as a power cut would.
func (p *process) kill() {
	p.t.Helper()
	p.signal(syscall.SIGKILL)
	<-p.done
}

// ends waits for the process to end and returns its exit code.
func (p *process) ends() int {
	p.t.Helper()
	return p.endsWithin(patience)
}

// endsWithin is ends with a patience of its own.
func (p *process) endsWithin(patience time.Duration) int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("did not end within %s:\n%s", patience, p.log())
	}
	return p.code()
}

func (p *process) code() int { return p.cmd.ProcessState.ExitCode() }

// call runs a command to its end and returns its exit code and what it wrote.
func call(t *testing.T, env []string, args ...string) (code int, out, log string) {
	t.Helper()
	p := start(t, env, args...)
	code = p.ends()
	return code, p.out.String(), p.log()
}

const (
	testToken      = "test-0123456789abcdef"
	submitterToken = "submit-0123456789abcdef"
)

// A site is a server with a fixed address and its store, which can be started
// again, and what its clients and workers need to reach it.
type site struct {
	t      *testing.T
	addr   string
	dir    string
	env    []string // for clients and workers
	extra  []string // for the server
	client *client.Client
}

func newSite(t *testing.T) *site {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, addr: l.Addr().String(), dir: t.TempDir()}
	l.Close()
	s.env = []string{"PULLRUN_SERVER_URL=http://" + s.addr, "PULLRUN_SERVER_TOKEN=" + testToken}
	s.write("server.yaml", fmt.Sprintf(`
listen: %s
store: sqlite://%s
hold: 25s
lease: 30s
renew: 5s
tokens:
  - { name: test, token: %s, scopes: [admin] }
  - { name: submitter, token: %s, scopes: [submit] }
log: { level: debug, format: json }
`, s.addr, filepath.Join(s.dir, "pullrun.db"), testToken, submitterToken))
	s.client, err = client.New(client.Config{URL: "http://" + s.addr, Token: func() string { return testToken }, Retries: 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.client.Close)
	return s
}

func (s *site) write(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// server starts the server and waits until it serves.
func (s *site) server() *process {
	s.t.Helper()
	p := start(s.t, s.extra, "server", "--config", filepath.Join(s.dir, "server.yaml"))
	p.says(`"msg":"serving"`)
	return p
}

// pipelinesDir is where the pipelines of the tests are.
func pipelinesDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("testdata/pipelines")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// worker starts a worker with the pipelines of testdata and waits until it has
// registered.
func (s *site) worker(name string, args ...string) *process {
	s.t.Helper()
	p := s.lonely(name, args...)
	p.says(`"msg":"registered"`)
	return p
}

// lonely is worker while the server is away.
func (s *site) lonely(name string, args ...string) *process {
	s.t.Helper()
	return start(s.t, s.env, slices.Concat([]string{"worker", "--name", name, "--log-level", "debug", "--log-format", "json", "--listen", "127.0.0.1:0", pipelinesDir(s.t)}, args)...)
}

func (s *site) submit(in api.Submit) api.Run {
	s.t.Helper()
	run, err := s.client.Submit(s.t.Context(), in, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	return run
}

// taken waits until the server knows that a worker has the run, which is a
// moment after the worker has begun with it.
func (s *site) taken(run api.Run) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for cookie := run.Cookie; run.State != api.StateRunning; time.Sleep(20 * time.Millisecond) {
		var err error
		if run, err = s.client.Get(ctx, cookie, 0); err != nil {
			s.t.Fatalf("wait until run %s is taken: %v", cookie, err)
		}
	}
}

// ended waits for a run to end in the given state.
func (s *site) ended(cookie string, want api.State) api.Run {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	run, err := s.client.Wait(ctx, cookie)
	if err != nil {
		s.t.Fatalf("wait for run %s: %v", cookie, err)
	}
	if run.State != want {
		s.t.Fatalf("run %s ended %s (%s: %s), want %s", cookie, run.State, run.RC, run.Error, want)
	}
	return run
}

// A gate is an HTTP server that the pipeline "hang" calls: it says when a run
// has arrived there, and holds it until the test lets it go.
type gate struct {
	*httptest.Server
	arrived chan string // the path that was called
	open    chan struct{}
}

func newGate(t *testing.T) *gate {
	g := &gate{arrived: make(chan string, 100), open: make(chan struct{})}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.arrived <- r.URL.Path
		select {
		case <-g.open:
			io.WriteString(w, "ok")
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(func() {
		g.CloseClientConnections()
		g.Close()
	})
	return g
}

func (g *gate) variables(name string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"url":%q}`, g.URL+"/"+name))
}

// waits waits until n runs have arrived.
func (g *gate) waits(t *testing.T, n int) (paths []string) {
	t.Helper()
	for range n {
		select {
		case path := <-g.arrived:
			paths = append(paths, path)
		case <-time.After(patience):
			t.Fatalf("only %d of %d runs arrived within %s", len(paths), n, patience)
		}
	}
	return paths
}

func (g *gate) letGo() { close(g.open) }

// decode reads what a command printed as JSON.
func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("not JSON (%v):\n%s", err, text)
	}
	return v
}
