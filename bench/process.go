package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
)

// A system is a server and its workers as processes of their own.
type system struct {
	url       string
	client    *client.Client
	dir       string
	options   options
	processes map[string]*exec.Cmd // by role: server, worker
	// postmaster is the process of the PostgreSQL server that the store is on.
	// Zero is none, or one of another machine.
	postmaster int
}

// start starts a server and, with a capacity, a worker with the pipeline noop.
func start(ctx context.Context, o options, capacity int) (_ *system, err error) {
	s := &system{options: o, processes: map[string]*exec.Cmd{}}
	if s.dir, err = os.MkdirTemp("", "pullrun-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	addr, err := freePort()
	if err != nil {
		return nil, err
	}
	s.url = "http://" + addr
	if s.client, err = client.New(client.Config{URL: s.url}); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(s.dir, "noop.yml"), []byte("- return: 1\n"), 0o600); err != nil {
		return nil, err
	}
	if o.store == "" {
		s.options.store = "sqlite://" + filepath.Join(s.dir, "bench.db")
	}
	if strings.HasPrefix(o.store, "postgres") {
		if s.postmaster, err = postmasterOf(ctx, o.store); err != nil {
			return nil, err
		}
	}
	if err := s.server(ctx); err != nil {
		return nil, err
	}
	if capacity == 0 {
		return s, nil
	}
	return s, s.launch(ctx, "worker", "worker", "--server-url", s.url, "--pipelines-dirs", s.dir, "--outbox-dir", filepath.Join(s.dir, "outbox"), "--capacity", strconv.Itoa(capacity), "--log-level", "warn")
}

// server starts the server, and returns when it is ready.
func (s *system) server(ctx context.Context) error {
	err := s.launch(ctx, "server", "server", "--listen", strings.TrimPrefix(s.url, "http://"), "--store", s.options.store, "--log-level", "warn", "--limits-polls", "100000")
	if err != nil {
		return err
	}
	return s.client.Ready(ctx, time.Minute)
}

// run submits a run and waits for its result.
func (s *system) run(ctx context.Context) (api.Run, error) {
	run, err := s.client.Submit(ctx, api.Submit{Pipeline: "noop"}, waitForResult)
	for err == nil && !run.State.Final() {
		run, err = s.client.Get(ctx, run.Cookie, waitForResult)
	}
	if err == nil && run.State != api.StateSucceeded {
		err = fmt.Errorf("run %q is %s: %s", run.Cookie, run.State, run.Error)
	}
	return run, err
}

const waitForResult = 30 * time.Second

func (s *system) launch(ctx context.Context, role string, args ...string) error {
	if s.options.profile != "" {
		args = append(args, "--cpu-profile", filepath.Join(s.options.profile, role+".pprof"))
	}
	cmd := exec.CommandContext(ctx, s.options.pullrun, args...)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the %s: %w", role, err)
	}
	s.processes[role] = cmd
	return nil
}

// end sends a process a signal and waits until it has ended.
func (s *system) end(role string, sig os.Signal) {
	if cmd := s.processes[role]; cmd != nil {
		_ = cmd.Process.Signal(sig) // it may have ended by itself
		_ = cmd.Wait()              // the signal is why it ended
		delete(s.processes, role)
	}
}

func (s *system) stop() {
	s.end("worker", syscall.SIGTERM)
	s.end("server", syscall.SIGTERM)
	if s.client != nil {
		s.client.Close()
	}
	_ = os.RemoveAll(s.dir) // a directory of ours among the temporary ones
}

// usage is what the processes and the databases have used.
type usage struct {
	cpu map[string]time.Duration // by role
	rss map[string]int64         // bytes
}

// usage reads the system's processes, this one as "clients", and the
// PostgreSQL of this machine, if the store is one.
func (s *system) usage() (usage, error) {
	u := usage{cpu: map[string]time.Duration{}, rss: map[string]int64{}}
	add := func(role string, pid int) error {
		p, err := readProcess(pid)
		u.cpu[role] += p.cpu
		u.rss[role] += p.rss
		return err
	}
	for role, cmd := range s.processes {
		if err := add(role, cmd.Process.Pid); err != nil {
			return u, err
		}
	}
	if err := add("clients", os.Getpid()); err != nil {
		return u, err
	}
	if s.postmaster == 0 {
		return u, nil
	}
	pids, err := children(s.postmaster)
	for _, pid := range append(pids, s.postmaster) {
		if err := add("postgres", pid); err != nil && !errors.Is(err, os.ErrNotExist) {
			return u, err
		}
	}
	return u, err
}

// postmasterOf finds the process that all others of a PostgreSQL server are
// children of. It is zero if the server is on another machine.
func postmasterOf(ctx context.Context, url string) (int, error) {
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return 0, err
	}
	defer c.Close(ctx)
	var pid int
	if err := c.QueryRow(ctx, `SELECT pg_backend_pid()`).Scan(&pid); err != nil {
		return 0, err
	}
	p, err := readProcess(pid)
	if errors.Is(err, os.ErrNotExist) || p.name != "postgres" {
		return 0, nil
	}
	return p.parent, err
}

// A process is what /proc says of one.
type process struct {
	name   string
	parent int
	cpu    time.Duration // with that of its children that have ended
	rss    int64         // bytes
}

// readProcess reads /proc/PID/stat (proc(5)): the name is field 2, the parent 4;
// 14 to 17 are ticks of a hundredth of a second in user and kernel mode, its own
// and its ended children's; 24 is the resident pages.
func readProcess(pid int) (process, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, err
	}
	head, rest, _ := strings.Cut(string(raw), ") ") // the name may hold blanks
	fields := strings.Fields(rest)
	if len(fields) < 22 {
		return process{}, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	field := func(n int) int64 {
		v, _ := strconv.ParseInt(fields[n-3], 10, 64) // the kernel writes numbers
		return v
	}
	_, name, _ := strings.Cut(head, "(")
	ticks := field(14) + field(15) + field(16) + field(17)
	return process{
		name: name, parent: int(field(4)),
		cpu: time.Duration(ticks) * 10 * time.Millisecond, rss: field(24) * int64(os.Getpagesize()),
	}, nil
}

func children(parent int) ([]int, error) {
	files, err := filepath.Glob("/proc/[0-9]*")
	var pids []int
	for _, file := range files {
		pid, _ := strconv.Atoi(filepath.Base(file))
		if p, err := readProcess(pid); err == nil && p.parent == parent { // or it has ended
			pids = append(pids, pid)
		}
	}
	return pids, err
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// machine says where the figures are from.
func machine() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "model name\t: "); ok {
			return name
		}
	}
	return "unknown"
}
