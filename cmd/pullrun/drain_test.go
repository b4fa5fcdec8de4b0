package main

import (
	"strings"
	"syscall"
	"testing"

	"github.com/pullrun/pullrun/api"
)

func TestDrainingAWorker(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	server := s.server()
	w := s.worker("w")
	g := newGate(t)
	run := s.submit(api.Submit{Pipeline: "hang", Variables: g.variables("1")})
	g.waits(t, 1)

	code, _, log := call(t, s.env, "workers", "drain", "w", "--wait", "--timeout", "1s")
	if code != exitWaited || !strings.Contains(log, "worker w has not left after 1s; it goes on draining") {
		t.Errorf("drain --timeout ended with %d and %q, want 124", code, log)
	}
	w.says("the server asks this worker to end")
	s.submit(api.Submit{Pipeline: "give", Cookie: "later", Variables: []byte(`{"value":1}`)})
	if _, out, _ := call(t, s.env, "workers"); !strings.Contains(out, "draining") {
		t.Errorf("workers prints\n%s\nwant the worker to be draining", out)
	}

	waiting := start(t, s.env, "workers", "drain", "w", "--wait", "--output", "json")
	waiting.says("waiting until it has left")
	g.letGo()
	if code := waiting.ends(); code != exitDone {
		t.Errorf("drain --wait ended with %d, want 0", code)
	}
	if got := decode[drained](t, waiting.out.String()); got.Worker != "w" || !got.Left {
		t.Errorf("drain --wait prints %+v, want that w has left", got)
	}
	if code := w.ends(); code != exitDone {
		t.Errorf("the worker ended with %d, want 0", code)
	}
	if got := s.ended(run.Cookie, api.StateSucceeded); got.Attempt != 1 {
		t.Errorf("the run ended on attempt %d, want 1", got.Attempt)
	}
	if later, err := s.client.Get(t.Context(), "later", 0); err != nil || later.State != api.StateQueued {
		t.Errorf("the run that came later is %s (%v), want QUEUED", later.State, err)
	}
	if code, _, log := call(t, s.env, "cancel", "later"); code != exitDone {
		t.Errorf("cancel ended with %d and %q", code, log)
	}
	for _, p := range []*process{server, w} {
		if strings.Contains(p.log(), `"reason":""`) {
			t.Errorf("the log has a reason that is none:\n%s", p.log())
		}
	}
	if code, _, log := call(t, s.env, "workers", "drain", "w"); code != exitNotFound {
		t.Errorf("drain of a worker that has left ended with %d and %q, want 5", code, log)
	}
}

// The second signal does not wait for what is running: it goes back to its
// queue, and is not charged.
func TestTheSecondSignalHandsBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	w := s.worker("w")
	g := newGate(t)
	run := s.submit(api.Submit{Pipeline: "hang", Variables: g.variables("1"), MaxAttempts: 1})
	s.taken(run)
	w.signal(syscall.SIGTERM)
	w.says(`"msg":"draining"`)
	w.signal(syscall.SIGINT)
	if code := w.ends(); code != exitDone {
		t.Errorf("the worker ended with %d, want 0", code)
	}
	got, err := s.client.Get(t.Context(), run.Cookie, 0)
	if err != nil || got.State != api.StateQueued || got.Attempt != 0 {
		t.Errorf("the run is %s on attempt %d (%v), want QUEUED on 0", got.State, got.Attempt, err)
	}
	if a := got.Attempts; len(a) != 1 || a[0].Outcome != api.OutcomeReleased || !strings.Contains(a[0].Reason, "interrupted: the worker is stopping") {
		t.Errorf("attempts %+v, want one that was released because the worker was interrupted", a)
	}
	g.letGo()
	s.worker("v")
	s.ended(run.Cookie, api.StateSucceeded)
}

// A worker whose server is away takes a moment to give up its results.
func TestTheThirdSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	server := s.server()
	w := s.worker("w")
	g := newGate(t)
	s.submit(api.Submit{Pipeline: "hang", Variables: g.variables("1")})
	g.waits(t, 1)
	server.kill()
	w.says("contact with the server is lost")
	w.signal(syscall.SIGTERM)
	w.says(`"signal":"terminated"`)
	w.signal(syscall.SIGINT)
	w.says(`"signal":"interrupt"`)
	w.signal(syscall.SIGTERM)
	if code := w.ends(); code != exitInterrupted {
		t.Errorf("the worker ended with %d, want 130", code)
	}
	if log := w.log(); strings.Contains(log, "worker has ended") {
		t.Errorf("the worker ended by itself:\n%s", log)
	}
}
