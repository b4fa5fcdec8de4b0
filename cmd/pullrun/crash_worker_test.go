package main

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/pullrun/pullrun/api"
)

// The shortest lease that the settings allow.
var shortLease = []string{"PULLRUN_LEASE=10s", "PULLRUN_RENEW=3s"}

// The worker dies with an offer that it has not read yet. It never had the run,
// so no attempt is charged.
func TestAnOfferOutlivesItsWorker(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	server := s.server()
	w := s.worker("w")
	s.submit(give("first"))
	s.ended("first", api.StateSucceeded) // its poll is parked
	w.signal(syscall.SIGSTOP)
	run := s.submit(api.Submit{Pipeline: "give", Cookie: "second", Variables: []byte(`{"value":1}`), MaxAttempts: 1})
	server.says(`"cookie":"second","pipeline":"give","from":"QUEUED","state":"OFFERED"`)
	w.kill()
	s.worker("w")
	if got := s.ended(run.Cookie, api.StateSucceeded); got.Attempt != 1 || len(got.Attempts) != 1 {
		t.Errorf("ended on attempt %d after %+v, want 1 and no other", got.Attempt, got.Attempts)
	}
}

// The server takes a result, and the worker dies before it hears of that. Its
// next start sends the result again, which changes nothing.
func TestAResultIsPostedTwice(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	target, err := url.Parse("http://" + s.addr)
	if err != nil {
		t.Fatal(err)
	}
	var deaf atomic.Bool
	deaf.Store(true)
	posted := make(chan struct{}, 100) // results whose verdict was swallowed
	front := httputil.NewSingleHostReverseProxy(target)
	front.ModifyResponse = func(resp *http.Response) error {
		if deaf.Load() && strings.HasSuffix(resp.Request.URL.Path, "/results") {
			posted <- struct{}{}
			<-resp.Request.Context().Done()
			return resp.Request.Context().Err()
		}
		return nil
	}
	proxy := httptest.NewServer(front)
	t.Cleanup(func() {
		proxy.CloseClientConnections()
		proxy.Close()
	})
	args := []string{"--server-url", proxy.URL, "--outbox-dir", t.TempDir()}
	w := s.worker("w", args...)
	run := s.submit(give("a"))
	first := s.ended(run.Cookie, api.StateSucceeded)
	<-posted
	w.kill()
	deaf.Store(false)
	again := s.worker("w", args...)
	again.says("results of an earlier start wait to be posted")
	again.says(`"verdict":"duplicate"`)
	if got := s.ended(run.Cookie, api.StateSucceeded); got.Attempt != 1 || !got.FinishedAt.Equal(*first.FinishedAt) || len(got.Attempts) != 1 {
		t.Errorf("the run ended on attempt %d at %s, want 1 at %s, as before", got.Attempt, got.FinishedAt, first.FinishedAt)
	}
}

// A worker stands still for longer than its lease, and somebody else does its
// run. What it has to say when it goes on is refused, and it says so.
func TestAResultThatComesTooLateIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.extra = shortLease
	server := s.server()
	w := s.worker("w")
	g := newGate(t)
	run := s.submit(api.Submit{Pipeline: "hang", Variables: g.variables("1")})
	g.waits(t, 1)
	s.taken(run)
	w.signal(syscall.SIGSTOP)
	server.says("worker has gone away")
	s.worker("v")
	g.waits(t, 1)
	g.letGo()
	done := s.ended(run.Cookie, api.StateSucceeded)
	w.signal(syscall.SIGCONT)
	w.says("result came too late, the run is somebody else's now")
	got := s.ended(run.Cookie, api.StateSucceeded)
	if got.Worker != "v" || got.Attempt != 2 || !got.FinishedAt.Equal(*done.FinishedAt) {
		t.Errorf("the run is %s's on attempt %d, ended %s, want v's on 2, ended %s", got.Worker, got.Attempt, got.FinishedAt, done.FinishedAt)
	}
	s.submit(give("next"))
	s.ended("next", api.StateSucceeded) // nothing is stuck
}

// The same, and nobody else is there: the worker itself has the run again.
func TestAWorkerThatStoodStillGoesOn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.extra = shortLease
	server := s.server()
	w := s.worker("w", "--capacity", "1")
	g := newGate(t)
	run := s.submit(api.Submit{Pipeline: "hang", Variables: g.variables("1")})
	g.waits(t, 1)
	s.taken(run)
	w.signal(syscall.SIGSTOP)
	server.says("worker has gone away")
	w.signal(syscall.SIGCONT)
	server.saysTimes(2, `"state":"RUNNING","worker":"w"`)
	g.letGo()
	if got := s.ended(run.Cookie, api.StateSucceeded); got.Worker != "w" || got.Attempt != 2 {
		t.Errorf("the run is %s's on attempt %d, want w's on 2", got.Worker, got.Attempt)
	}
	if log := w.log(); strings.Contains(log, "COOKIE_COLLISION") || strings.Contains(log, "NO_CAPACITY") {
		t.Errorf("the worker handed the run back:\n%s", log)
	}
}
