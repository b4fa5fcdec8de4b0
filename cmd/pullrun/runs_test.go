package main

import (
	"encoding/json"
	"strings"
	"testing"

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
