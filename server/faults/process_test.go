package faults

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pullrun/pullrun/server"
	"github.com/pullrun/pullrun/server/store"
)

// serverEnv holds the role of a test binary that is to be a server.
const serverEnv = "PULLRUN_TEST_SERVER"

// A role says what a server process is to do.
type role struct {
	Store string
	// Point is where the process kills itself, when it passes there for the Nth
	// time. An empty one is nowhere.
	Point string
	Nth   int
}

// quick are waits that a test can wait for.
var quick = store.Timing{Offer: time.Second, Cancel: time.Second, Grace: time.Second}

func config() server.Config {
	return server.Config{
		Listen: "127.0.0.1:0", Hold: time.Second, Lease: 2 * time.Second, Renew: 500 * time.Millisecond,
		MaxAttempts: 3, MaxBody: 1 << 20, MaxResult: 1 << 20, ShutdownTimeout: 5 * time.Second, Version: "test",
	}
}

// serve is the life of a server process. It prints its address when it listens.
func serve(text string) {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if err := serveAs(text, log); err != nil {
		log.Error("server ends", "err", err)
		os.Exit(1)
	}
}

func serveAs(text string, log *slog.Logger) error {
	var r role
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return err
	}
	passed := 0
	probe := func(point string) {
		if point != r.Point {
			return
		}
		if passed++; passed == r.Nth {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // it cannot fail, and nothing may follow
			select {}
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() { // the test has gone when it closes the input
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	st, err := store.Open(ctx, r.Store, store.Options{Log: log, Timing: quick, Probe: probe})
	if err != nil {
		return err
	}
	s, err := server.New(config(), st, log)
	if err != nil {
		return err
	}
	fmt.Println(s.Addr())
	if err := s.Run(ctx); err != nil {
		return err
	}
	return st.Close()
}

// A process is a running server.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	log   bytes.Buffer // to be read when it has ended
	addr  string       // "" if it ended before it listened
	ended chan struct{}
}

// start starts a server from a binary, and waits until it listens, or has ended.
func start(t *testing.T, binary string, r role) *process {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(binary), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), serverEnv+"="+string(text))
	p.cmd.Stderr = &p.log
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n') // its end is found below
	p.addr = strings.TrimSpace(line)
	go func() {
		defer close(p.ended)
		_, _ = io.Copy(io.Discard, out)
		_ = p.cmd.Wait() // how it ended is in ProcessState
	}()
	t.Cleanup(func() {
		p.kill()
		if log := p.log.Bytes(); t.Failed() && bytes.Contains(log, []byte("level=ERROR")) {
			t.Logf("end of the log of the server that was to end at %q:\n%s", r.Point, log[max(0, len(log)-2000):])
		}
	})
	return p
}

// kill ends the process at once, if it runs still.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
	_ = p.stdin.Close() // likewise
}

// killed waits for the end of a process that kills itself.
func (p *process) killed(t *testing.T, r role) {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Errorf("point %s was not passed %d times", r.Point, r.Nth)
		p.kill()
		return
	}
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Errorf("the server that was to kill itself at %s ended with %v:\n%s", r.Point, p.cmd.ProcessState, p.log.String())
	}
}
