package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	passing = "name: adds\nentry: main\npipelines: {main: [{return: '{{ 1 + 1 }}'}]}\nexpect: {result: 2}\n"
	failing = "name: guesses\nentry: main\npipelines: {main: [{return: 5}]}\nexpect:\n  result: 6\n"
	calling = "name: sends\nentry: main\npipelines: {main: [{chip: http.get, params: {url: 'http://127.0.0.1:1'}}]}\nexpect: {result: 1}\n"
)

func TestTest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		files map[string]string
		args  []string
		code  int
		out   string
		log   string // what it begins with
	}{
		{name: "all pass", files: map[string]string{"a.test.yml": passing}, out: "pass  adds  TIME\n1 passed, 0 failed\n"},
		{
			name: "one fails", files: map[string]string{"a.test.yml": passing + "---\n" + failing, "b.test.yml": calling}, code: exitFailed,
			out: `pass  adds  TIME
FAIL  guesses  TIME
      DIR/a.test.yml:10: the result differs (- expected, + got)
        - 6
        + 5
FAIL  sends  TIME
      DIR/b.test.yml:4: main/1 calls http.get, which has no answer in the case
1 passed, 2 failed
`,
		},
		{name: "some are chosen", files: map[string]string{"a.test.yml": passing + "---\n" + failing}, args: []string{"--run", "^a"}, out: "pass  adds  TIME\n1 passed, 0 failed\n"},
		{name: "none is chosen", files: map[string]string{"a.test.yml": passing}, args: []string{"--run", "x"}, code: exitUsage, log: `pullrun: --run: none of 1 cases has a name that matches "x"`},
		{name: "no pattern", args: []string{"--run", "("}, code: exitUsage, log: "pullrun: --run: error parsing regexp"},
		{name: "no cases", files: map[string]string{"a.yml": "- return: 1"}, code: exitUsage, log: "pullrun: no cases below DIR: they are in files that end in .test.yml"},
		{name: "no such directory", args: []string{"nowhere"}, code: exitUsage, log: "pullrun: open cases: "},
		{
			name: "a case that is wrong keeps all from running", files: map[string]string{"a.test.yml": passing, "b.test.yml": "enrty: main"}, code: exitUsage,
			log: `pullrun: DIR/b.test.yml:1:1: unknown key "enrty"`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, text := range tt.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			code, out, log := within(t, append([]string{"test", dir}, tt.args...)...)
			out = steady(strings.ReplaceAll(out, dir, "DIR"))
			if code != tt.code || !strings.HasPrefix(strings.ReplaceAll(log, dir, "DIR"), tt.log) {
				t.Errorf("exit code %d, %q, want %d, %q", code, log, tt.code, tt.log)
			}
			if diff := cmp.Diff(tt.out, out); diff != "" {
				t.Errorf("printed something else (-want +got):\n%s", diff)
			}
		})
	}
	if code, _, log := within(t, "test"); code != exitUsage || !strings.Contains(log, "pullrun test wants a directory") {
		t.Errorf("exit code %d, %s", code, log)
	}
}

func TestTestAsJSON(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "a.test.yml")
	if err := os.WriteFile(file, []byte(passing+"---\n"+failing), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, _ := within(t, "test", dir, "--output", "json")
	got := decode[testReport](t, out)
	for i := range got.Cases {
		got.Cases[i].TookMs = 0
	}
	want := testReport{Passed: 1, Failed: 1, Cases: []testResult{
		{Name: "adds", File: file, Line: 1, Passed: true},
		{Name: "guesses", File: file, Line: 10, Error: "the result differs (- expected, + got)", Detail: "- 6\n+ 5"},
	}}
	if diff := cmp.Diff(want, got); diff != "" || code != exitFailed {
		t.Errorf("exit code %d (-want +got):\n%s", code, diff)
	}
}

// The examples do what their cases say.
func TestExamplesPassTheirTests(t *testing.T) {
	t.Parallel()
	code, out, log := within(t, "test", "../../examples")
	if code != exitDone || !strings.HasSuffix(out, "\n4 passed, 0 failed\n") {
		t.Errorf("exit code %d\n%s%s", code, out, log)
	}
}
