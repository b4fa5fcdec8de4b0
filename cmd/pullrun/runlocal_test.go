package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLocalRunsEndWithTheirTime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.yml"), []byte("- {chip: utils.time.sleep, params: {milliseconds: 60000}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, log := within(t, "run-local", "main", dir, "--limits-timeout", "1s")
	if code != exitLost || !strings.Contains(log, "LimitException at main/1: the run reached its limit on time of 1s") {
		t.Errorf("exit code %d, %s", code, log)
	}
}

func TestLocalRunsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.yml"), []byte("inputs: {n: int}\n---\n- {name: divide, code: 1 / n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"validate " + dir, exitDone, ""},
		{"run-local main " + dir, exitFailed, "ValidationException: variables: \"n\" is missing\n"},
		{"run-local main " + dir + " --set n=0", exitFailed, "CodeExecutionException at main/1: \"1 / n\": ZeroDivisionError: division by zero\nmain/1 divide (DIR/main.yml:3)\n"},
		{"run-local mian " + dir, exitNotFound, "NoSuchPipelineException: unknown pipeline \"mian\"; did you mean \"main\"?\n"},
	} {
		code, out, log := within(t, strings.Fields(tt.args)...)
		if code != tt.code || strings.ReplaceAll(log, dir, "DIR") != tt.want {
			t.Errorf("%s = %d, printed %q and %q, want %d and %q", tt.args, code, out, log, tt.code, tt.want)
		}
		if tt.want == "" && out != "1 pipeline, no errors, 0 warnings\n" {
			t.Errorf("%s printed %q", tt.args, out)
		}
	}
}

// A pipeline that runs here has the streams of the command.
func TestLocalRunsHaveTheStreams(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const pipeline = `
- chip: reasonchip.streams.read_line
  store_result_as: line
- chip: reasonchip.streams.write_stdout
  params: {data: "{{ line.data.upper() }}"}
- chip: reasonchip.streams.write_stderr
  params: {data: half done}
- return: 1
`
	const testCase = "name: shouts\nentry: main\nexpect: {result: 1}\n"
	for name, text := range map[string]string{"main.yml": pipeline, "_main.test.yml": testCase} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ args, want string }{
		{"run-local main " + dir, "HELLO\n1\n"},
		{"run-local main --output json " + dir, "{\n  \"result\": 1\n}\n"},
		{"test " + dir, "HELLO\npass  shouts  TIME\n1 passed, 0 failed\n"},
	} {
		var out, log bytes.Buffer
		code := execute(t.Context(), strings.Fields(tt.args), terminal{in: strings.NewReader("hello\nworld\n"), out: &out, err: &log})
		if code != exitDone || steady(out.String()) != tt.want || !strings.Contains(log.String(), "half done") {
			t.Errorf("%s = %d, printed %q and %q, want %q", tt.args, code, out.String(), log.String(), tt.want)
		}
	}
}

// A secret is not shown by writing it in parts.
func TestLocalRunsHideSecretsThatComeInParts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const pipeline = `
secrets:
  key: {file: %s}
---
- chip: reasonchip.streams.write_stdout
  params: {data: "it is {{ secrets.key[:7] }}"}
- chip: reasonchip.streams.write_stdout
  params: {data: "{{ secrets.key[7:] }}!"}
- return: 1
`
	secret := filepath.Join(dir, "key")
	if err := errors.Join(
		os.WriteFile(secret, []byte("hunter2-in-parts\n"), 0o600),
		os.WriteFile(filepath.Join(dir, "main.yml"), []byte(fmt.Sprintf(pipeline, secret)), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	code, out, log := within(t, "run-local", "main", dir)
	if code != exitDone || !strings.HasPrefix(out, "it is REDACTED!") {
		t.Errorf("run-local = %d, printed %q and %q", code, out, log)
	}
}
