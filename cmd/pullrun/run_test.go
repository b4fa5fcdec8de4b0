package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/pullrun/pullrun/api"
)

func TestResultsComeBackAsTheyAre(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	s.worker("w")
	for _, value := range []string{`0`, `false`, `""`, `[]`, `{}`, `null`, `1.0`, `12345678901234567890123`, `"{{ 6 * 7 }}"`, `{"b":1,"a":[null,0]}`} {
		code, out, log := call(t, s.env, "run", "give", "--set", "value="+value, "--output", "json")
		if code != exitDone {
			t.Errorf("run give with %s: exit code %d\n%s", value, code, log)
			continue
		}
		run := decode[api.Run](t, out)
		var got bytes.Buffer
		if err := json.Compact(&got, run.Result); err != nil || got.String() != value {
			t.Errorf("run give with %s returned %s", value, run.Result)
		}
	}
	code, out, _ := call(t, s.env, "run", "nothing")
	if code != exitDone || out != "null\n" {
		t.Errorf("run nothing = %d, %q, want 0 and null", code, out)
	}
}

func TestAFailedRunShowsWhereItFailed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	s.worker("w")
	code, out, log := call(t, s.env, "run", "boom")
	if code != exitFailed || out != "" {
		t.Errorf("run boom: exit code %d and output %q, want %d and none", code, out, exitFailed)
	}
	for _, want := range []string{"boom FAILED", "ZeroDivisionError", "boom.yml:1", "boom_inner.yml:1", "boom_inner.yml:4", "outer", "middle", "inner"} {
		if !strings.Contains(log, want) {
			t.Errorf("run boom does not say %q:\n%s", want, log)
		}
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	s.write("pullrun/client.yaml", "server: { url: http://127.0.0.1:2 }")
	s.worker("w")
	g := newGate(t)
	url := "url=" + g.URL
	for _, tt := range []struct {
		name string
		env  []string
		args []string
		want int
		says string
	}{
		{"a run that succeeds", nil, []string{"run", "nothing"}, exitDone, "SUCCEEDED"},
		{"a command line that is wrong", nil, []string{"run"}, exitUsage, "wants a pipeline"},
		{"an unknown flag", nil, []string{"run", "nothing", "--no-such"}, exitUsage, "--no-such"},
		{"an unknown command", nil, []string{"no-such"}, exitUsage, "no-such"},
		{"a command with a letter too few", nil, []string{"queus"}, exitUsage, `did you mean "pullrun queues"?`},
		{"a command below another", nil, []string{"requeue", "a"}, exitUsage, `unknown command "requeue"; did you mean "pullrun runs requeue"?`},
		{"a command below another, with flags", nil, []string{"requeue", "--state", "DEAD"}, exitUsage, `did you mean "pullrun runs requeue"?`},
		{"another word for a command", nil, []string{"ps"}, exitUsage, `did you mean "pullrun runs"?`},
		{"another word for a command", nil, []string{"get", "a"}, exitUsage, `did you mean "pullrun runs"?`},
		{"another word for a command", nil, []string{"list"}, exitUsage, `did you mean "pullrun runs" or "pullrun tokens list"?`},
		{"another word for a command", nil, []string{"submit", "a"}, exitUsage, `did you mean "pullrun run"?`},
		{"a command that is not below another", nil, []string{"runs", "cancel", "a"}, exitUsage, `unknown command "runs cancel"; did you mean "pullrun cancel"?`},
		{"no such run, but such a command", nil, []string{"runs", "list"}, exitNotFound, `did you mean "pullrun runs"?`},
		{"a flag with a wrong value", nil, []string{"run", "nothing", "--retries", "1", "--retry-on", "FOO"}, exitUsage, `pullrun: --retry-on: must be one of `},
		{"flags with wrong values", nil, []string{"run", "nothing", "--retries", "-1", "--label", "A=b", "--concurrency-key", "k", "--concurrency-policy", "x"}, exitUsage, `pullrun: --label: key "A" `},
		{"a flag with a wrong value", nil, []string{"cancel", "--state", "FAILED"}, exitUsage, `pullrun: --state: must be one of [SCHEDULED QUEUED OFFERED RUNNING], got "FAILED"`},
		{"a flag with a wrong value", nil, []string{"runs", "requeue", "--state", "DEAD", "--tag", "A=b"}, exitUsage, `pullrun: --tag: key "A" `},
		{"a flag with a wrong value", nil, []string{"tokens", "create", "A b", "--scope", "x"}, exitUsage, `--scope: `},
		{"a setting that is wrong", []string{"PULLRUN_SERVER_URL=ftp://x"}, []string{"runs"}, exitUsage, "server.url"},
		{"an address without a scheme", []string{"PULLRUN_SERVER_URL=me:pw@example.com:80"}, []string{"runs"}, exitUsage, `got "•••@example.com:80"`},
		{"two settings of which one may be", []string{"PULLRUN_ENROL_TOKEN=enrol-0123456789abcdef"}, []string{"worker", pipelinesDir(t)}, exitUsage, "enrol_token: is set beside server.token (PULLRUN_SERVER_TOKEN); keep one of them (PULLRUN_ENROL_TOKEN)"},
		{"no server", []string{"PULLRUN_SERVER_URL=http://127.0.0.1:1"}, []string{"runs"}, exitUnreachable, "is it running?"},
		{"a wrong token", []string{"PULLRUN_SERVER_TOKEN=wrong-0123456789abcdef"}, []string{"runs"}, exitRefused, "--server-token-file"},
		{"no token", []string{"PULLRUN_SERVER_TOKEN="}, []string{"runs"}, exitRefused, "--server-token-file"},
		{"a server of client.yaml", []string{"PULLRUN_SERVER_URL=", "XDG_CONFIG_HOME=" + s.dir}, []string{"runs"}, exitUnreachable, "http://127.0.0.1:2"},
		{"no such run", nil, []string{"runs", "no-such"}, exitNotFound, "no run"},
		{"no such run to cancel", nil, []string{"cancel", "no-such"}, exitNotFound, "no run"},
		{"no such worker", nil, []string{"workers", "shutdown", "no-such"}, exitNotFound, "no worker"},
		{"a cookie for another body", nil, []string{"run", "give", "--set", "value=1", "--cookie", "twice"}, exitDone, "SUCCEEDED"},
		{"a cookie for another body", nil, []string{"run", "give", "--set", "value=2", "--cookie", "twice"}, exitRefused, "twice"},
		{"the same cookie and body again", nil, []string{"run", "give", "--set", "value=1", "--cookie", "twice"}, exitDone, "SUCCEEDED"},
		{"a wait that is over", nil, []string{"run", "hang", "--set", url, "--cookie", "slow", "--timeout", "300ms"}, exitWaited, "goes on, "},
		{"a wait for a worker", nil, []string{"run", "nothing", "--queue", "none", "--timeout", "300ms"}, exitWaited, `goes on, queued: no worker takes runs from queue "none"; "pullrun runs `},
	} {
		code, _, log := call(t, append(s.env[:2:2], tt.env...), tt.args...)
		if code != tt.want || !strings.Contains(log, tt.says) {
			t.Errorf("%s: pullrun %s = %d, want %d and %q in:\n%s", tt.name, strings.Join(tt.args, " "), code, tt.want, tt.says, log)
		}
	}

	waiting := start(t, s.env, "run", "hang", "--set", url, "--cookie", "slow")
	g.waits(t, 1)
	if code, _, log := call(t, s.env, "cancel", "slow", "--wait"); code != exitDone {
		t.Errorf("cancel = %d\n%s", code, log)
	}
	if code := waiting.ends(); code != exitCancelled {
		t.Errorf("a run that was cancelled: exit code %d, want %d\n%s", code, exitCancelled, waiting.log())
	}
}

