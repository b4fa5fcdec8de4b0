package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/pullrun/pullrun/api"
)

// A result that came too late is shown with the run that it did not end.
func TestARunShowsWhatCameTooLate(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	s.submit(api.Submit{Pipeline: "p", Cookie: "c"})
	session, err := s.client.Register(t.Context(), api.Register{Name: "w", Capacity: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.client.Poll(t.Context(), "w", api.Poll{Session: session.Session}); err != nil {
		t.Fatal(err)
	}
	results := api.Results{Session: session.Session}
	for _, text := range []string{"first", "second"} {
		results.Results = append(results.Results, api.Result{Cookie: "c", Fence: 1, RC: api.RCException, Error: text + "\nmore", Result: json.RawMessage(`[1,2]`)})
	}
	if _, err := s.client.PostResults(t.Context(), "w", results); err != nil {
		t.Fatal(err)
	}
	_, out, log := call(t, s.env, "runs", "c")
	for _, want := range []string{"error first more", "not accepted EXCEPTION by w at ", ", attempt 1, with a result of 5 bytes: second"} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("the run does not show %q:\n%s%s", want, out, log)
		}
	}
	_, out, _ = call(t, s.env, "runs", "c", "--output", "json")
	if late := decode[api.Run](t, out).LateResults; len(late) != 1 || late[0].Error != "second\nmore" {
		t.Errorf("the run as JSON has late results %+v, want the second", late)
	}
}

// Runs are listed by who submitted them and when, as times or as so long ago.
func TestRunsAreListedByTimeAndSubmitter(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	var at []string
	for _, cookie := range []string{"a", "b", "c"} {
		at = append(at, s.submit(api.Submit{Pipeline: "p", Cookie: cookie}).CreatedAt.Format(time.RFC3339Nano))
	}
	for _, tt := range []struct{ flags, want string }{
		{"", "c b a"},
		{"--since 1h", "c b a"},
		{"--since 1h --until 30m", ""},
		{"--until 0s --submitter test", "c b a"},
		{"--submitter other", ""},
		{"--since " + at[1], "c b"},
		{"--until " + at[1], "a"},
	} {
		code, out, log := call(t, s.env, append([]string{"runs"}, strings.Fields(tt.flags)...)...)
		var got []string
		for _, line := range strings.Split(strings.TrimSpace(out), "\n")[1:] {
			got = append(got, strings.Fields(line)[0])
		}
		if code != exitDone || strings.Join(got, " ") != tt.want {
			t.Errorf("pullrun runs %s = %d with %q, want %q\n%s", tt.flags, code, got, tt.want, log)
		}
	}
	for flags, want := range map[string]string{
		"--since yesterday": "--since: wants a time", "--until=-1h": "--until: wants a time", "--since 1h --until 2h": "--until must be later",
	} {
		for _, command := range []string{"runs", "runs requeue --state DEAD"} {
			args := strings.Fields(command + " " + flags)
			if code, _, log := call(t, s.env, args...); code != exitUsage || !strings.Contains(log, want) {
				t.Errorf("pullrun %s = %d, want %d and %q\n%s", strings.Join(args, " "), code, exitUsage, want, log)
			}
		}
	}
	if code, _, log := call(t, s.env, "runs", "--submitter", "Ann"); code != exitUsage || !strings.Contains(log, "submitter: ") {
		t.Errorf("a submitter that cannot be ends with %d\n%s", code, log)
	}
}

func TestLimitsAreChecked(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"runs", "runs requeue --state DEAD", "audit"} {
		for _, n := range []string{"0", "-1", "501", "x"} {
			args := append(strings.Fields(command), "--limit="+n)
			code, _, log := call(t, nil, args...)
			if code != exitUsage || !strings.Contains(log, "must be a whole number from 1 to 500") {
				t.Errorf("pullrun %s = %d, want %d and the range\n%s", strings.Join(args, " "), code, exitUsage, log)
			}
		}
	}
}
