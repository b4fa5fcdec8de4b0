package main

import (
	"strings"
	"testing"

	"github.com/pullrun/pullrun/api"
)

func TestRequeueFromTheCommandLine(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	s.worker("w")
	for _, cookie := range []string{"a", "b"} {
		s.submit(api.Submit{Pipeline: "boom", Cookie: cookie})
		s.ended(cookie, api.StateFailed)
	}
	if _, out, _ := call(t, s.env, "runs", "--state", "FAILED"); !strings.Contains(out, "REASON") || !strings.Contains(out, "CodeExecutionException at boom") {
		t.Errorf("runs does not say why they failed:\n%s", out)
	}
	requeue := func(args ...string) (code int, out, log string) {
		return call(t, s.env, append([]string{"runs", "requeue"}, args...)...)
	}
	if code, out, _ := requeue("--state", "failed", "--dry-run"); code != exitDone || out != "a.requeue-1\nb.requeue-1\n" {
		t.Errorf("a dry run ended with %d and %q", code, out)
	}
	for _, flags := range [][]string{{"--until", "1h"}, {"--submitter", "other"}} {
		if code, out, log := requeue(append(flags, "--state", "FAILED", "--dry-run")...); code != exitDone || out != "" {
			t.Errorf("requeue %q of what was not asked for ended with %d and %q\n%s", flags, code, out, log)
		}
	}
	if code, out, _ := requeue("--state", "FAILED", "--since", "1h", "--submitter", "test", "--dry-run"); code != exitDone || out != "a.requeue-1\nb.requeue-1\n" {
		t.Errorf("a dry run by time and submitter ended with %d and %q", code, out)
	}
	if code, out, log := requeue("a"); code != exitDone || out != "a.requeue-1\n" {
		t.Errorf("requeue of a run ended with %d and %q\n%s", code, out, log)
	}
	code, out, log := requeue("--state", "FAILED", "--pipeline", "boom", "--output", "json")
	if code != exitDone {
		t.Fatalf("requeue of all ended with %d\n%s", code, log)
	}
	got := decode[api.RequeueResult](t, out)
	if len(got.Requeued) == 0 || got.Requeued[0].From != "b" { // the new one of a may have failed by now
		t.Errorf("requeued %+v, want b first", got)
	}
	for _, tt := range []struct {
		args []string
		want int
	}{
		{nil, exitUsage},
		{[]string{"a", "--state", "FAILED"}, exitUsage},
		{[]string{"a", "--pipeline", "boom"}, exitUsage},
		{[]string{"a", "--dry-run"}, exitUsage},
		{[]string{"a", "--since", "1h"}, exitUsage},
		{[]string{"a", "--submitter", "test"}, exitUsage},
		{[]string{"--state", "SUCCEEDED"}, exitUsage},
		{[]string{"none"}, exitNotFound},
	} {
		if code, _, log := requeue(tt.args...); code != tt.want {
			t.Errorf("requeue %q ended with %d, want %d\n%s", tt.args, code, tt.want, log)
		}
	}
	if _, out, _ := requeue("none", "--output", "json"); decode[api.RequeueResult](t, out).Requeued == nil {
		t.Errorf("requeue of no run has as JSON %s, want an empty list", out)
	}
	if code, out, log := requeue("--state", "DEAD"); code != exitDone || out != "" || !strings.Contains(log, "nothing to requeue") {
		t.Errorf("requeue where there is nothing ended with %d and %q, %q", code, out, log)
	}
}
