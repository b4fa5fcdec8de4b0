package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/otel/oteltest"
)

// act is the program that pipelines of these tests run: this binary itself, in
// one of these roles.
func act(role string, args []string) {
	switch role {
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		fallthrough
	case "waits": // until nobody is at the other end
		conn, err := net.Dial("tcp", args[0])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		_, _ = io.Copy(io.Discard, conn)
	case "traced":
		fmt.Print(os.Getenv("TRACEPARENT"))
	}
}

// runsPrograms writes a pipeline "program" that runs this binary, and gives the
// arguments of a worker that has it, and may.
func (s *site) runsPrograms() []string {
	s.t.Helper()
	if runtime.GOOS != "linux" {
		s.t.Skip("programs are run on Linux alone")
	}
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	s.write("programs/program.yml", fmt.Sprintf(`
- chip: process.run
  params: {command: [%q, as, "{{ role }}", "{{ addr }}"]}
  store_result_as: ran
- return: "{{ ran.stdout }}"
`, self))
	return []string{s.dir + "/programs", "--process-allow", self}
}

// program submits a run of a program that connects to the listener, and waits
// until it has.
func (s *site) program(l net.Listener, role string) (run api.Run, conn net.Conn) {
	s.t.Helper()
	variables, err := json.Marshal(map[string]string{"role": role, "addr": l.Addr().String()})
	if err != nil {
		s.t.Fatal(err)
	}
	run = s.submit(api.Submit{Pipeline: "program", Variables: variables, MaxAttempts: 1})
	if err := l.(*net.TCPListener).SetDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	if conn, err = l.Accept(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	return run, conn
}

// gone waits until a process at the other end of a connection is.
func gone(t *testing.T, conn net.Conn) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the program is still there")
	}
}

func newListener(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// A program ends with the run that has started it, and the run says how.
func TestACancelledRunEndsItsProgram(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	s.worker("w", append(s.runsPrograms(), "--cancel-grace", "4s")...)
	l := newListener(t)
	for role, want := range map[string]api.Stop{"waits": api.StopCooperative, "stubborn": api.StopKilled} {
		run, conn := s.program(l, role)
		if _, err := s.client.Cancel(t.Context(), run.Cookie, "enough"); err != nil {
			t.Fatal(err)
		}
		if run = s.ended(run.Cookie, api.StateCancelled); run.Stop != want {
			t.Errorf("the run of a program that is %s stopped %q, want %q", role, run.Stop, want)
		}
		gone(t, conn)
	}
}

// A program does not outlive a worker that is killed.
func TestAKilledWorkerTakesItsProgramWithIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	w := s.worker("w", s.runsPrograms()...)
	_, conn := s.program(newListener(t), "stubborn")
	w.kill()
	gone(t, conn)
}

// A program is told the span of its call, which says what it was and how it ended.
func TestAProgramKnowsItsSpan(t *testing.T) {
	t.Parallel()
	r := oteltest.NewReceiver(t)
	s := newTracedSite(t, r)
	s.server()
	s.worker("w", s.runsPrograms()...)
	run := s.runs(exitDone, "program", "--set", "role=traced", "--set", "addr=")
	s.end()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	all, err := r.Trace(ctx, run.TraceID, func(all []oteltest.Span) bool { return len(named(all, "chip process.run")) == 1 })
	if err != nil {
		t.Fatal(err)
	}
	chip := named(all, "chip process.run")[0]
	if want := fmt.Sprintf("%q", "00-"+chip.TraceID+"-"+chip.SpanID+"-01"); string(run.Result) != want {
		t.Errorf("TRACEPARENT = %s, want %s", run.Result, want)
	}
	want := map[string]string{"pullrun.chip.kind": "process.run", "process.executable.name": filepath.Base(os.Args[0]), "process.exit.code": "0"}
	if diff := cmp.Diff(want, chip.Attributes); diff != "" {
		t.Errorf("the chip's span (-want +got):\n%s", diff)
	}
}
