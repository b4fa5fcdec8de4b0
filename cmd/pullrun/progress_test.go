package main

import (
	"strings"
	"testing"
	"time"

	"github.com/pullrun/pullrun/api"
)

// The live line says where a run is, or why it waits, in the columns there are.
func TestTheLiveLine(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)
	now := began.Add(12300 * time.Millisecond)
	running := api.Run{Pipeline: "nightly", State: api.StateRunning, Worker: "edge-1", Attempt: 2, MaxAttempts: 3}
	// The worker's clock is an hour ahead.
	ahead := began.Add(time.Hour)
	at := func(tasks ...api.TaskInHand) api.Progress {
		return api.Progress{At: ahead.Add(10 * time.Second), Tasks: tasks}
	}
	fetch := api.TaskInHand{Number: 2, Name: "fetch pages", Kind: "tasks", Since: ahead.Add(time.Second), Turn: 12, Turns: 40}
	inner := api.TaskInHand{Number: 1, Kind: "chip", Since: ahead.Add(9 * time.Second)}
	for _, tt := range []struct {
		name    string
		sight   sight
		columns int
		want    string
		plain   string
	}{
		{"a run that waits", sight{run: api.Run{Pipeline: "nightly", State: api.StateQueued}, why: "every worker is busy"}, 79,
			"nightly queued 12.3s · every worker is busy", "nightly queued: every worker is busy"},
		{"a run of which nothing is known yet", sight{run: running}, 79,
			"nightly running 12.3s on edge-1, attempt 2 of 3", "nightly running on edge-1, attempt 2 of 3"},
		{"a loop", sight{run: running, at: at(fetch)}, 99,
			"nightly running 12.3s on edge-1, attempt 2 of 3 · fetch pages 12/40 11.3s", "nightly running on edge-1, attempt 2 of 3: fetch pages"},
		{"a task without a name within", sight{run: running, at: at(fetch, inner)}, 99,
			"nightly running 12.3s on edge-1, attempt 2 of 3 · fetch pages 12/40 > chip 1 3.3s", "nightly running on edge-1, attempt 2 of 3: fetch pages > chip 1"},
		{"a narrow terminal", sight{run: running, at: at(fetch)}, 30,
			"nightly running 12.3s on edge…", ""},
		{"wide characters", sight{run: api.Run{Pipeline: "夜の仕事", State: api.StateQueued}}, 6, "夜の…", ""},
		{"what would be obeyed is shown", sight{run: api.Run{Pipeline: "p", State: api.StateRunning}, at: at(api.TaskInHand{Name: "\x1b[2J\r\nx", Since: ahead})}, 79,
			`p running 12.3s · \x1b[2J\x0d\x0ax 12.3s`, `p running: \x1b[2J\x0d\x0ax`},
		{"an offer, which is over in a moment", sight{run: api.Run{Pipeline: "p", State: api.StateOffered}}, 79, "p offered 12.3s", ""},
		{"the end, which is told otherwise", sight{run: api.Run{Pipeline: "p", State: api.StateFailed}}, 79, "p failed 12.3s", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.sight.began, tt.sight.heard = began, began.Add(10*time.Second)
			if got := tt.sight.line(now, tt.columns); got != tt.want {
				t.Errorf("line() = %q, want %q", got, tt.want)
			}
			if got := tt.sight.plain(); tt.plain != "" && got != tt.plain {
				t.Errorf("plain() = %q, want %q", got, tt.plain)
			}
		})
	}
}

// What is known of where a run is, or why it waits, goes with its state.
func TestANewStateForgetsTheOld(t *testing.T) {
	t.Parallel()
	s := sight{why: "every worker is busy", at: api.Progress{Tasks: []api.TaskInHand{{Name: "old"}}}}
	s.state(api.Run{Pipeline: "p", State: api.StateRunning})
	if line := s.line(time.Now(), 79); strings.Contains(line, "busy") || strings.Contains(line, "old") {
		t.Errorf("line() = %q after a new state", line)
	}
}
