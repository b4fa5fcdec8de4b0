package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/fstest"

	"go.uber.org/goleak"

	"github.com/pullrun/pullrun/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fsOf makes pipeline files of their names and texts.
func fsOf(files map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

// load reads a collection that must be without errors.
func load(t testing.TB, opts engine.LoadOptions, files map[string]string) *engine.Collection {
	t.Helper()
	opts.FS = fsOf(files)
	if opts.Chips == nil {
		opts.Chips = kitChips()
	}
	c, err := engine.Load(opts)
	if err != nil {
		t.Fatalf("Load() = %v", err)
	}
	return c
}

// single is a collection with one pipeline, main.
func single(t testing.TB, text string) *engine.Collection {
	t.Helper()
	return load(t, engine.LoadOptions{}, map[string]string{"main.yml": text})
}

// run runs main with variables that came from a client.
func run(ctx context.Context, c *engine.Collection, variables string) (string, error) {
	out, err := c.Run(ctx, engine.Input{Pipeline: "main", Variables: json.RawMessage(variables)})
	return string(out.Result), err
}

// result runs main and wants its result.
func result(t testing.TB, c *engine.Collection, variables, want string) {
	t.Helper()
	got, err := run(t.Context(), c, variables)
	if err != nil || got != want {
		t.Errorf("Run(%s) = %s, %v, want %s", variables, got, err, want)
	}
}

// failsWith wants an error of a class and gives it.
func failsWith(t testing.TB, err error, class string) *engine.Error {
	t.Helper()
	var e *engine.Error
	if !errors.As(err, &e) || e.Class != class {
		t.Fatalf("Run() = %v, want a %s", err, class)
	}
	return e
}
