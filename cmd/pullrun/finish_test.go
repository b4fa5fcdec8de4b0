//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pullrun/pullrun/api"
)

// leases has the server lease runs for so long.
func (s *site) leases(lease string) {
	s.t.Helper()
	path := filepath.Join(s.dir, "server.yaml")
	raw, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	s.write("server.yaml", strings.Replace(string(raw), "lease: 30s\nrenew: 5s", "lease: "+lease+"\nrenew: 1s", 1))
}

// bound makes a token for the worker "w" and the queue "default", and returns it
// with its id.
func (s *site) bound() (token, id string) {
	s.t.Helper()
	code, out, log := call(s.t, s.env, "tokens", "create", "bound", "--scope", "work", "--worker", "w", "--queue", "default")
	if code != exitDone {
		s.t.Fatalf("tokens create = %d %s", code, log)
	}
	token = strings.TrimSpace(out)
	return token, api.TokenID(token)
}

const refusedLine = `"level":"ERROR","msg":"the server refuses this worker: what is in hand may finish while its leases last, and is stopped then"`

// A worker whose token is revoked while it has a run says so at once. Nobody
// renews its leases, so it goes on no longer than they last, nor does it when it
// drains already, and the first signal makes it end.
func TestARefusedWorkerFinishesWhileItsLeasesLast(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, lease   string
		before, after bool // whether it is told to end before it is refused, or after
	}{
		{"it finishes while its leases last", "10s", false, false},
		{"it was draining", "10s", true, false},
		{"the first signal does not wait", "10m", false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.leases(tt.lease)
			s.server()
			token, id := s.bound()
			w := s.worker("w", "--server-token", token)
			g := newGate(t)
			s.submit(api.Submit{Pipeline: "hang", Variables: g.variables("1")})
			g.waits(t, 1)
			if tt.before {
				w.signal(syscall.SIGTERM)
				w.says(`"msg":"draining"`)
			}
			if code, _, log := call(t, s.env, "tokens", "revoke", id); code != exitDone {
				t.Fatalf("tokens revoke = %d %s", code, log)
			}
			w.says(refusedLine)
			if tt.after {
				w.signal(syscall.SIGTERM)
			}
			if code := w.ends(); code != exitRefused {
				t.Errorf("the worker ended with %d, want 4", code)
			}
			if log := w.log(); !strings.Contains(log, `"addr":"http://`+s.addr+`"`) || !strings.Contains(log, `"runs":1`) {
				t.Errorf("the log does not say who refuses it and what it has:\n%s", log)
			}
		})
	}
}

// What the server does not take changes nothing, and the worker works on.
func TestAWorkerKeepsItsSettingsWhenTheServerRefusesTheNewOnes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	token, _ := s.bound()
	settings := func(token, more string) {
		s.write("worker.yaml", fmt.Sprintf("name: w\nserver: { url: http://%s, token: %s }\npipelines: { dirs: [%q] }\nlisten: 127.0.0.1:0\nlog: { format: json }\n%s",
			s.addr, token, pipelinesDir(t), more))
	}
	settings(token, "capacity: 2\n")
	w := start(t, nil, "worker", "--config", filepath.Join(s.dir, "worker.yaml"))
	w.says(`"msg":"registered"`)
	g := newGate(t)
	run := s.submit(api.Submit{Pipeline: "hang", Variables: g.variables("1")})
	g.waits(t, 1)

	const kept = `"level":"ERROR","msg":"the server refuses what this worker would be, all settings and pipelines are kept as they were"`
	for n, refused := range []func(){
		func() { settings(token, "capacity: 3\nqueues: [default, forbidden]\n") },
		func() { settings("no-token-that-is-known", "capacity: 2\n") },
	} {
		refused()
		w.signal(syscall.SIGHUP)
		w.saysTimes(n+1, kept)
	}
	if body := answers(t, "http://"+w.statusAddr()+"/v1/status", func(code int, _ string) bool { return code == 200 }); !strings.Contains(body, `"limit":2`) || strings.Contains(body, "forbidden") {
		t.Errorf("the worker stands so: %s", body)
	}
	s.ended(s.submit(give("other")).Cookie, api.StateSucceeded)
	g.letGo()
	if run := s.ended(run.Cookie, api.StateSucceeded); run.Attempt != 1 {
		t.Errorf("the run ended on attempt %d, want 1", run.Attempt)
	}
	settings(token, "capacity: 4\n")
	w.signal(syscall.SIGHUP)
	w.says(`"setting":"capacity","from":"2","to":"4"`)
	s.seen("w", func(w api.Worker) bool { return w.Capacity == 4 })
}

// A server that does not answer any more, though connections to it are taken, does
// not keep a worker from ending in time.
func TestADrainIsInTimeWhenTheServerDoesNotAnswer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	server := s.server()
	w := s.worker("w", "--drain-timeout", "1s")
	g := newGate(t)
	s.submit(api.Submit{Pipeline: "hang", Variables: g.variables("1")})
	g.waits(t, 1)
	server.signal(syscall.SIGSTOP)
	w.signal(syscall.SIGTERM)
	w.says(`"signal":"terminated"`)
	w.says(`"msg":"run ended"`)
	if code := w.ends(); code != exitDone {
		t.Errorf("the worker ended with %d, want 0", code)
	}
}
