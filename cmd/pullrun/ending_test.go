package main

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/configs"
	"github.com/pullrun/pullrun/manager"
	"github.com/pullrun/pullrun/poller"
)

// bounded starts a worker that may end before it has registered.
func (s *site) bounded(args ...string) *process {
	s.t.Helper()
	pipelines, err := filepath.Abs("testdata/pipelines")
	if err != nil {
		s.t.Fatal(err)
	}
	return start(s.t, s.env, slices.Concat([]string{"worker", "--log-format", "json", pipelines}, args)...)
}

func give(cookie string) api.Submit {
	return api.Submit{Pipeline: "give", Cookie: cookie, Variables: []byte(`{"value":1}`)}
}

func TestAWorkerTakesSoManyRunsAndEnds(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	server := s.server()
	for i := range 4 {
		s.submit(give(fmt.Sprint("r", i)))
	}
	states := func(want ...api.State) {
		t.Helper()
		for i, state := range want {
			run, err := s.client.Get(t.Context(), fmt.Sprint("r", i), 0)
			if err != nil || run.State != state {
				t.Errorf("r%d is %s (%v), want %s", i, run.State, err, state)
			}
		}
		if offers := strings.Count(server.log(), `"state":"OFFERED"`); offers != strings.Count(fmt.Sprint(want), string(api.StateSucceeded)) {
			t.Errorf("%d offers were made for states %v", offers, want)
		}
	}
	if code := s.bounded("--once").ends(); code != exitDone {
		t.Errorf("--once ended with %d, want 0", code)
	}
	states(api.StateSucceeded, api.StateQueued, api.StateQueued, api.StateQueued)
	if code := s.bounded("--max-runs", "2", "--capacity", "4").ends(); code != exitDone {
		t.Errorf("--max-runs 2 ended with %d, want 0", code)
	}
	states(api.StateSucceeded, api.StateSucceeded, api.StateSucceeded, api.StateQueued)
}

func TestAWorkerTakesOneRunThatIsNamed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	server := s.server()
	s.submit(give("other"))
	mine := give("mine")
	mine.Queue, mine.Labels = "elsewhere", map[string]string{"zone": "x"}
	s.submit(mine)
	if code := s.bounded("--run", "mine").ends(); code != exitDone {
		t.Errorf("--run mine ended with %d, want 0", code)
	}
	s.ended("mine", api.StateSucceeded)
	again := s.bounded("--run", "mine")
	if code := again.ends(); code != exitDone || !strings.Contains(again.log(), "the run has ended already") {
		t.Errorf("--run of a run that has ended: %d, want 0", code)
	}
	if code := s.bounded("--run", "strange").ends(); code != exitNotFound {
		t.Errorf("--run of no run: %d, want 5", code)
	}
	if code := s.bounded("--run", "a/b").ends(); code != exitUsage {
		t.Errorf("--run of no cookie: %d, want 2", code)
	}
	if offers := strings.Count(server.log(), `"state":"OFFERED"`); offers != 1 {
		t.Errorf("%d offers were made, want one", offers)
	}
}

func TestWhyAWorkerEnds(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	for _, tt := range []struct {
		name   string
		args   []string
		signal bool
		code   int
		says   string
	}{
		{"it was told to", nil, true, exitDone, "it was told to"},
		{"it was told to before it had its runs", []string{"--once"}, true, exitDrained, "it was told to"},
		{"its time is over", []string{"--max-uptime", "100ms"}, false, exitDone, "max_uptime is over"},
		{"its time is over before it had its runs", []string{"--max-uptime", "100ms", "--max-runs", "3"}, false, exitDrained, "max_uptime is over"},
		{"there is nothing to do", []string{"--idle-timeout", "100ms"}, false, exitIdle, "there was nothing to do"},
		{"nor is there for one that wants one run", []string{"--idle-timeout", "100ms", "--once"}, false, exitIdle, "there was nothing to do"},
		{"the server does not know it", []string{"--server-token", "wrong-0123456789"}, false, exitRefused, "the token is not known"},
		{"the server is away", []string{"--server-url", "http://127.0.0.1:1", "--contact-timeout", "100ms"}, false, exitUnreachable, "out of reach"},
		{"a setting is wrong", []string{"--max-runs", "-1"}, false, exitUsage, "max_runs"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			there := *s
			there.t = t
			p := there.bounded(append(tt.args, "--name", fmt.Sprintf("w%d-%d", tt.code, len(tt.args)), "--queues", "empty")...)
			if tt.signal {
				p.says(`"msg":"registered"`)
				p.signal(syscall.SIGTERM)
			}
			if code := p.ends(); code != tt.code || !strings.Contains(p.log(), tt.says) {
				t.Errorf("ended with %d, want %d and a word of %q:\n%s", code, tt.code, tt.says, p.log())
			}
		})
	}
}

func TestAWorkerThatHandsItsRunBackHasNotDoneIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	g := newGate(t)
	run := s.submit(api.Submit{Pipeline: "hang", Cookie: "mine", Variables: g.variables("1")})
	for _, bound := range [][]string{{"--once"}, {"--run", "mine"}} {
		p := s.bounded(append(bound, "--drain-timeout", "100ms")...)
		g.waits(t, 1)
		p.signal(syscall.SIGTERM)
		if code := p.ends(); code != exitDrained {
			t.Errorf("%s ended with %d, want 9 for its run went back", bound[0], code)
		}
		if got, err := s.client.Get(t.Context(), run.Cookie, 0); err != nil || got.State != api.StateQueued {
			t.Errorf("%s: the run is %s (%v), want QUEUED", bound[0], got.State, err)
		}
	}
}

// Where the server asks a worker to end and has forgotten its session when it polls
// again, the worker sees both, in whichever order, and has been told to end.
func TestAWorkerThatIsAskedToEndAndForgottenHasNotDoneItsRuns(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	w := &workplace{
		manager: manager.New(manager.Config{Capacity: 1, MaxRuns: 1}, nil, nil, log),
		poller:  poller.New(poller.Config{}, nil, nil, log),
		toEnd:   make(chan struct{}),
	}
	w.cfg.Store(&configs.Worker{})
	close(w.toEnd)
	left := &pollerEnd{over: make(chan struct{})}
	close(left.over)
	for range 64 {
		if code := exitCode(w.lives(t.Context(), left).err(w.manager.Room())); code != exitDrained {
			t.Fatalf("it ends with %d, want %d", code, exitDrained)
		}
	}
}
