package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/pullrun/pullrun/configs"
)

// What docs/language.md says of limits that are settings is what a worker has
// when nobody sets them.
func TestDocsKnowTheSettings(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/language.md")
	if err != nil {
		t.Fatal(err)
	}
	l := configs.DefaultWorker().Limits
	for setting, value := range map[string]any{
		"timeout": l.Timeout, "tasks": l.Tasks, "steps": l.Steps, "memory": l.Memory,
		"variables": l.Variables, "depth": l.Depth, "result": l.Result,
	} {
		want := strings.TrimSuffix(fmt.Sprint(value), "0m0s")
		found := false
		for line := range strings.Lines(string(text)) {
			cells := strings.Split(strings.Trim(line, "|\n "), " | ")
			if len(cells) == 3 && cells[2] == "`limits."+setting+"`" {
				found = true
				if got := strings.NewReplacer(",", "", " ", "").Replace(cells[1]); got != want {
					t.Errorf("docs/language.md says that limits.%s is %s, and it is %s", setting, got, want)
				}
			}
		}
		if !found {
			t.Errorf("docs/language.md does not have limits.%s", setting)
		}
	}
}
