package main

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pullrun/pullrun/api"
)

// retries is how often each loop of a worker asks in vain while the server is
// away: more often than any command of ours asks again.
const retries = clientRetries + 2

// The server is away for longer than anything is tried again for, and meanwhile
// the runs of two workers end, one of which is killed and started again. Each
// result arrives once when the server is back, and each worker has one line for
// the loss of contact and one for its end, with how long that was.
func TestAnOutageOutlastsEveryRetry(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	server := s.server()
	g := newGate(t)
	outbox := t.TempDir()
	stays := s.worker("stays", "--queues", "stays", "--outbox-dir", t.TempDir())
	dies := s.worker("dies", "--queues", "dies", "--outbox-dir", outbox)
	for _, name := range []string{"stays", "dies"} {
		s.submit(api.Submit{Pipeline: "hang", Cookie: name, Queue: name, Variables: g.variables(name)})
	}
	g.waits(t, 2)
	server.saysTimes(2, `"from":"OFFERED","state":"RUNNING"`)
	server.kill()
	stays.says("contact with the server is lost")
	lost := time.Now()
	dies.says("contact with the server is lost")
	g.letGo()
	stays.says(`"msg":"result is kept"`)
	dies.says(`"msg":"result is kept"`)
	dies.kill()
	again := s.lonely("dies", "--queues", "dies", "--outbox-dir", outbox)
	again.says("results of an earlier start wait to be posted")
	again.saysTimes(retries, `"call":"register"`)
	stays.saysTimes(retries, `"call":"poll"`)
	stays.saysTimes(retries, `"call":"heartbeat"`)
	away := time.Since(lost)
	server = s.server()
	for _, cookie := range []string{"stays", "dies"} {
		run := s.ended(cookie, api.StateSucceeded)
		if string(run.Result) != "200" || run.Worker != cookie || len(run.Attempts) != 1 || len(run.LateResults) > 0 {
			t.Errorf("run %q has result %s of %s, attempts %+v and late results %+v, want 200 of its worker on the only attempt",
				cookie, run.Result, run.Worker, run.Attempts, run.LateResults)
		}
		server.says(`"cookie":"` + cookie + `","pipeline":"hang","from":"RUNNING","state":"SUCCEEDED"`)
	}
	if len(g.arrived) > 0 {
		t.Error("a pipeline was run again")
	}
	for worker, before := range map[*process]time.Duration{stays: away, again: 0} {
		worker.says("contact with the server is back")
		worker.signal(syscall.SIGTERM)
		if code := worker.ends(); code != exitDone {
			t.Errorf("the worker ended with %d, want %d", code, exitDone)
		}
		log := worker.log()
		for _, once := range []string{`"msg":"contact with the server is lost"`, `"msg":"contact with the server is back"`, `"verdict":"accepted"`} {
			if n := strings.Count(log, once); n != 1 {
				t.Errorf("the worker has %d lines with %s, want 1:\n%s", n, once, log)
			}
		}
		if took := outage(t, log); took < before {
			t.Errorf("the worker says that contact was lost for %s, want %s at least", took, before)
		}
	}
}

// outage is for how long contact was lost, as the log says.
func outage(t *testing.T, log string) time.Duration {
	t.Helper()
	for line := range strings.Lines(log) {
		if strings.Contains(line, "contact with the server is back") {
			took, err := time.ParseDuration(decode[struct{ Took string }](t, line).Took)
			if err != nil {
				t.Fatal(err)
			}
			return took
		}
	}
	t.Fatalf("contact is not back:\n%s", log)
	return 0
}
