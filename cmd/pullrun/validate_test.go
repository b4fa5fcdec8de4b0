package main

import (
	"os"
	"path/filepath"
	"testing"
)

// What is doubtful is told beside what is wrong, so that it is not found one
// after the other.
func TestValidateTellsErrorsAndWarnings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "p.yml")
	if err := os.WriteFile(file, []byte("- retrun: 1\n- return: 1\n  when: x =\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	first := file + `:1:3: no known kind of task: the first key is 'retrun'; did you mean "return"?` + "\n"
	second := file + `:3:9: "x =": an expression cannot assign; compare with ==, or assign with (name := value)`
	for _, tt := range []struct {
		flag, want string
	}{
		{"--strict=false", first + "warning: " + second},
		{"--strict", first + second},
	} {
		if code, out, log := call(t, nil, "validate", dir, tt.flag); code != exitUsage || out != "" || log != tt.want {
			t.Errorf("validate %s = %d, %q and\n%s\nwant %d and\n%s", tt.flag, code, out, log, exitUsage, tt.want)
		}
	}
}
