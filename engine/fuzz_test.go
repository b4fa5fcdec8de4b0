package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/pullrun/pullrun/engine"
)

// fuzzLimits let no input run for long.
var fuzzLimits = engine.Limits{
	Time: 2 * time.Second, Tasks: 2000, Steps: 200_000, EvalSteps: 50_000, EvalMemory: 4 << 20, Variables: 16 << 20, Handles: 20, Depth: 50,
}

// mostAllocated is what one input may allocate in all, far above fuzzLimits,
// since the estimates leave out what is soon garbage.
const mostAllocated = 256 << 20

func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// frugal reports it if more was allocated since before than one input may.
func frugal(t *testing.T, before uint64) {
	t.Helper()
	if n := allocated() - before; n > mostAllocated {
		t.Errorf("%d bytes were allocated", n)
	}
}

// FuzzRun loads any text as a pipeline and runs it. Whatever it is, it ends
// within its limits, with a result or an error of ours.
func FuzzRun(f *testing.F) {
	cases, err := filepath.Glob("testdata/conformance/*/*.yaml")
	if err != nil || len(cases) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range cases {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	for _, text := range []string{
		"- return: '{{ x }}'\n", "- loop: [1]\n  loop_parallel: 2\n  code: item\n", "- code: 1/0\n  rescue: [{return: 1}]\n  finally: []\n",
		"inputs: {x: int}\n---\n- return: 1\n", "- &a\n  tasks: [*a]\n", "- dispatch: main\n",
	} {
		f.Add(text)
	}
	chips := kitChips()
	f.Fuzz(func(t *testing.T, text string) {
		defer frugal(t, allocated())
		c, err := engine.Load(engine.LoadOptions{FS: fsOf(map[string]string{"main.yml": text}), Chips: chips, Limits: fuzzLimits})
		if err != nil {
			if !errors.As(err, new(*engine.LoadError)) {
				t.Errorf("Load() = %v, want a LoadError", err)
			}
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		out, err := c.Run(ctx, engine.Input{Pipeline: "main", Variables: json.RawMessage(`{"x": 1, "s": "text", "xs": [1, 2], "m": {"a": 1}}`), Trusted: true})
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("Run() took %v, and should have stopped after 1s", took)
		}
		var e *engine.Error
		switch {
		case err == nil && !json.Valid(out.Result):
			t.Errorf("Run() = %s, which is no JSON", out.Result)
		case err != nil && (!errors.As(err, &e) || e.Class == engine.InternalException):
			t.Errorf("Run() = %v, want an error of ours", err)
		}
	})
}

// FuzzClientText gives any text to a pipeline that does with it all that a
// pipeline can do. It comes out as it went in.
func FuzzClientText(f *testing.F) {
	for _, text := range []string{"", "{{ author }}", "var(author)", `\{{ author }}`, "{{ 1 / 0 }}", "{{{ author }}}", "var(var(text))\n", "{{", "}}", "{{ '\\}}' }}"} {
		f.Add(text)
	}
	c := single(f, `
- declare: {author: SECRET, copy: "{{ text }}", m: {a: ["{{ text }}"]}}
- tasks:
    - chip: kit.echo
      params: {value: {v: "{{ text }}"}}
      store_result_as: r
    - return: [var(text), "{{ text }}", var(copy), "{{ r.value.v }}", var(r.value.v), "var(m.a[0])", "{{ escape(text) }}"]
  return_result: true
`)
	f.Fuzz(func(t *testing.T, text string) {
		defer frugal(t, allocated())
		variables, err := json.Marshal(map[string]string{"text": text})
		if err != nil {
			t.Skip(err)
		}
		var sent map[string]string // as JSON has it, which replaces invalid bytes
		if err := json.Unmarshal(variables, &sent); err != nil {
			t.Fatal(err)
		}
		out, err := run(t.Context(), c, string(variables))
		if err != nil {
			t.Fatalf("Run(%q) = %v", text, err)
		}
		var got []string
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatal(err)
		}
		for i, g := range got[:6] {
			if g != sent["text"] {
				t.Errorf("Run(%q) gives %q in place %d", text, g, i)
			}
		}
	})
}

// FuzzTemplate renders any text.
func FuzzTemplate(f *testing.F) {
	for _, text := range []string{"{{ x }}", "a {{ x }} b", "{{{ x }}}", `{{ \{1: x\} }}`, "var(x)", "var(s)\n", "{{ [y for y in xs] }}", "{{ s.center(100000) }}", "{{ f'{x!r:>{x}}' }}"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		defer frugal(t, allocated())
		quoted, err := json.Marshal(text) // JSON is YAML, nearly
		if err != nil {
			t.Skip(err)
		}
		c, err := engine.Load(engine.LoadOptions{
			FS: fsOf(map[string]string{"main.yml": "- return: " + string(quoted) + "\n"}), Limits: fuzzLimits,
		})
		if err != nil {
			t.Skip(err)
		}
		_, err = run(t.Context(), c, `{"x": 1, "s": "text", "xs": [1, 2], "m": {"a": 1}}`)
		var e *engine.Error
		if err != nil && (!errors.As(err, &e) || e.Class == engine.InternalException) {
			t.Errorf("Run() of %q = %v, want an error of ours", text, err)
		}
	})
}