func TestCancelStopsOneOfFour(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	s.worker("w", "--capacity", "4")
	g := newGate(t)
	for i := range 4 {
		s.submit(api.Submit{Pipeline: "hang", Cookie: fmt.Sprint("run-", i), Variables: g.variables(fmt.Sprint(i))})
	}
	g.waits(t, 4)
	if _, err := s.client.Cancel(t.Context(), "run-2", "not wanted"); err != nil {
		t.Fatal(err)
	}
	cancelled := s.ended("run-2", api.StateCancelled)
	if want := `cancelled by "test": not wanted`; cancelled.RC != api.RCCancelled || !strings.Contains(cancelled.Error, want) {
		t.Errorf("run-2 is %s, %s; want %s, with %s", cancelled.RC, cancelled.Error, api.RCCancelled, want)
	}
	g.letGo()
	for _, other := range []string{"run-0", "run-1", "run-3"} {
		if run := s.ended(other, api.StateSucceeded); string(run.Result) != "200" {
			t.Errorf("%s returned %s, want 200", other, run.Result)
		}
	}
}

func TestAWorkerThatIsToldToEndFinishesFirst(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"SIGTERM", "SHUTDOWN"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.server()
			w := s.worker("w", "--capacity", "1")
			g := newGate(t)
			running := s.submit(api.Submit{Pipeline: "hang", Variables: g.variables("1")})
			g.waits(t, 1)
			if how == "SIGTERM" {
				w.signal(syscall.SIGTERM)
			} else if err := s.client.Shutdown(t.Context(), "w"); err != nil {
				t.Fatal(err)
			}
			w.says(`"msg":"draining"`)
			later := s.submit(api.Submit{Pipeline: "nothing"})
			g.letGo()
			if code := w.ends(); code != exitDone {
				t.Errorf("worker ended with %d, want %d", code, exitDone)
			}
			s.ended(running.Cookie, api.StateSucceeded)
			if run, err := s.client.Get(t.Context(), later.Cookie, 0); err != nil || run.State != api.StateQueued {
				t.Errorf("a run submitted while the worker drains is %s (%v), want QUEUED", run.State, err)
			}
			s.worker("other")
			s.ended(later.Cookie, api.StateSucceeded)
		})
	}
}

