package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pullrun/pullrun/api"
)

// The worker is killed when its run has ended and its result has not reached
// the server, which is away.
func TestAResultOutlivesItsWorker(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	server := s.server()
	outbox := "--outbox-dir=" + t.TempDir()
	w := s.worker("w", outbox)
	g := newGate(t)
	run := s.submit(api.Submit{Pipeline: "hang", Variables: g.variables("1")})
	g.waits(t, 1)
	server.kill()
	w.says("contact with the server is lost")
	g.letGo()
	w.says(`"msg":"run ended"`)
	w.says(`"msg":"result is kept"`)
	w.kill()
	s.server()
	again := s.worker("w", outbox)
	again.says("results of an earlier start wait to be posted")
	got := s.ended(run.Cookie, api.StateSucceeded)
	if got.Attempt != 1 || string(got.Result) != "200" {
		t.Errorf("ended with %s on attempt %d, want 200 on attempt 1", got.Result, got.Attempt)
	}
	if len(g.arrived) > 0 {
		t.Error("the pipeline was run again")
	}
	again.signal(syscall.SIGTERM)
	if code := again.ends(); code != exitDone || strings.Contains(again.log(), "drained, but not whole") {
		t.Errorf("the worker ended with %d, want 0 and nothing left", code)
	}
	third := s.worker("w", outbox)
	if strings.Contains(third.log(), "results of an earlier start") {
		t.Error("the result waits still, although the server has it")
	}
}

// The server stays away for longer than the worker waits for it at its end.
func TestAResultOutlivesTheDrain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	server := s.server()
	outbox := "--outbox-dir=" + t.TempDir()
	w := s.worker("w", outbox, "--drain-timeout", "100ms")
	g := newGate(t)
	run := s.submit(api.Submit{Pipeline: "hang", Variables: g.variables("1")})
	g.waits(t, 1)
	server.kill()
	g.letGo()
	w.says(`"msg":"result is kept"`)
	w.signal(syscall.SIGTERM)
	if code := w.ends(); code != exitDone || !strings.Contains(w.log(), "1 results wait in the outbox for the next start") {
		t.Errorf("the worker ended with %d, want 0 and a word about the result that waits", code)
	}
	s.server()
	s.worker("w", outbox)
	got := s.ended(run.Cookie, api.StateSucceeded)
	if got.Attempt != 1 || string(got.Result) != "200" || len(g.arrived) > 0 {
		t.Errorf("ended with %s on attempt %d, run %d times more, want 200 on attempt 1", got.Result, got.Attempt, len(g.arrived))
	}
}

// The worker comes back when its lease has ended, and is given the run again.
func TestAResultOutlivesItsLease(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.extra = []string{"PULLRUN_LEASE=10s", "PULLRUN_RENEW=3s"}
	server := s.server()
	outbox := "--outbox-dir=" + t.TempDir()
	w := s.worker("w", outbox)
	g := newGate(t)
	run := s.submit(api.Submit{Pipeline: "hang", Variables: g.variables("1")})
	g.waits(t, 1)
	server.kill()
	w.says("contact with the server is lost")
	g.letGo()
	w.says(`"msg":"result is kept"`)
	w.kill()
	s.server().says("worker has gone away")
	s.worker("w", outbox)
	got := s.ended(run.Cookie, api.StateSucceeded)
	if string(got.Result) != "200" {
		t.Errorf("ended with %s, want 200", got.Result)
	}
	if len(g.arrived) > 0 {
		t.Error("the pipeline was run again")
	}
}

// What was not finished is not in the outbox: it is run again.
func TestAnUnfinishedRunIsNotHeldAfterARestart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	outbox := "--outbox-dir=" + t.TempDir()
	w := s.worker("w", outbox)
	g := newGate(t)
	run := s.submit(api.Submit{Pipeline: "hang", Variables: g.variables("1")})
	g.waits(t, 1)
	s.taken(run)
	w.kill()
	s.worker("w", outbox)
	g.waits(t, 1)
	g.letGo()
	if got := s.ended(run.Cookie, api.StateSucceeded); got.Attempt != 2 {
		t.Errorf("ended on attempt %d, want 2", got.Attempt)
	}
}

func TestWhereTheOutboxIs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	dir := t.TempDir()
	for _, tt := range []struct {
		name string
		env  string
		args []string
		want string
	}{
		{"a service's state directory", "STATE_DIRECTORY=" + dir + "/service:/other", nil, dir + "/service/outbox/w1"},
		{"a user's state directory", "XDG_STATE_HOME=" + dir + "/user", nil, dir + "/user/pullrun/outbox/w2"},
		{"a home", "XDG_STATE_HOME=\nHOME=" + dir + "/home", nil, dir + "/home/.local/state/pullrun/outbox/w3"},
		{"what is set", "XDG_STATE_HOME=" + dir + "/user", []string{"--outbox-dir", dir + "/set"}, dir + "/set"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			there := *s
			there.t, there.env = t, append(strings.Split(tt.env, "\n"), s.env...)
			name := filepath.Base(tt.want)
			there.worker(name, tt.args...).says(`"dir":"` + tt.want + `"`)
		})
	}
	t.Run("in memory", func(t *testing.T) {
		there := *s
		there.t = t
		there.worker("w5", "--outbox-dir", "").says("results are kept in memory alone")
	})
}

