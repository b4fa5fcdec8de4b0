package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pullrun/pullrun/configs"
)

// A secret is followed through what editors and volumes do to its file, and kept
// through what goes wrong meanwhile.
func TestSecretFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "token")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("token", "first-0123456789\n")
	var hidden []string
	f := newSecretFile(configs.NewSecret("first-0123456789"), path, func(s string) { hidden = append(hidden, s) }, slog.New(slog.DiscardHandler))
	for _, step := range []struct {
		name string
		do   func() error
		want string
	}{
		{"as it was", func() error { return nil }, "first-0123456789"},
		{"renamed over", func() error { write("new", "second-0123456789\n"); return os.Rename(filepath.Join(dir, "new"), path) }, "second-0123456789"},
		{"written over, longer", func() error { write("token", "third-0123456789-and-more"); return nil }, "third-0123456789-and-more"},
		{"emptied", func() error { write("token", ""); return nil }, "third-0123456789-and-more"},
		{"gone", func() error { return os.Remove(path) }, "third-0123456789-and-more"},
		{"back, through a link", func() error { write("linked", "fourth-0123456789"); return os.Symlink("linked", path) }, "fourth-0123456789"},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if got := f.read(); got != step.want {
			t.Errorf("%s: %q, want %q", step.name, got, step.want)
		}
	}
	if want := []string{"second-0123456789", "third-0123456789-and-more", "fourth-0123456789"}; !slices.Equal(hidden, want) {
		t.Errorf("what is to be hidden: %q, want %q", hidden, want)
	}
	if got := newSecretFile(configs.NewSecret("given"), "", nil, nil).read(); got != "given" {
		t.Errorf("a secret without a file is %q", got)
	}
}
