package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pullrun/pullrun/engine"
)

// What a careless or hostile author writes ends in an error that says why.
// None of it may take the process along.
func TestHostilePipelinesEnd(t *testing.T) {
	// Below the defaults, so that each takes little time.
	limits := engine.Limits{EvalSteps: 200_000, Steps: 2_000_000, EvalMemory: 4 << 20, Variables: 16 << 20, Tasks: 20_000}
	for _, tt := range []struct{ name, text, class, want string }{
		{"a loop without end", "- code: |\n    n = 0\n    while True:\n        n += 1\n", engine.LimitException, "steps limit"},
		{"a loop without end that catches all it can", "- code: |\n    while True:\n        try:\n            1 / 0\n        except Exception:\n            pass\n        finally:\n            x = 1\n", engine.LimitException, "steps limit"},
		{"recursion in code", "- code: |\n    def f(n):\n        return f(n + 1)\n    f(0)\n", engine.LimitException, "call depth"},
		{"recursion of two", "- code: |\n    def f(): return g()\n    def g(): return f()\n    f()\n", engine.LimitException, "call depth"},
		{"recursion of a lambda", "- return: '{{ (lambda f: f(f))(lambda f: f(f)) }}'\n", engine.LimitException, "call depth"},
		{"recursion through sorting", "- code: |\n    def f(x): return sorted([1, 2], key=f)\n    f(1)\n", engine.LimitException, "call depth"},
		{"a generator that feeds itself", "- code: |\n    def f():\n        yield from f()\n    list(f())\n", engine.LimitException, "depth"},
		{"a text that doubles in code", "- code: |\n    s = 'x'\n    while True:\n        s = s + s\n", engine.LimitException, "memory limit"},
		{"a list that doubles in code", "- code: |\n    xs = [1]\n    while True:\n        xs.extend(xs)\n", engine.LimitException, "memory limit"},
		{"a number that squares itself", "- code: |\n    n = 3\n    while True:\n        n = n * n\n", engine.LimitException, "limit"},
		{"a text that doubles over tasks", "- declare: {s: xxxxxxxx}\n- loop: '{{ range(1000) }}'\n  declare: {s: '{{ s + s }}'}\n", engine.LimitException, "limit"},
		{"a text that doubles in templates", "- declare: {s: xxxxxxxx}\n- loop: '{{ range(1000) }}'\n  declare: {s: '{{ s }}{{ s }}'}\n", engine.LimitException, "limit"},
		{"values that double by reference", "- declare: {a: [1]}\n- loop: '{{ range(1000) }}'\n  declare: {a: ['{{ a }}', '{{ a }}']}\n", engine.LimitException, "limit"},
		{"a thousand million rounds of a task", "- loop: '{{ range(10 ** 9) }}'\n  code: item\n", engine.LimitException, "memory limit"},
		{"a thousand million rounds in code", "- code: |\n    for i in range(10 ** 9): pass\n", engine.LimitException, "steps limit"},
		{"a thousand million rounds in an expression", "- return: '{{ sum(1 for i in range(10 ** 9)) }}'\n", engine.LimitException, "steps limit"},
		{"a thousand million rounds in loops of loops", "- loop: '{{ range(1000) }}'\n  tasks:\n  - loop: '{{ range(1000) }}'\n    tasks:\n    - loop: '{{ range(1000) }}'\n      declare: {a: 1}\n", engine.LimitException, "limit on tasks"},
		{"pipelines that call each other", "- dispatch: other\n", engine.LimitException, "limit on depth"},
		{"a value inside itself", "- code: |\n    xs = []\n    xs.append(xs)\n    m = {}\n    m['m'] = m\n    [xs == [xs], str(m)]\n", "", ""},
		{"deep parentheses", "- return: '{{ " + strings.Repeat("(", 10_000) + "1" + strings.Repeat(")", 10_000) + " }}'\n", engine.EvaluationException, "too many nested"},
		{"deep brackets", "- return: '{{ " + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + " }}'\n", engine.EvaluationException, "too many nested"},
		{"many operators", "- return: '{{ " + strings.Repeat("not ", 10_000) + "1 }}'\n", engine.EvaluationException, "too"},
		{"many signs", "- return: '{{ " + strings.Repeat("-", 10_000) + "1 }}'\n", engine.EvaluationException, "too"},
		{"deep suites", "- code: |\n" + steps(300, "if 1:"), engine.CodeExecutionException, "too many"},
		{"a value that is made deep", "- code: |\n    xs = []\n    for i in range(20000): xs = [xs]\n    str(xs)\n", engine.LimitException, "value depth"},
		{"a pattern that tries everything", "- code: |\n    import re\n    re.match('(a*)*b', 'a' * 40)\n", engine.LimitException, "limit"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := load(t, engine.LoadOptions{Limits: limits}, map[string]string{"main.yml": tt.text, "other.yml": "- dispatch: main\n"})
			_, err := run(t.Context(), c, "")
			if tt.class == "" {
				if err != nil {
					t.Errorf("Run() = %v", err)
				}
				return
			}
			if e := failsWith(t, err, tt.class); !strings.Contains(e.Message, tt.want) {
				t.Errorf("Run() = %v, want %q", err, tt.want)
			}
		})
	}
}