func TestAnOutboxMustBeTheWorkersOwn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	outbox := "--outbox-dir=" + t.TempDir()
	s.worker("w", outbox)
	pipelines, err := filepath.Abs("testdata/pipelines")
	if err != nil {
		t.Fatal(err)
	}
	file := "--outbox-dir=" + filepath.Join(s.dir, "server.yaml")
	for _, tt := range []struct {
		arg, why string
		code     int
	}{
		{outbox, "has another worker the same name or outbox.dir?", exitOther},
		{file, "not a directory; outbox.dir says where", exitUsage},
	} {
		code, _, log := call(t, s.env, "worker", "--name", "other", tt.arg, pipelines)
		if code != tt.code || !strings.Contains(log, tt.why) {
			t.Errorf("with %s the worker ended with %d, want %d and why:\n%s", tt.arg, code, tt.code, log)
		}
	}
}

// The worker is shown another server, with a run of the same name that has ended
// and for which the result of the worker's would be a late one. The result is kept,
// and reaches the server that it is for in the end.
func TestAResultOfAnotherServersIsKept(t *testing.T) {
	t.Parallel()
	s, other := newSite(t), newSite(t)
	server := s.server()
	box := t.TempDir()
	outbox := "--outbox-dir=" + box
	w := s.worker("w", outbox)
	g := newGate(t)
	run := s.submit(api.Submit{Pipeline: "hang", Variables: g.variables("1"), MaxAttempts: 1})
	g.waits(t, 1)
	server.kill()
	w.says("contact with the server is lost")
	g.letGo()
	w.says(`"msg":"result is kept"`)
	w.kill()

	other.server()
	before := other.worker("w")
	other.submit(api.Submit{Cookie: run.Cookie, Pipeline: "give", Variables: []byte(`{"value":1}`)})
	other.ended(run.Cookie, api.StateSucceeded)
	before.signal(syscall.SIGTERM)
	before.ends()
	lost := other.worker("w", outbox)
	unknown := filepath.Join(box, "results.unknown")
	lost.says(`"file":"` + unknown + `"`)
	if _, out, _ := call(t, other.env, "doctor", "--idle-cut", "0", "--name", "w", outbox, pipelinesDir(t)); !strings.Contains(out, "results that a server did not know were set aside: results.unknown") {
		t.Errorf("doctor says\n%s\nwant that results were set aside", out)
	}
	lost.signal(syscall.SIGTERM)
	lost.ends()
	if got := other.ended(run.Cookie, api.StateSucceeded); string(got.Result) != "1" || len(got.LateResults) > 0 {
		t.Errorf("the other server's run has the result %s, and the late ones %+v, want its own and none", got.Result, got.LateResults)
	}

	raw, err := os.ReadFile(unknown)
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.OpenFile(filepath.Join(box, "results"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := log.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	s.server()
	s.worker("w", outbox)
	if got := s.ended(run.Cookie, api.StateSucceeded); string(got.Result) != "200" {
		t.Errorf("ended with %s, want 200", got.Result)
	}
}

// A server's database is replaced by another while the worker has a run of it in
// hand, whose result is being posted when the server is back: that takes it for
// none of its own.
func TestAResultOfALostDatabaseIsKept(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	server := s.server()
	box := t.TempDir()
	w := s.worker("w", "--outbox-dir="+box)
	g := newGate(t)
	run := s.submit(api.Submit{Pipeline: "hang", Variables: g.variables("1")})
	g.waits(t, 1)
	server.kill()
	g.letGo()
	w.says(`"msg":"result is kept"`)
	s.forget()
	s.server()
	s.submit(api.Submit{Cookie: run.Cookie, Pipeline: "give", Variables: []byte(`{"value":1}`)})
	got := s.ended(run.Cookie, api.StateSucceeded)
	if string(got.Result) != "1" {
		t.Errorf("the new run has the result %s, want its own", got.Result)
	}
	for _, late := range got.LateResults { // its own as well: it is handed back at first, and may be offered again meanwhile
		if string(late.Result) != "1" {
			t.Errorf("the new run has a late result %s, want none of the lost database's", late.Result)
		}
	}
	w.says(`"file":"` + filepath.Join(box, "results.unknown") + `"`)
}
