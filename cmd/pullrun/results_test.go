package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pullrun/pullrun/api"
)

// A result that the server does not take fails its run where it arises: the run,
// the worker's log and its metrics agree, also when the server's limit changes.
func TestAResultLargerThanTheServerTakes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.extra = []string{"PULLRUN_LIMITS_RESULT=4KiB"}
	server := s.server()
	addr := freeAddr(t, "127.0.0.1")
	w := s.worker("w", "--listen", addr)
	give := func(cookie string, bytes int) api.Submit { // whose result has so many
		return api.Submit{Pipeline: "give", Cookie: cookie, Variables: []byte(`{"value":"` + strings.Repeat("<", bytes-2) + `"}`)}
	}
	s.submit(give("whole", 4096))
	s.ended("whole", api.StateSucceeded)
	s.submit(give("large", 4097))
	const want = "the result has 4097 bytes, the limit of the server is 4096 (limits.result)"
	if got := s.ended("large", api.StateFailed); got.RC != api.RCProcessorException || got.Error != want {
		t.Errorf("the run ended %s %q, want %q", got.RC, got.Error, want)
	}
	w.says(`"err":"` + want + `"`)

	server.kill()
	for _, suffix := range []string{"", "-wal", "-shm"} { // so that the worker registers again
		if err := os.Remove(filepath.Join(s.dir, "pullrun.db"+suffix)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	s.extra = []string{"PULLRUN_LIMITS_RESULT=2KiB"}
	s.server()
	w.saysTimes(2, `"msg":"registered"`)
	s.submit(give("later", 2049))
	if got := s.ended("later", api.StateFailed); !strings.Contains(got.Error, "2049 bytes, the limit of the server is 2048") {
		t.Errorf("after the server's limit has changed the run ended with %q", got.Error)
	}
	_, text := scraped(t, "http://"+addr+"/metrics")
	for result, want := range map[string]string{"success": "1", "failure": "2"} {
		if got := regexp.MustCompile(`pullrun_attempt_duration_seconds_count\{.*cicd_pipeline_result="` + result + `".*\} (\d+)`).FindStringSubmatch(text); got == nil || got[1] != want {
			t.Errorf("the worker counts %q, want %s of %s", got, want, result)
		}
	}
}
