package engine_test

import (
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/pullrun/pullrun/engine"
)

func TestLimits(t *testing.T) {
	for _, tt := range []struct {
		name, text, want string
		limits           engine.Limits
	}{
		{"depth", "- dispatch: main\n", "limit on depth of 300 levels", engine.Limits{}},
		{"tasks", "- loop: '{{ range(10000) }}'\n  code: '1'\n", "limit on tasks of 100 tasks", engine.Limits{Tasks: 100}},
		{"a branch for ever", "- branch: main\n", "limit on tasks of 1000 tasks", engine.Limits{Tasks: 1000}},
		{"steps of one evaluation", "- code: |\n    while True: pass\n", "steps limit of 10000", engine.Limits{EvalSteps: 10_000}},
		{"steps of a run", "- loop: '{{ range(1000) }}'\n  code: sum(range(5000))\n", "limit on steps of 200000", engine.Limits{Steps: 200_000}},
		{"memory", "- return: \"{{ 'a' * 10 ** 12 }}\"\n", "memory limit of", engine.Limits{}},
		{"text of a template", "- declare: {s: \"{{ 'a' * 900 }}\"}\n- return: \"{{ s }}{{ s }}\"\n", "exceeds its memory limit", engine.Limits{EvalMemory: 1000}},
		{"variables", "- declare: {xs: []}\n- loop: '{{ range(1000) }}'\n  code: \"'x' * 1000\"\n  append_result_into: xs\n", "limit on variables of 100000 bytes", engine.Limits{Variables: 100_000}},
		{"a variable that doubles", "- declare: {s: x}\n- loop: '{{ range(1000) }}'\n  declare: {s: '{{ s + s }}'}\n", "limit on variables of 100000 bytes", engine.Limits{Variables: 100_000}},
		{"variables in code", "- code: |\n    xs = ['x' * 1000 for i in range(1000)]\n", "limit on variables of 100000 bytes", engine.Limits{Variables: 100_000}},
		{"a list that grows in place", "- declare: {xs: []}\n- loop: '{{ range(1000) }}'\n  declare: {n: \"{{ xs.append('x' * 1000) or 1 }}\"}\n", "limit on variables of 100000 bytes", engine.Limits{Variables: 100_000}},
		{"results that wait to be fetched", "- declare: {hs: []}\n- loop: '{{ range(100) }}'\n  tasks:\n  - {run_async: true, code: \"'x' * 100000\", append_result_into: hs}\n  - code: |\n      while not hs[-1].done():\n        pass\n  - declare: {n: 1}\n", "limit on variables of 5000000 bytes", engine.Limits{Variables: 5_000_000}},
		{"a map that grows in place", "- declare: {m: {a: []}}\n- loop: '{{ range(1000) }}'\n  declare: {n: \"{{ m.a.append('x' * 1000) or 1 }}\"}\n", "limit on variables of 100000 bytes", engine.Limits{Variables: 100_000}},
		{"result", "- return: \"{{ 'a' * 2000 }}\"\n", "the result is larger than 1000 bytes", engine.Limits{Result: 1000}},
		{"output", "- code: |\n    for i in range(1000): print('spam')\n", "limit on output of 100 bytes", engine.Limits{Output: 100}},
		{"output of a chip", "- loop: '{{ range(1000) }}'\n  chip: reasonchip.debug.log\n  params: {message: spam}\n", "limit on output of 100 bytes", engine.Limits{Output: 100}},
		{"background tasks", "- loop: '{{ range(20) }}'\n  chip: kit.sleep\n  params: {ms: 5000}\n  run_async: true\n", "limit on background tasks of 10 at once", engine.Limits{Handles: 10}},
		{"time", "- chip: kit.sleep\n  params: {ms: 60000}\n", "limit on time of 20ms", engine.Limits{Time: 20 * time.Millisecond}},
		{"a list inside itself", "- declare: {xs: []}\n- declare: {y: '{{ xs.append(xs) or xs.append(xs) or xs }}'}\n", "limit on variables", engine.Limits{}},
		{"recursion in code", "- code: |\n    def f(): return f()\n    f()\n", "depth", engine.Limits{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := load(t, engine.LoadOptions{Limits: tt.limits}, map[string]string{"main.yml": tt.text})
			_, err := run(t.Context(), c, "")
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Run() = %v, want %q", err, tt.want)
			}
		})
	}
}

