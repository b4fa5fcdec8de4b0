package chips_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/engine/chips"
)

// patience bounds the waits for what must happen.
const patience = 30 * time.Second

// self is this binary, which is the program that the tests run.
func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// allowing lets pipelines run this binary.
func allowing(t *testing.T, grace time.Duration) chips.Options {
	t.Helper()
	return chips.Options{Process: chips.ProcessOptions{Allow: []string{self(t)}, Grace: grace}}
}

// as is a command for this binary in one of its roles.
func as(t *testing.T, role string, args ...string) []any {
	t.Helper()
	command := []any{self(t), "as", role}
	for _, arg := range args {
		command = append(command, arg)
	}
	return command
}

func TestProcessRun(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		params map[string]any
		want   map[string]any // some of the response
		fails  string         // part of the error
	}{
		{name: "what it reads and writes", params: map[string]any{"command": as(t, "cat"), "stdin": `{"a": [1]}`},
			want: map[string]any{"status": "OK", "exit_code": 0.0, "stdout": `{"a": [1]}`, "stderr": "", "json": map[string]any{"a": []any{1.0}}, "stdout_truncated": false}},
		{name: "no shell looks at it", params: map[string]any{"command": as(t, "cat", "$(date); >x"), "stdin": "x"},
			want: map[string]any{"stdout": "x", "json": nil}},
		{name: "output is bounded", params: map[string]any{"command": as(t, "say", "200000"), "max_output": 10},
			want: map[string]any{"status": "OK", "stdout": "oooooooooo", "stderr": "eeeeeeeeee", "stdout_truncated": true, "stderr_truncated": true}},
		{name: "a failure fails the task", params: map[string]any{"command": as(t, "fail", "3")},
			fails: "ProgramFailed: " + self(t) + " ended with exit code 3: two"},
		{name: "or is told", params: map[string]any{"command": as(t, "fail", "3"), "check": false},
			want: map[string]any{"status": "FAILED", "exit_code": 3.0, "signal": nil, "stderr": "one\ntwo\n\n", "error_message": self(t) + " ended with exit code 3: two"}},
		{name: "too much is asked for", params: map[string]any{"command": as(t, "cat"), "max_output": 1 << 30}, fails: "max_output"},
		{name: "nothing is asked for", params: map[string]any{"command": []any{}}, fails: "command names no program"},
		{name: "a directory that is not there", params: map[string]any{"command": as(t, "cat"), "dir": "/nowhere"}, fails: "/nowhere"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := call(t, allowing(t, time.Minute), "process.run", tt.params)
			if (err != nil) != (tt.fails != "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
				t.Fatalf("run() = %v, want %q", err, tt.fails)
			}
			maps.DeleteFunc(got, func(key string, _ any) bool { _, asked := tt.want[key]; return !asked })
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("run() (-want +got)\n%s", diff)
			}
		})
	}
}

// A program knows nothing of the worker's settings, and gets the trace.
func TestTheEnvironmentOfAProgram(t *testing.T) {
	t.Setenv("PULLRUN_SERVER_TOKEN", "sesame")
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "key=sesame")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "sesame")
	t.Setenv("LC_TIME", "C")
	t.Setenv("TZ", "UTC")
	opts := allowing(t, time.Minute)
	opts.Process.Trace = func(context.Context) []string { return []string{"TRACEPARENT=00-1-2-01"} }
	got, err := call(t, opts, "process.run", map[string]any{"command": as(t, "environment"), "env": map[string]any{"MINE": "a=b", "TZ": "Asia/Tokyo"}})
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, kv := range got["json"].([]any) {
		name, value, _ := strings.Cut(kv.(string), "=")
		names[name] = value
	}
	for name, want := range map[string]string{"MINE": "a=b", "TZ": "Asia/Tokyo", "LC_TIME": "C", "TRACEPARENT": "00-1-2-01", "PATH": os.Getenv("PATH")} {
		if names[name] != want {
			t.Errorf("%s = %q, want %q", name, names[name], want)
		}
		delete(names, name)
	}
	for name := range names {
		if !slices.Contains([]string{"HOME", "LANG", "LANGUAGE", "LOGNAME", "TMPDIR", "USER"}, name) && !strings.HasPrefix(name, "LC_") {
			t.Errorf("the program has %s", name)
		}
	}
}

