//go:build unix

package main

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/pullrun/pullrun/api"
)

// A worker whose memory is short takes nothing, and whoever looks is told so. It
// goes on when there is memory, and can be asked to end meanwhile.
func TestAWorkerIsPaused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	settings := func(limit int) string {
		return s.write("worker.yaml", fmt.Sprintf("name: w\nserver: { url: http://%s, token: %s }\npipelines: { dirs: [%q] }\nlisten: 127.0.0.1:0\nlimits: { machine_memory: %d }\n",
			s.addr, testToken, pipelinesDir(t), limit))
	}
	always, never := 1, 0
	w := start(t, nil, "worker", "--config", settings(always), "--log-format", "json")
	addr := w.statusAddr()
	paused := func(w api.Worker) bool { return w.Paused == "memory is short" && !w.Draining }
	s.seen("w", paused)
	run := s.submit(api.Submit{Pipeline: "give", Variables: []byte(`{"value":1}`)})
	why := "the only worker that could take it is paused: w (memory is short)"
	if got, err := s.client.Get(t.Context(), run.Cookie, 0); err != nil || got.Waiting == nil || got.Waiting.Reason != api.WaitingPaused || got.Waiting.Message != why {
		t.Errorf("the run waits for %+v (%v), want that its worker is paused", got.Waiting, err)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"workers"}, "paused: memory is short"},
		{[]string{"runs", run.Cookie}, why},
		{[]string{"status", "--addr", addr}, "not ready: it takes nothing for the time being: memory is short"},
	} {
		if _, out, log := call(t, s.env, tt.args...); !strings.Contains(out, tt.want) {
			t.Errorf("%s prints\n%s%s\nwant that it says %q", tt.args, out, log, tt.want)
		}
	}
	answers(t, "http://"+addr+"/readyz", func(code int, body string) bool {
		return code == http.StatusServiceUnavailable && strings.Contains(body, "memory is short")
	})
	answers(t, "http://"+addr+"/metrics", func(_ int, body string) bool { return strings.Contains(body, "pullrun_worker_paused_ratio 1") })

	settings(never)
	w.signal(syscall.SIGHUP)
	if got := s.ended(run.Cookie, api.StateSucceeded); len(got.Attempts) != 1 {
		t.Errorf("attempts %+v, want one", got.Attempts)
	}
	s.seen("w", func(w api.Worker) bool { return w.Paused == "" })

	settings(always)
	w.signal(syscall.SIGHUP)
	s.seen("w", paused)
	if code, _, log := call(t, s.env, "workers", "drain", "w", "--wait", "--timeout", "15s"); code != exitDone {
		t.Errorf("drain of a worker that is paused ended with %d and %q, want 0", code, log)
	}
	if code := w.ends(); code != exitDone {
		t.Errorf("the worker ended with %d, want 0", code)
	}
}
