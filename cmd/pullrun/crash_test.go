package main

import (
	"fmt"
	"testing"

	"github.com/pullrun/pullrun/api"
)

func TestARunOutlivesItsWorker(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	w := s.worker("w")
	g := newGate(t)
	run := s.submit(api.Submit{Pipeline: "hang", Variables: g.variables("1")})
	g.waits(t, 1)
	s.taken(run)
	w.kill()
	s.worker("w")
	g.waits(t, 1)
	g.letGo()
	got := s.ended(run.Cookie, api.StateSucceeded)
	if got.Attempt != 2 || string(got.Result) != "200" {
		t.Errorf("ended with %s on attempt %d, want 200 on attempt 2", got.Result, got.Attempt)
	}
}

func TestRunsOutliveTheServer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	server := s.server()
	w := s.worker("w", "--capacity", "2")
	g := newGate(t)
	var running, queued []string
	for i := range 2 {
		running = append(running, s.submit(api.Submit{Pipeline: "hang", Cookie: fmt.Sprint("running-", i), Variables: g.variables(fmt.Sprint(i))}).Cookie)
	}
	g.waits(t, 2)
	for i := range 20 {
		queued = append(queued, s.submit(api.Submit{Pipeline: "give", Cookie: fmt.Sprint("queued-", i), Variables: []byte(fmt.Sprintf(`{"value":%d}`, i))}).Cookie)
	}
	server.kill()
	w.says("contact with the server is lost")
	g.letGo() // the runs end while there is no server
	s.server()
	w.says("contact with the server is back")
	for _, cookie := range running {
		if run := s.ended(cookie, api.StateSucceeded); run.Attempt != 1 || string(run.Result) != "200" {
			t.Errorf("%s ended with %s on attempt %d, want 200 on attempt 1", cookie, run.Result, run.Attempt)
		}
	}
	for i, cookie := range queued {
		if run := s.ended(cookie, api.StateSucceeded); string(run.Result) != fmt.Sprint(i) {
			t.Errorf("%s ended with %s, want %d", cookie, run.Result, i)
		}
	}
}
