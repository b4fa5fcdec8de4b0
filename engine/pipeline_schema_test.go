package engine_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/engine/chips"
	"github.com/pullrun/pullrun/engine/testcase"
)

// compiled gives a pipeline schema ready for use.
func compiled(t *testing.T, raw json.RawMessage) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("pipeline.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("pipeline.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// documents reads a file as an editor does.
func documents(text string) (docs []any, err error) {
	d := yaml.NewDecoder(strings.NewReader(text))
	for {
		var v any
		switch err := d.Decode(&v); {
		case errors.Is(err, io.EOF):
			return docs, nil
		case err != nil:
			return nil, err
		}
		docs = append(docs, plain(v))
	}
}

// plain gives a value of YAML as one of JSON.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			v[key] = plain(value)
		}
		return v
	case map[any]any:
		m := map[string]any{}
		for key, value := range v {
			m[fmt.Sprint(key)] = plain(value)
		}
		return m
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
		return v
	case time.Time:
		return v.String()
	}
	return v
}

// refusals gives what a schema has against the documents of a file.
func refusals(s *jsonschema.Schema, docs []any) (errs []error) {
	for _, doc := range docs {
		if err := s.Validate(doc); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// The schema and Load agree on every file of the conformance cases: what the
// schema refuses, Load complains of too, and a task of a shape that Load
// refuses is refused by the schema.
func TestPipelineSchemaAgreesWithLoad(t *testing.T) {
	t.Parallel()
	s := compiled(t, kitChips().PipelineSchema(nil))
	var valid, wrong int
	cases, err := testcase.NewRunner(testcase.Options{Chips: kitChips()}).Dir("testdata/conformance")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		_, loadErr := engine.Load(engine.LoadOptions{FS: c.Pipelines(), Chips: kitChips(), Strict: true})
		var le *engine.LoadError
		errors.As(loadErr, &le)
		for name, text := range textsOf(t, c.Pipelines()) {
			docs, err := documents(text)
			if err != nil || !strings.HasSuffix(name, ".yml") || strings.HasPrefix(filepath.Base(name), "_") {
				continue // no pipeline, or no YAML
			}
			errs := refusals(s, docs)
			complaints, shape := complaintsOf(le, name)
			switch {
			case len(errs) == 0 && shape:
				t.Errorf("%s: %s: the schema takes what Load refuses:\n%s", c.File, name, strings.Join(complaints, "\n"))
			case len(errs) > 0 && complaints == nil:
				t.Errorf("%s: %s: Load takes what the schema refuses:\n%v", c.File, name, errs)
			case len(errs) > 0:
				wrong++
			default:
				valid++
			}
		}
	}
	if valid < 200 || wrong < 20 {
		t.Errorf("%d files are valid, %d are wrong", valid, wrong)
	}
}

// textsOf gives the files of a file system, by path.
func textsOf(t *testing.T, fsys fs.FS) map[string]string {
	t.Helper()
	texts := map[string]string{}
	err := fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(fsys, path)
		texts[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// complaintsOf gives what Load has against a file, and whether that is the
// shape of it.
func complaintsOf(le *engine.LoadError, file string) (list []string, shape bool) {
	if le == nil {
		return nil, false
	}
	for _, p := range le.Problems {
		if p.File == file {
			list = append(list, p.String())
			// Of keys, JSON knows neither two alike nor other than text.
			shape = shape || p.Phase == engine.PhaseLoad && !strings.Contains(p.Message, "duplicate key") && !strings.Contains(p.Message, "names that are text")
		}
	}
	return list, shape
}

func TestPipelineSchemaOfFiles(t *testing.T) {
	t.Parallel()
	all := engine.NewChips(chips.Standard(chips.Options{})...)
	s := compiled(t, all.PipelineSchema([]string{"sub.one", "sub.two"}))
	for _, tt := range []struct {
		name, text string
		refused    bool
	}{
		{name: "an empty file", text: ""},
		{name: "no tasks", text: "[]"},
		{name: "what is new", text: `
- chip: utils.time.sleep
  params: {milliseconds: "{{ item }}"}
  timeout: 1m30s
  retry: {max: 3, backoff: 500ms, on: [ChipException]}
  loop: "{{ urls }}"
  loop_parallel: 4
  rescue: [{return: "{{ error.message }}"}]
  finally: [{dispatch: sub.one}]
`},
		{name: "a header", text: `
inputs:
  city: text
  days: {type: int, default: 3, doc: How far to look ahead.}
secrets:
  token: {env: WEATHER_TOKEN}
---
- return: 1
`},
		{name: "a chip by its long name", text: "- chip: reasonchip.chipsets.utils.time.sleep\n  params: {milliseconds: 3}"},
		{name: "a chip that needs nothing", text: "- chip: utils.time.now\n  params:"},
		{name: "the first key decides", text: "- comment: why\n  chip: utils.time.now"},
		{name: "a map", text: "return: 1", refused: true},
		{name: "text", text: "hello", refused: true},
		{name: "a task that is text", text: "- hello", refused: true},
		{name: "a task of no kind", text: "- name: hello", refused: true},
		{name: "a field of another kind", text: "- return: 1\n  loop: [1]", refused: true},
		{name: "two kinds", text: "- chip: utils.time.now\n  return: 1", refused: true},
		{name: "a misspelt field", text: "- code: 1\n  wehn: x", refused: true},
		{name: "an unknown chip", text: "- chip: http.gte\n  params: {url: x}", refused: true},
		{name: "an unknown chip by a long name", text: "- chip: reasonchip.chipsets.http.gte\n  params: {url: x}", refused: true},
		{name: "a param that is not there", text: "- chip: http.get\n  params: {timeout: 3}", refused: true},
		{name: "no params at all", text: "- chip: http.get", refused: true},
		{name: "a misspelt param", text: "- chip: http.get\n  params: {url: x, header: {}}", refused: true},
		{name: "a param of another type", text: "- chip: http.get\n  params: {url: x, headers: [a]}", refused: true},
		{name: "a param by a chip's long name", text: "- chip: reasonchip.chipsets.utils.time.sleep\n  params: {}", refused: true},
		{name: "an unknown pipeline", text: "- dispatch: sub.three", refused: true},
		{name: "an unknown pipeline to go on with", text: "- branch: sub.three", refused: true},
		{name: "deep down", text: "- tasks:\n  - code: 1\n    rescue:\n    - nothing: 1", refused: true},
		{name: "a length of time without its unit", text: "- code: 1\n  timeout: 30", refused: true},
		{name: "a try too many", text: "- code: 1\n  retry: 1001", refused: true},
		{name: "an unknown type of input", text: "inputs: {city: string}\n---\n- return: 1", refused: true},
		{name: "a secret from nowhere", text: "secrets: {token: {}}\n---\n- return: 1", refused: true},
		{name: "an unknown field of the header", text: "input: {city: text}\n---\n- return: 1", refused: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			docs, err := documents(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if errs := refusals(s, docs); (len(errs) > 0) != tt.refused {
				t.Errorf("the schema says %v, want refused: %v", errs, tt.refused)
			}
			_, err = engine.Load(engine.LoadOptions{Strict: true, Chips: all, FS: fsOf(map[string]string{
				"main.yml": tt.text, "sub/one.yml": "- return: 1", "sub/two.yml": "- return: 2",
			})})
			if (err != nil) != tt.refused {
				t.Errorf("Load() = %v, want refused: %v", err, tt.refused)
			}
		})
	}
}

// Everything that an editor offers is explained.
func TestPipelineSchemaIsExplained(t *testing.T) {
	t.Parallel()
	var schema struct {
		Definitions map[string]struct {
			Description string
			Properties  map[string]struct {
				Ref         string `json:"$ref"`
				Description string
			}
		}
	}
	if err := json.Unmarshal(kitChips().PipelineSchema(nil), &schema); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for name, d := range schema.Definitions {
		kind, ok := strings.CutPrefix(name, "kind.")
		if !ok {
			continue
		}
		for field, p := range d.Properties {
			target := strings.TrimPrefix(p.Ref, "#/definitions/")
			used[target] = true
			if schema.Definitions[target].Description == "" {
				t.Errorf("the field %q of a %s task has no description", field, kind)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(schema.Definitions)) {
		if strings.HasPrefix(name, "field.") && !used[name] {
			t.Errorf("no kind of task has the %s", name)
		}
	}
	if len(used) < 20 {
		t.Errorf("there are %d fields", len(used))
	}
}

func TestPipelineNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"broken.yml", "_left_out.yml", "sub/one.yml", "sub/notes.yaml"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("["), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	names, err := engine.PipelineNames(dir)
	if want := []string{"broken", "sub.one"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("PipelineNames() = %q, %v, want %q", names, err, want)
	}
	if _, err := engine.PipelineNames(filepath.Join(dir, "nowhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("PipelineNames() = %v, want %v", err, fs.ErrNotExist)
	}
}
