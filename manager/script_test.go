package manager_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/manager"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	capacity = 4
	grace    = 10 * time.Second
)

// pipelines is an engine of a few functions.
type pipelines map[string]func(ctx context.Context, in engine.Input) (engine.Output, error)

func (p pipelines) Run(ctx context.Context, in engine.Input) (engine.Output, error) {
	return p[in.Pipeline](ctx, in)
}

// echo ends at once with its variables.
func echo(_ context.Context, in engine.Input) (engine.Output, error) {
	return engine.Output{Result: in.Variables}, nil
}

// wait goes on until it is told to stop, and does.
func wait(ctx context.Context, _ engine.Input) (engine.Output, error) {
	<-ctx.Done()
	return engine.Output{}, &engine.Error{Class: engine.CancelledException, Message: "told to stop", Cause: context.Cause(ctx)}
}

// after goes on for so long, whatever it is told.
func after(d time.Duration) func(context.Context, engine.Input) (engine.Output, error) {
	return func(context.Context, engine.Input) (engine.Output, error) {
		time.Sleep(d)
		return engine.Output{Result: json.RawMessage(`"done"`)}, nil
	}
}

// standard are the pipelines of most tests.
var standard = pipelines{
	"echo": echo, "wait": wait, "minute": after(time.Minute), "stubborn": after(time.Hour),
	"killed": func(ctx context.Context, in engine.Input) (engine.Output, error) {
		_, err := wait(ctx, in)
		return engine.Output{Killed: true}, err
	},
	"left behind": func(ctx context.Context, in engine.Input) (engine.Output, error) {
		_, err := wait(ctx, in)
		return engine.Output{Killed: true}, fmt.Errorf("%w: %w", engine.ErrLeftBehind, err)
	},
	"fail": func(context.Context, engine.Input) (engine.Output, error) {
		return engine.Output{}, &engine.Error{Class: "ValueError", Message: "no", Frames: []engine.Frame{{Pipeline: "fail", Number: 1, File: "fail.yaml", Line: 3}}}
	},
	"late": func(context.Context, engine.Input) (engine.Output, error) {
		return engine.Output{}, &engine.Error{Class: engine.LimitException, Message: "too late", Cause: engine.ErrTimeLimit}
	},
	"break": func(context.Context, engine.Input) (engine.Output, error) {
		return engine.Output{}, errors.New("no disk")
	},
	"panic": func(context.Context, engine.Input) (engine.Output, error) { panic("boom") },
}

// A server judges results as its script says, or accepts them.
type server struct {
	script func(ctx context.Context, results []api.Result) ([]api.Verdict, error)

	mu      sync.Mutex
	batches [][]api.Result // that were judged
}

func (s *server) report(ctx context.Context, results []api.Result) ([]api.Verdict, error) {
	if s.script != nil {
		if verdicts, err := s.script(ctx, results); err != nil || verdicts != nil {
			return verdicts, err
		}
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches = append(s.batches, results)
	return accepted(results), nil
}

func accepted(results []api.Result) []api.Verdict {
	var verdicts []api.Verdict
	for _, r := range results {
		verdicts = append(verdicts, api.Verdict{Cookie: r.Cookie, Fence: r.Fence, Verdict: api.VerdictAccepted})
	}
	return verdicts
}

// posted are the batches that were judged so far, by their cookies.
func (s *server) posted() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var batches []string
	for _, batch := range s.batches {
		var names []string
		for _, r := range batch {
			names = append(names, r.Cookie)
		}
		slices.Sort(names)
		batches = append(batches, strings.Join(names, " "))
	}
	return batches
}

// results are what was judged so far, a line each.
func (s *server) results() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for _, r := range slices.Concat(s.batches...) {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s/%d %s %s%s", r.Cookie, r.Fence, r.RC, r.Result, r.Error)))
	}
	return lines
}

// expect waits for all that can happen now and compares what was judged, in
// any order.
func (s *server) expect(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	got := s.results()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("results\n got %q\nwant %q", got, want)
	}
}

// start makes a manager that ends with its test.
func start(t *testing.T, e manager.Engine, s *server) *manager.Manager {
	t.Helper()
	m := manager.New(manager.Config{Worker: "w", Capacity: capacity, Grace: grace, MaxResult: 100}, e, s.report, slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = m.Drain(ctx)          // what a test leaves unfinished is its own affair
		time.Sleep(2 * time.Hour) // engines that were abandoned end
	})
	return m
}

func run(cookie, pipeline string) api.Packet {
	return api.Packet{PacketType: api.PacketRun, Cookie: cookie, Fence: 1, Pipeline: pipeline, Variables: json.RawMessage(`{}`)}
}

func cancel(cookie string) api.Packet {
	return api.Packet{PacketType: api.PacketCancel, Cookie: cookie, Fence: 1}
}

func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

// holding names the leases that are held, a line each.
func holding(m *manager.Manager) []string {
	var lines []string
	for _, h := range m.Holding() {
		line := fmt.Sprintf("%s/%d", h.Cookie, h.Fence)
		if h.Claim {
			line += " claim"
		}
		if h.Cancelling {
			line += " cancelling"
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}
