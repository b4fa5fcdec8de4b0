package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pullrun/pullrun/api"
)

// Many runs are cancelled by one command, however many calls that takes.
func TestCancelManyFromTheCommandLine(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	runs := make([]api.Submit, api.MaxListed+1)
	for i := range runs {
		runs[i] = api.Submit{Pipeline: "hello", Cookie: fmt.Sprint("a", i), Tags: map[string]string{"list": "wrong"}}
	}
	if _, err := s.client.SubmitBatch(t.Context(), runs); err != nil {
		t.Fatal(err)
	}
	s.submit(api.Submit{Pipeline: "hello", Cookie: "other"})
	cancel := func(args ...string) (code int, out, log string) {
		return call(t, s.env, append([]string{"cancel"}, args...)...)
	}
	if code, out, log := cancel("--state", "queued", "--tag", "list=wrong", "--limit", "2", "--dry-run"); code != exitDone || out != "a500\na499\n" || !strings.Contains(log, "2 runs would be cancelled\nthere are more") {
		t.Errorf("a dry run ended with %d and %q\n%s", code, out, log)
	}
	code, out, log := cancel("--state", "QUEUED", "--state", "SCHEDULED", "--tag", "list=wrong", "--reason", "wrong list")
	if code != exitDone || strings.Count(out, "\n") != api.MaxListed+1 || !strings.Contains(log, "501 runs cancelled") {
		t.Errorf("cancel of all ended with %d and %d lines\n%s", code, strings.Count(out, "\n"), log)
	}
	for _, cookie := range []string{"a0", "a500"} {
		if run := s.ended(cookie, api.StateCancelled); !strings.Contains(run.Error, "wrong list") {
			t.Errorf("the run says %q, want the reason", run.Error)
		}
	}
	if code, out, log := cancel("--state", "QUEUED", "--tag", "list=wrong"); code != exitDone || out != "" || !strings.Contains(log, "nothing to cancel") {
		t.Errorf("cancel where there is nothing ended with %d and %q\n%s", code, out, log)
	}
	_, out, _ = cancel("--state", "QUEUED", "--output", "json")
	if got := decode[api.CancelRunsResult](t, out); len(got.Cancelled) != 1 || got.Cancelled[0].Cookie != "other" || got.Cancelled[0].State != api.StateCancelled {
		t.Errorf("as JSON it is %s, want the run that is left", out)
	}
	for _, args := range [][]string{
		nil, {"a0", "--state", "QUEUED"}, {"a0", "--pipeline", "hello"}, {"a0", "--dry-run"}, {"a0", "--limit", "1"}, {"--state", "FAILED"},
		{"--pipeline", "hello"}, {"--state", "QUEUED", "--wait"}, {"--state", "QUEUED", "--limit", "0"}, {"a0", "a1"},
	} {
		if code, _, log := cancel(args...); code != exitUsage {
			t.Errorf("cancel %q ended with %d, want %d\n%s", args, code, exitUsage, log)
		}
	}
}
