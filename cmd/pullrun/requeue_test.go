package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
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

// All that the flags select is requeued, however many calls that takes, and once:
// also where a call fails half way, and what is made of the runs is cancelled before
// the next call.
func TestRequeueManyFromTheCommandLine(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	const many = 2*pageOfRuns + 50
	runs := make([]api.Submit, many)
	for i := range runs {
		runs[i] = api.Submit{Pipeline: "hello", Cookie: fmt.Sprint("a", i)}
	}
	if _, err := s.client.SubmitBatch(t.Context(), runs); err != nil {
		t.Fatal(err)
	}
	queued := api.CancelRuns{States: []api.CancelState{api.CancelQueued}, Selection: api.Selection{Limit: api.MaxListed}}
	if _, err := s.client.CancelAll(t.Context(), queued); err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int32
	front := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: s.addr})
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := s.client.CancelAll(r.Context(), queued); err != nil {
			t.Error(err)
		}
		if calls.Add(1) == 5 { // three look for the runs
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"code": "FORBIDDEN", "message": "not now", "status": 403}`)) // the reader is the program
			return
		}
		front.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	requeue := func(args ...string) (code int, cookies []string, log string) {
		t.Helper()
		code, out, log := call(t, s.env, append([]string{"runs", "requeue", "--state", "CANCELLED", "--server-url", proxy.URL}, args...)...)
		return code, strings.Fields(out), log
	}
	code, cookies, log := requeue()
	until := regexp.MustCompile(`--until (\S+)`).FindStringSubmatch(log)
	if code != exitRefused || len(cookies) != 50 || cookies[0] != "a0.requeue-1" || !strings.Contains(log, "50 of 250 runs") || until == nil {
		t.Fatalf("a requeue that breaks off ended with %d and %q\n%s", code, cookies, log)
	}
	if code, rest, log := requeue("--until", until[1], "--dry-run"); code != exitDone || len(rest) != many-50 || !strings.Contains(log, "200 runs would be requeued") {
		t.Errorf("the dry run of the rest ended with %d and %d runs\n%s", code, len(rest), log)
	}
	code, rest, log := requeue("--until", until[1])
	if code != exitDone || len(rest) != many-50 || rest[0] != "a50.requeue-1" || rest[len(rest)-1] != "a249.requeue-1" || !strings.Contains(log, "200 runs requeued") {
		t.Errorf("the requeue of the rest ended with %d and %q\n%s", code, rest, log)
	}
	if code, cookies, log := requeue("--limit", "2"); code != exitDone || strings.Join(cookies, " ") != "a248.requeue-2 a249.requeue-2" || !strings.Contains(log, "2 runs requeued\nthere are more") {
		t.Errorf("the requeue of the newest two ended with %d and %q\n%s", code, cookies, log)
	}
	if code, all, log := requeue(); code != exitDone || len(all) != many || all[0] != "a0.requeue-2" || all[many-1] != "a249.requeue-3" {
		t.Errorf("the requeue of what was made of them ended with %d and %q\n%s", code, all, log)
	}
}