// steps writes lines that each stand one level deeper than the one before.
func steps(n int, line string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "    %s%s\n", strings.Repeat(" ", i), line)
	}
	return b.String() + "    " + strings.Repeat(" ", n) + "pass\n"
}

// There is no way from any value to the program around it, and looking for one
// is an error like that for any other name.
func TestDunderNamesLeadNowhere(t *testing.T) {
	for _, src := range []string{
		"().__class__", "''.__class__.__base__.__subclasses__()", "(lambda: 0).__globals__", "len.__self__", "data.__class__", "data['__class__']",
		"'{0.__class__}'.format(data)", "'{0.__init__.__globals__}'.format(len)", "'{a.__class__}'.format_map({'a': 1})", "f'{data.__dict__}'",
		"getattr(data, '__class__')", "__import__('os')", "__builtins__", "__name__", "type(data).__mro__", "type.__subclasses__(type)",
		"[x.__iter__ for x in [[1]]]", "response.__class__", "handle.__class__", "(i for i in [1]).gi_frame", "eval('1')", "exec('1')", "open('/etc/passwd')",
		"globals()", "vars()", "compile('1', '', 'eval')",
	} {
		t.Run(src, func(t *testing.T) {
			t.Parallel()
			c := single(t, "- {chip: kit.echo, store_result_as: response}\n- {code: '1', run_async: true, store_result_as: handle}\n- code: "+quoted(src)+"\n")
			_, err := run(t.Context(), c, `{"data": {"a": 1}}`)
			e := failsWith(t, err, engine.CodeExecutionException)
			switch e.CauseClass() {
			case "AttributeError", "NameError", "KeyError", "TypeError":
			default:
				t.Errorf("Run() of %s = %v", src, err)
			}
		})
	}
}

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// What a client sends is data, however it is named and whatever it looks like.
func TestHostileVariablesAreData(t *testing.T) {
	for _, tt := range []struct{ name, variables, want string }{
		{"a template", `{"x": "{{ 1 + 1 }}"}`, `["{{ 1 + 1 }}","{{ 1 + 1 }}","{{ 1 + 1 }}"]`},
		{"a template in a list", `{"x": ["{{ secret }}"]}`, `[["{{ secret }}"],["{{ secret }}"],"['{{ secret }}']"]`},
		{"var() of the author's", `{"x": "var(secret)"}`, `["var(secret)","var(secret)","var(secret)"]`},
		{"var() of itself", `{"x": "var(x)"}`, `["var(x)","var(x)","var(x)"]`},
		{"code", `{"x": "__import__('os').system('id')"}`, `["__import__('os').system('id')","__import__('os').system('id')","__import__('os').system('id')"]`},
		{"keys with dunders", `{"x": {"__class__": 1}, "__builtins__": {"len": 0}, "__class__": 2}`, `[{"__class__":1},{"__class__":1},"{'__class__': 1}"]`},
		{"names of builtins", `{"x": 1, "str": "{{ 2 }}"}`, "EvaluationException"},
		{"deep nesting", `{"x": ` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`, "ValidationException"},
		{"a number without end", `{"x": 1` + strings.Repeat("0", 100_000) + `}`, "ValidationException"},
		{"no UTF-8", "{\"x\": \"\xff\"}", "ValidationException"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := single(t, "- declare: {secret: hidden}\n- return: ['{{ x }}', var(x), '{{ str(x) }}']\n")
			got, err := run(t.Context(), c, tt.variables)
			if strings.HasSuffix(tt.want, "Exception") {
				failsWith(t, err, tt.want)
			} else if err != nil || got != tt.want {
				t.Errorf("Run() = %s, %v, want %s", got, err, tt.want)
			}
		})
	}
}
