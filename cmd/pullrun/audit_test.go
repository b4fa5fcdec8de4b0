package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/api"
)

func TestAuditSaysWhoDidWhat(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	s.submit(api.Submit{Pipeline: "p", Cookie: "a"})
	for _, args := range [][]string{
		{"cancel", "a"}, {"runs", "requeue", "a"}, {"backup", filepath.Join(s.dir, "copy.db")},
	} {
		if code, _, log := call(t, s.env, args...); code != exitDone {
			t.Fatalf("pullrun %s = %d\n%s", strings.Join(args, " "), code, log)
		}
	}
	for _, tt := range []struct {
		args string
		want []string // columns 3 to 5
	}{
		{"", []string{"test backup database", "test requeue a", "test submit a.requeue-1", "test cancel a", "test submit a"}},
		{"--target a", []string{"test requeue a", "test cancel a", "test submit a"}},
		{"--action backup --since 1h", []string{"test backup database"}},
		{"--since 2100-01-01T00:00:00Z", nil},
		{"--actor nobody", nil},
	} {
		code, out, log := call(t, s.env, append([]string{"audit"}, strings.Fields(tt.args)...)...)
		var got []string
		for _, line := range strings.Split(strings.TrimSpace(out), "\n")[1:] {
			got = append(got, strings.Join(strings.Fields(line)[2:5], " "))
		}
		if diff := cmp.Diff(tt.want, got); code != exitDone || diff != "" {
			t.Errorf("pullrun audit %s = %d (-want +got):\n%s%s", tt.args, code, diff, log)
		}
	}
	if _, out, _ := call(t, s.env, "audit", "--action", "cancel", "--output", "json"); len(decode[api.AuditList](t, out).Entries) != 1 {
		t.Errorf("audit as JSON has not the one cancellation:\n%s", out)
	}
	for _, args := range [][]string{{"--since", "yesterday"}, {"--action", "theft"}, {"--since=-1h"}} {
		if code, _, log := call(t, s.env, append([]string{"audit"}, args...)...); code != exitUsage || !strings.Contains(log, args[0][:7]) {
			t.Errorf("pullrun audit %s = %d, want %d and why\n%s", strings.Join(args, " "), code, exitUsage, log)
		}
	}
}