// Nothing runs that the worker's settings do not name.
func TestWhichProgramsMayRun(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	for _, name := range []string{"one", "two"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	link := func(name, to string) string {
		at := filepath.Join(elsewhere, name)
		if err := os.Symlink(to, at); err != nil {
			t.Fatal(err)
		}
		return at
	}
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	toOne, otherToOne, toDir := link("to-one", one), link("other-to-one", one), link("dir", dir)
	t.Setenv("PATH", dir)
	for _, tt := range []struct {
		name    string
		allow   []string
		program string
		refused string // the class of the error
	}{
		{"nothing", nil, one, "ProgramRefused"},
		{"a path", []string{one}, one, ""},
		{"another path", []string{one}, two, "ProgramRefused"},
		{"a name, looked up", []string{one}, "one", ""},
		{"a name of another", []string{one}, "two", "ProgramRefused"},
		{"a pattern", []string{dir + "/*"}, two, ""},
		{"a pattern of no directory below", []string{filepath.Dir(dir) + "/*"}, two, "ProgramRefused"},
		{"a path with a way up in it", []string{dir + "/*"}, dir + "/../" + filepath.Base(dir) + "/one", ""},
		{"a relative path", []string{dir + "/*"}, "./one", "ProgramRefused"},
		{"a link that is named", []string{toOne}, toOne, ""},
		{"another link to the same", []string{toOne}, otherToOne, "ProgramRefused"},
		{"a pattern with a link that leads out of it", []string{elsewhere + "/*"}, toOne, "ProgramRefused"},
		{"and to what is named", []string{elsewhere + "/*", one}, toOne, ""},
		{"a link to the directory", []string{toDir + "/*"}, one, ""},
		{"the directory by a link", []string{one}, toDir + "/one", ""},
		{"what is not there", []string{"/*"}, "/nothing-there", "ProgramNotFound"},
		{"a name that is not there", []string{"/*"}, "nothing-there", "ProgramNotFound"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opts := chips.Options{Process: chips.ProcessOptions{Allow: tt.allow}}
			_, err := call(t, opts, "process.run", map[string]any{"command": []any{tt.program}})
			var raised *engine.Raised
			if errors.As(err, &raised); (err != nil) != (tt.refused != "") || err != nil && (raised == nil || raised.Class != tt.refused) {
				t.Errorf("run %s = %v, want %q", tt.program, err, tt.refused)
			}
		})
	}
}

// A hall sees processes come and go: each connects, and is gone when its
// connection ends.
type hall struct {
	net.Listener
	t *testing.T
}

func newHall(t *testing.T) hall {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if err := l.(*net.TCPListener).SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return hall{l, t}
}

func (h hall) addr() string { return h.Addr().String() }

// A visitor is a process that has come, in its role.
type visitor struct {
	net.Conn
	words *bufio.Reader
	role  string
}

// arrive waits for a process. It gives nil when none comes.
func (h hall) arrive() *visitor {
	h.t.Helper()
	conn, err := h.Accept()
	if err != nil {
		h.t.Errorf("wait for a process: %v", err)
		return nil
	}
	h.t.Cleanup(func() { conn.Close() })
	v := &visitor{Conn: conn, words: bufio.NewReader(conn)}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		h.t.Error(err)
	}
	role, err := v.words.ReadString('\n')
	if err != nil {
		h.t.Errorf("a process does not say what it is: %v", err)
	}
	v.role = strings.TrimSpace(role)
	return v
}

// gone waits until a process is, and gives its last words.
func (h hall) gone(v *visitor) string {
	h.t.Helper()
	said, err := io.ReadAll(v.words)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		h.t.Errorf("the process %q is still there", v.role)
	}
	return string(said)
}

// When a run is stopped, nothing is left of its program and what that has
// started, and the run tells whether it had to be killed.
func TestAProgramIsStopped(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		command   func(addr string) []any
		processes int
		grace     time.Duration
		killed    bool
		said      string
	}{
		{"as it is told to", func(addr string) []any { return as(t, "waits", addr) }, 1, patience, false, ""},
		{"by force", func(addr string) []any { return as(t, "stubborn", addr) }, 1, 50 * time.Millisecond, true, ""},
		{"by force at once", func(addr string) []any { return as(t, "polite", addr) }, 1, 0, true, ""},
		{"with a child that is told as well", func(addr string) []any { return as(t, "parent", "polite", addr) }, 2, patience, false, "bye"},
		{"with a child that does not heed it", func(addr string) []any { return as(t, "parent", "stubborn", addr) }, 2, 50 * time.Millisecond, true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHall(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			there := make(chan []*visitor, 1)
			go func() {
				var all []*visitor
				for range tt.processes {
					all = append(all, h.arrive())
				}
				there <- all
				cancel()
			}()
			out, err := running(ctx, t, tt.grace, nil, map[string]any{"command": tt.command(h.addr())})
			if !errors.Is(err, context.Canceled) || out.Killed != tt.killed {
				t.Errorf("run() = killed %t, %v, want %t and the end of its context", out.Killed, err, tt.killed)
			}
			said := ""
			for _, v := range <-there {
				if v != nil {
					said += h.gone(v)
				}
			}
			if said != tt.said {
				t.Errorf("the processes said %q, want %q", said, tt.said)
			}
		})
	}
}

