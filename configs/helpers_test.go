package configs

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

// environment answers for variables from a map.
func environment(vars map[string]string) []string {
	all := []string{} // nil is the process's
	for name, value := range vars {
		all = append(all, name+"="+value)
	}
	return all
}

// written puts text in a file and returns its path.
func written(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// parsed returns the flags of T after they have read args.
func parsed[T settings[T]](t *testing.T, args ...string) *pflag.FlagSet {
	t.Helper()
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	Flags[T](fs)
	if err := fs.Parse(args); err != nil {
		t.Fatalf("Parse(%q) = %v", args, err)
	}
	return fs
}

// diff compares settings by what they are, secrets included.
func diff(want, got any) string {
	return cmp.Diff(want, got,
		cmp.Comparer(func(a, b Secret) bool { return a.Reveal() == b.Reveal() }),
		cmp.Comparer(func(a, b URL) bool { return a.Reveal() == b.Reveal() }))
}
