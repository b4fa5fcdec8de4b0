package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadmeShowsWhatHappens runs the commands of the README's console blocks
// and compares what they print. "pullrun dev" goes on while the others run.
func TestReadmeShowsWhatHappens(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	env := []string{"XDG_RUNTIME_DIR=" + t.TempDir()}
	ran := 0
	for _, block := range regexp.MustCompile("(?ms)^```console\n(.*?)^```$").FindAllStringSubmatch(string(raw), -1) {
		line, want, _ := strings.Cut(strings.TrimPrefix(block[1], "$ "), "\n")
		args := strings.Fields(line)
		if args[0] != "pullrun" {
			t.Errorf("the README runs %q, which this test cannot", line)
			continue
		}
		ran++
		var got string
		if args[1] == "dev" {
			p := start(t, env, append(args[1:], "--listen", "127.0.0.1:0")...)
			p.says("Ctrl-C ends it.")
			p.says("registered")
			got = untilLine(p.log(), "Ctrl-C ends it.")
		} else {
			cmd := exec.Command(program, args[1:]...)
			cmd.Env = append(os.Environ(), env...)
			cmd.Dir = t.TempDir()
			out, _ := cmd.CombinedOutput() // the exit code is tested elsewhere
			got = string(out)
		}
		if steady(got) != steady(want) {
			t.Errorf("%s prints\n%s\nthe README says\n%s", line, got, want)
		}
	}
	if ran < 3 {
		t.Errorf("the README has only %d commands that are tested", ran)
	}
}

// untilLine keeps what is not JSON of the log, up to the line.
func untilLine(log, last string) string {
	var keep []string
	for line := range strings.Lines(log + "\n") {
		if !strings.HasPrefix(line, "{") {
			keep = append(keep, line)
		}
		if strings.TrimSpace(line) == last {
			break
		}
	}
	return strings.Join(keep, "")
}

// steady replaces what differs from run to run.
func steady(s string) string {
	for _, r := range []struct{ what, with string }{
		{`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`, "COOKIE"},
		{`trace [0-9a-f]{32}`, "trace TRACE"},
		{`[0-9.]+(ms|s)\b`, "TIME"},
		{`127\.0\.0\.1:[0-9]+`, "ADDR"},
	} {
		s = regexp.MustCompile(r.what).ReplaceAllString(s, r.with)
	}
	return s
}

func TestReadmeListsTheExitCodes(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range exitCodes {
		if row := fmt.Sprintf("| %d | %s |", c.code, c.meaning); !strings.Contains(string(raw), row) {
			t.Errorf("the README does not have the row\n%s", row)
		}
	}
}

func TestReadmePipelineIsValid(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?ms)^```yaml\n(# greet.yml\n.*?)^```$").FindStringSubmatch(string(raw))
	if block == nil {
		t.Fatal("the README has no greet.yml")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "greet.yml"), []byte(block[1]), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, log := call(t, nil, "validate", "--strict", dir); code != exitDone {
		t.Errorf("validate = %d\n%s%s", code, out, log)
	}
}