// running calls process.run in a run of its own.
func running(ctx context.Context, t *testing.T, grace time.Duration, log *slog.Logger, params map[string]any) (engine.Output, error) {
	t.Helper()
	pipeline := "- chip: process.run\n  params:\n"
	for name := range params {
		pipeline += "    " + name + ": '{{ p[\"" + name + "\"] }}'\n"
	}
	col, err := engine.Load(engine.LoadOptions{
		FS:     fstest.MapFS{"main.yml": {Data: []byte(pipeline)}},
		Chips:  engine.NewChips(chips.Standard(allowing(t, grace))...),
		Limits: engine.Limits{Grace: patience, Output: 4000},
	})
	if err != nil {
		t.Fatal(err)
	}
	variables, err := json.Marshal(map[string]any{"p": params})
	if err != nil {
		t.Fatal(err)
	}
	return col.Run(ctx, engine.Input{Pipeline: "main", Variables: variables, Log: log})
}

func TestAProgramTakesTooLong(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	params := map[string]any{"command": as(t, "waits", h.addr()), "check": false}
	for _, params["timeout"] = range []float64{0.01, 1e-9} { // the latter is over before it has begun
		got, err := call(t, allowing(t, time.Minute), "process.run", params)
		if err != nil || got["status"] != "TIMEOUT" || got["signal"] != "SIGTERM" || got["exit_code"] != nil {
			t.Errorf("run() = %v, %v, want TIMEOUT by SIGTERM", got, err)
		}
	}
	delete(params, "check")
	if _, err := call(t, allowing(t, time.Minute), "process.run", params); err == nil || !strings.Contains(err.Error(), "ProgramTimeout") {
		t.Errorf("run() = %v, want ProgramTimeout", err)
	}
}

// A program that ends leaves nothing behind, not even what holds its streams.
func TestAProgramLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	done := make(chan error, 1)
	go func() {
		out, err := running(t.Context(), t, time.Minute, nil, map[string]any{"command": as(t, "leave", h.addr())})
		if out.Killed {
			err = errors.New("it says that it was killed")
		}
		done <- err
	}()
	first, second := h.arrive(), h.arrive()
	if first == nil || second == nil {
		t.FailNow()
	}
	// The program ends when it is let go, and not so its child.
	for _, v := range []*visitor{first, second} {
		if v.role == "leave" {
			if _, err := io.WriteString(v, "x"); err != nil {
				t.Error(err)
			}
		}
	}
	if err := <-done; err != nil {
		t.Errorf("run() = %v", err)
	}
	h.gone(first)
	h.gone(second)
}

// Where the process inherits what a program leaves behind, as the first one of a
// container does, no zombie is left of it.
func TestAProgramLeavesNoZombies(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) })
	h := newHall(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		h.arrive()
		h.arrive()
		cancel()
	}()
	if _, err := running(ctx, t, time.Millisecond, nil, map[string]any{"command": as(t, "parent", "stubborn", h.addr())}); !errors.Is(err, context.Canceled) {
		t.Errorf("run() = %v, want the end of its context", err)
	}
	if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != unix.ECHILD {
		t.Errorf("there is a child, %d, %v", pid, err)
	}
}

// What a program writes goes to the log of its run as it comes, within the
// run's limit.
func TestTheLinesOfAProgramAreLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	if _, err := running(t.Context(), t, time.Minute, logger, map[string]any{"command": as(t, "fail", "0"), "log": true}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"msg=stderr pipeline=main text=one\n", "msg=stderr pipeline=main text=two\n"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log is %s, want %q in it", log.String(), want)
		}
	}
	_, err := running(t.Context(), t, time.Minute, slog.New(slog.DiscardHandler), map[string]any{"command": as(t, "say", "100000"), "log": true})
	var failed *engine.Error
	if !errors.As(err, &failed) || failed.Class != engine.LimitException {
		t.Errorf("run() = %v, want the limit on output", err)
	}
}