// The steps of a run are those of everything in it, to the last one.
func TestStepsAddUp(t *testing.T) {
	const (
		code    = "- code: sum(range(500))\n"
		text    = "- declare: {a: \"{{ [x for x in range(70)] }} and {{ len(str(2)) }}\"}\n"
		long    = "- code: |\n    for i in range(5000): pass\n"
		loop    = "- loop: '{{ range(1000) }}'\n  code: max(item, 5)\n"
		chip    = "- {chip: utils.json.loads, params: {string: '[1, 2, [3], 4]'}}\n"
		inBack  = "- {run_async: true, code: 'sum(range(3000))'}\n"
		several = "- loop: '{{ range(20) }}'\n  run_async: true\n  code: sum(range(item))\n"
	)
	parts := []string{code, text, long, loop, chip, inBack, several}
	total := int64(0)
	for _, part := range parts {
		n := stepsOf(t, part)
		if n < 5 {
			t.Errorf("%s takes %d steps", part, n)
		}
		total += n
	}
	if got := stepsOf(t, strings.Join(parts, "")); got != total {
		t.Errorf("all in one run take %d steps, one by one %d", got, total)
	}
	if got := stepsOf(t, "- loop: '{{ [1] * 10 }}'\n  loop_parallel: 4\n  code: sum(range(500))\n"); got < 10*stepsOf(t, code) || got > 11*stepsOf(t, code) {
		t.Errorf("ten in parallel take %d steps, one takes %d", got, stepsOf(t, code))
	}
}

// stepsOf finds the least limit on steps under which a pipeline ends well.
func stepsOf(t *testing.T, text string) int64 {
	t.Helper()
	enough := func(steps int) bool {
		c := load(t, engine.LoadOptions{Limits: engine.Limits{Steps: int64(steps)}}, map[string]string{"main.yml": text})
		out, err := c.Run(t.Context(), engine.Input{Pipeline: "main"})
		if err != nil {
			failsWith(t, err, engine.LimitException)
			return false
		}
		return len(out.Warnings) == 0
	}
	return int64(1 + sort.Search(1<<16, func(n int) bool { return enough(n + 1) }))
}

func TestStartVariablesCountAgainstTheLimit(t *testing.T) {
	c := load(t, engine.LoadOptions{Limits: engine.Limits{Variables: 1000}}, map[string]string{"main.yml": "- return: 1\n"})
	_, err := run(t.Context(), c, `{"a": "`+strings.Repeat("x", 2000)+`"}`)
	failsWith(t, err, engine.LimitException)
}

// What a loop in parallel has come to counts before it is saved, and once.
func TestResultsOfAParallelLoopCount(t *testing.T) {
	const loop = "- loop: '{{ range(20) }}'\n  loop_parallel: 4\n  code: \"'x' * 10000\"\n"
	for _, tt := range []struct {
		name, text string
		limit      int64
		want       string
	}{
		{"too much", loop, 150_000, "limit on variables of 150000 bytes"},
		{"enough", loop + "  append_result_into: xs\n- return: '{{ len(xs) }}'\n", 250_000, ""},
		{"again and again", "- loop: '{{ range(10) }}'\n  tasks:\n" + indented(loop), 250_000, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := load(t, engine.LoadOptions{Limits: engine.Limits{Variables: tt.limit}}, map[string]string{"main.yml": tt.text})
			_, err := run(t.Context(), c, "")
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("Run() = %v, want %q", err, tt.want)
			}
		})
	}
}

func indented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("  " + line)
	}
	return b.String()
}

// A path that makes a list much longer counts.
func TestPathsThatMakeAListLongerCount(t *testing.T) {
	text := "- declare: {a: [], b: [], c: []}\n- declare: {'a[60000].x': 1}\n- declare: {'b[60000].x': 1}\n- declare: {'c[60000].x': 1}\n"
	c := load(t, engine.LoadOptions{Limits: engine.Limits{Variables: 8_000_000}}, map[string]string{"main.yml": text})
	_, err := run(t.Context(), c, "")
	if e := failsWith(t, err, engine.LimitException); e.At != "main/4" {
		t.Errorf("Run() = %v, want it to end with the third list", err)
	}
}
