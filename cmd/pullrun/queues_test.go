package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/api"
)

func TestQueuesSayHowMuchWorkThereIs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	s.submit(api.Submit{Pipeline: "p", Queue: "images"})
	s.submit(api.Submit{Pipeline: "p", Queue: "mails"})
	want := api.QueueStats{Queue: "mails", Queued: 1, Demand: 1}

	_, out, _ := call(t, s.env, "queues", "--output", "json")
	all := decode[[]api.QueueStats](t, out)
	_, out, _ = call(t, s.env, "queues", "mails", "--output", "json")
	for _, got := range append(all[1:], decode[api.QueueStats](t, out)) {
		got.OldestAgeMS = 0 // it grows
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("queue (-want +got):\n%s", diff)
		}
	}
	for _, tt := range []struct {
		args []string
		want [][]string // all columns but the age
	}{
		{[]string{"queues"}, [][]string{{"images", "1", "0", "0", "0", "1"}, {"mails", "1", "0", "0", "0", "1"}}},
		{[]string{"queues", "none"}, [][]string{{"none", "0", "0", "0", "0", "0"}}},
	} {
		code, out, log := call(t, s.env, tt.args...)
		var got [][]string
		for _, line := range strings.Split(strings.TrimSpace(out), "\n")[1:] {
			got = append(got, strings.Fields(line)[:6])
		}
		if diff := cmp.Diff(tt.want, got); code != exitDone || diff != "" {
			t.Errorf("pullrun %s = %d (-want +got):\n%s%s", strings.Join(tt.args, " "), code, diff, log)
		}
	}
	if code, _, log := call(t, s.env, "queues", "No/Queue"); code != exitUsage || !strings.Contains(log, "no name of a queue") {
		t.Errorf("pullrun queues No/Queue = %d, want %d\n%s", code, exitUsage, log)
	}
}
