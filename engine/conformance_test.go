package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/pullrun/pullrun/engine"
)

// A conformanceCase is one file below testdata/conformance: pipelines, and
// what they do on the original engine (expect) or on ours where we differ on
// purpose (ours).
type conformanceCase struct {
	Name      string               `yaml:"name"`
	Doc       string               `yaml:"doc"`
	Entry     string               `yaml:"entry"`
	Variables yaml.Node            `yaml:"variables"`
	Pipelines map[string]yaml.Node `yaml:"pipelines"`
	Expect    *expectation         `yaml:"expect"`
	Ours      *expectation         `yaml:"ours"`
	Why       string               `yaml:"why"`
}

type expectation struct {
	Result yaml.Node `yaml:"result"`
	Error  string    `yaml:"error"` // a class, or "any"
	At     string    `yaml:"at"`
	Phase  string    `yaml:"phase"` // load, validate or "" for running
	Cause  string    `yaml:"cause"`
}

// TestConformance runs every case of testdata/conformance, or of the
// directory that PULLRUN_CONFORMANCE names.
func TestConformance(t *testing.T) {
	dir := os.Getenv("PULLRUN_CONFORMANCE")
	if dir == "" {
		dir = "testdata/conformance"
	}
	var files []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".yaml") {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("found %d cases in %s: %v", len(files), dir, err)
	}
	var passed, failed atomic.Int64
	t.Run("cases", func(t *testing.T) {
		for _, file := range files {
			name, _ := filepath.Rel(dir, file)
			t.Run(strings.TrimSuffix(name, ".yaml"), func(t *testing.T) {
				t.Parallel()
				if err := runCase(t.Context(), file); err != nil {
					failed.Add(1)
					t.Error(err)
					return
				}
				passed.Add(1)
			})
		}
	})
	fmt.Printf("conformance: %d passed, %d failed\n", passed.Load(), failed.Load())
}

// runCase runs one case and says how it differs from what is expected.
func runCase(ctx context.Context, file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var c conformanceCase
	if err := yaml.Unmarshal(data, &c); err != nil {
		return fmt.Errorf("read case: %w", err)
	}
	want := c.Expect
	if c.Ours != nil {
		want = c.Ours
	}
	files, err := c.files()
	if err != nil {
		return err
	}
	variables, err := plainJSON(&c.Variables)
	if err != nil {
		return err
	}
	col, err := engine.Load(engine.LoadOptions{FS: files, Chips: kitChips()})
	if err != nil {
		return want.checkLoad(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := col.Run(ctx, engine.Input{Pipeline: c.Entry, Variables: variables, Trusted: true})
	return want.checkRun(out, err)
}

// files lays the pipelines out as the files they stand for.
func (c *conformanceCase) files() (fstest.MapFS, error) {
	files := fstest.MapFS{}
	for name, n := range c.Pipelines {
		path := name
		if !strings.HasSuffix(name, ".yml") && !strings.HasSuffix(name, ".yaml") {
			path = strings.ReplaceAll(name, ".", "/") + ".yml"
		}
		text := []byte(n.Value)
		if n.Kind != yaml.ScalarNode {
			var err error
			if text, err = yaml.Marshal(&n); err != nil {
				return nil, err
			}
		}
		files[path] = &fstest.MapFile{Data: text}
	}
	return files, nil
}

func (e *expectation) checkLoad(err error) error {
	var le *engine.LoadError
	if !errors.As(err, &le) {
		return fmt.Errorf("Load() = %w, want a LoadError", err)
	}
	p := le.Problems[0]
	switch {
	case e.Error == "":
		return fmt.Errorf("Load() = %w, want a result", err)
	case e.Error != "any" && e.Error != p.Class:
		return fmt.Errorf("Load() is a %s, want %s: %w", p.Class, e.Error, err)
	case e.Phase != string(p.Phase):
		return fmt.Errorf("Load() fails in phase %q, want %q: %w", p.Phase, e.Phase, err)
	case e.At != "" && e.At != p.At:
		return fmt.Errorf("Load() fails at %q, want %q: %w", p.At, e.At, err)
	}
	return nil
}

func (e *expectation) checkRun(out engine.Output, err error) error {
	if e.Error == "" {
		if err != nil {
			return fmt.Errorf("Run() = %w, want a result", err)
		}
		return e.checkResult(out.Result)
	}
	var failed *engine.Error
	if !errors.As(err, &failed) {
		return fmt.Errorf("Run() = %s, %v, want %s", out.Result, err, e.Error)
	}
	switch {
	case e.Phase != "":
		return fmt.Errorf("Run() = %w, want a failure in phase %s", err, e.Phase)
	case e.Error != "any" && e.Error != failed.Class:
		return fmt.Errorf("Run() is a %s, want %s: %w", failed.Class, e.Error, err)
	case e.At != "" && e.At != failed.At:
		return fmt.Errorf("Run() fails at %q, want %q: %w", failed.At, e.At, err)
	case e.Cause != "" && e.Error != "any" && e.Cause != failed.CauseClass():
		return fmt.Errorf("Run() fails because of %q, want %q: %w", failed.CauseClass(), e.Cause, err)
	}
	return nil
}

func (e *expectation) checkResult(got json.RawMessage) error {
	text, err := plainJSON(&e.Result)
	if err != nil {
		return err
	}
	want, err := decode(text)
	if err != nil {
		return err
	}
	have, err := decode(got)
	if err != nil {
		return fmt.Errorf("Run() = %s: %w", got, err)
	}
	if !reflect.DeepEqual(have, want) {
		return fmt.Errorf("Run() = %s, want %s", got, text)
	}
	return nil
}
