package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
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
	}{
		{"a run that waits", sight{run: api.Run{Pipeline: "nightly", State: api.StateQueued}, why: "every worker is busy"}, 79,
			"nightly queued 12.3s · every worker is busy"},
		{"a run of which nothing is known yet", sight{run: running}, 79,
			"nightly running 12.3s on edge-1, attempt 2 of 3"},
		{"a loop", sight{run: running, at: at(fetch)}, 99,
			"nightly running 12.3s on edge-1, attempt 2 of 3 · fetch pages 12/40 11.3s"},
		{"a task without a name within", sight{run: running, at: at(fetch, inner)}, 99,
			"nightly running 12.3s on edge-1, attempt 2 of 3 · fetch pages 12/40 > chip 1 3.3s"},
		{"a narrow terminal", sight{run: running, at: at(fetch)}, 30,
			"nightly running 12.3s on edge…"},
		{"wide characters", sight{run: api.Run{Pipeline: "夜の仕事", State: api.StateQueued}}, 6, "夜の…"},
		{"what would be obeyed is shown", sight{run: api.Run{Pipeline: "p", State: api.StateRunning}, at: at(api.TaskInHand{Name: "\x1b[2J\r\nx", Since: ahead})}, 79,
			`p running 12.3s · \x1b[2J\x0d\x0ax 12.3s`},
		{"an offer, which is over in a moment", sight{run: api.Run{Pipeline: "p", State: api.StateOffered}}, 79, "p offered 12.3s"},
		{"the end, which is told otherwise", sight{run: api.Run{Pipeline: "p", State: api.StateFailed}}, 79, "p failed 12.3s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.sight.began, tt.sight.heard = began, began.Add(10*time.Second)
			if got := tt.sight.line(now, tt.columns); got != tt.want {
				t.Errorf("line() = %q, want %q", got, tt.want)
			}
		})
	}
}

// Where nobody watches, there is a line when the task changes and every few
// seconds within, and none of a run that is over in a moment.
func TestPlainLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := newProgress(t.Context(), terminal{err: &out}, progressAuto, nil, api.Run{Pipeline: "nightly", State: api.StateRunning, Worker: "edge-1"})
		at := func(name string, turn int, since time.Time) {
			tasks := []api.TaskInHand{{Name: name, Since: since, Turn: turn, Turns: 40}}
			p.see(func(s *sight) { s.at, s.heard = api.Progress{At: time.Now(), Tasks: tasks}, time.Now() })
		}
		time.Sleep(1950 * time.Millisecond)
		if got := out.String(); got != "" {
			t.Errorf("after a moment it has written %q", got)
		}
		began := time.Now()
		for turn := range 35 { // in 3.5 s
			at("fetch", turn+1, began)
			time.Sleep(100 * time.Millisecond)
		}
		at("store", 0, time.Now())
		time.Sleep(time.Minute)
		p.clear()
		want := []string{"1.9s on edge-1 · fetch 1/40 0s", "3s on edge-1 · fetch 11/40 1s", "5.4s on edge-1 · store 0/40 0s"}
		got := strings.Split(strings.TrimSpace(out.String()), "\n")
		for i := range got {
			_, got[i], _ = strings.Cut(got[i], " nightly running ")
		}
		if !slices.Equal(got, want) {
			t.Errorf("it has written\n%q, want\n%q", got, want)
		}
	})
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
