package main

import (
	"strings"
	"testing"
)

// A run that asks for a digest is worked on by a worker that has it, and waits
// for one while there is none.
func TestRunsAskForADigest(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	s.worker("w")
	_, out, _ := call(t, s.env, "workers", "--pipelines")
	digest := ""
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "w" && f[1] == "nothing" {
			digest = f[2]
		}
	}
	if code, _, log := call(t, s.env, "run", "nothing", "--cookie", "pinned", "--digest", digest); code != exitDone {
		t.Fatalf("run with digest %q of\n%s ended with %d\n%s", digest, out, code, log)
	}
	if _, out, _ := call(t, s.env, "runs", "pinned"); !strings.Contains(out, digest) {
		t.Errorf("the run does not show digest %s:\n%s", digest, out)
	}
	call(t, s.env, "run", "nothing", "--cookie", "other", "--digest", "sha256:other", "--detach")
	_, out, _ = call(t, s.env, "runs", "other")
	for _, want := range []string{"with digest sha256:other, but with " + digest[:len("sha256:")+12], "QUEUED"} {
		if !strings.Contains(out, want) {
			t.Errorf("a run that waits for a digest does not say %q:\n%s", want, out)
		}
	}
	if code, _, log := call(t, s.env, "run", "nothing", "--digest", "a b"); code != exitUsage || !strings.Contains(log, "digest") {
		t.Errorf("a digest that is none ended with %d, want %d\n%s", code, exitUsage, log)
	}
}