func TestRunsOfAKeyWaitForEachOther(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	detached := func(args ...string) (code int, out, log string) {
		return call(t, s.env, append([]string{"run", "nothing", "--detach"}, args...)...)
	}
	for _, cookie := range []string{"a", "b"} {
		if code, _, log := detached("--cookie", cookie, "--concurrency-key", "k"); code != exitDone {
			t.Fatalf("run %s ended with %d\n%s", cookie, code, log)
		}
	}
	if run, err := s.client.Get(t.Context(), "b", 0); err != nil || !run.Blocked {
		t.Errorf("the second run of the key is %+v (%v), want it blocked", run, err)
	}
	if code, _, log := detached("--concurrency-key", "k", "--concurrency-policy", "reject"); code != exitRefused || !strings.Contains(log, `"k"`) {
		t.Errorf("a run that rejects to wait ended with %d, want %d and the key\n%s", code, exitRefused, log)
	}
	if code, _, _ := detached("--concurrency-limit", "2"); code != exitUsage {
		t.Errorf("a limit without a key ended with %d, want %d", code, exitUsage)
	}
	s.worker("w")
	s.ended("b", api.StateSucceeded)
}

// What a submit asks for is shown with the run, as is what it waits for.
func TestARunShowsWhatItWasAskedFor(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	for _, tt := range []struct {
		args, want []string
	}{
		{[]string{"--priority", "7", "--label", "zone=eu,gpu=1", "--tag", "team=billing", "--concurrency-key", "k", "--at-most-once"},
			[]string{"waits no worker", "priority 7", "labels gpu=1, zone=eu", "tags team=billing", "key k, 1 at a time, queue", "delivery at_most_once"}},
		{[]string{"--not-before", "2099-01-02T03:04:05Z"}, []string{"SCHEDULED", "not before", "2099-01-0"}},
		{[]string{"--not-before", "24h"}, []string{"SCHEDULED"}},
		{[]string{"--not-before", "0s"}, []string{"QUEUED"}},
	} {
		code, cookie, log := call(t, s.env, append([]string{"run", "nothing", "--detach"}, tt.args...)...)
		if code != exitDone {
			t.Fatalf("run %q ended with %d\n%s", tt.args, code, log)
		}
		_, out, _ := call(t, s.env, "runs", strings.TrimSpace(cookie))
		for _, want := range tt.want {
			if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
				t.Errorf("a run with %q does not show %q:\n%s", tt.args, want, out)
			}
		}
	}
	if code, _, log := call(t, s.env, "run", "nothing", "--not-before", "tomorrow"); code != exitUsage || !strings.Contains(log, "--not-before") {
		t.Errorf("a time that is none ended with %d, want %d\n%s", code, exitUsage, log)
	}
}
