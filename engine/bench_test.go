package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pullrun/pullrun/engine"
)

// bench runs main b.N times.
func bench(b *testing.B, text, variables string, per int) {
	c := single(b, text)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := run(b.Context(), c, variables); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*per), "ns/task")
}

// repeat writes a task many times.
func repeat(task string, n int) string { return strings.Repeat(task, n) }

func BenchmarkEmptyRun(b *testing.B)    { bench(b, "- return: 1\n", "", 1) }
func BenchmarkTrivialCode(b *testing.B) { bench(b, repeat("- code: '1'\n", 1000), "", 1000) }

// BenchmarkExpressions is the return of the README's first pipeline: a text
// with two expressions, under a condition.
func BenchmarkExpressions(b *testing.B) {
	task := "- declare:\n    said: \"{{ name }}, the page has {{ len(page.text) }} characters\"\n  when: page.status_code == 200\n"
	bench(b, repeat(task, 1000), `{"name": "Ada", "page": {"status_code": 200, "text": "hello"}}`, 1000)
}

func BenchmarkTrivialDeclare(b *testing.B) {
	bench(b, repeat("- declare: {a: 1}\n", 1000), "", 1000)
}

func BenchmarkTrivialChip(b *testing.B) {
	bench(b, repeat("- {chip: kit.add, params: {a: 1}}\n", 1000), "", 1000)
}

func BenchmarkTaskSet(b *testing.B) {
	bench(b, repeat("- tasks: [{return: 1}]\n", 1000), "", 1000)
}

func BenchmarkLoopIteration(b *testing.B) {
	bench(b, "- loop: '{{ range(1000) }}'\n  code: item\n", "", 1000)
}

func BenchmarkLoopAppend(b *testing.B) {
	bench(b, "- loop: '{{ range(1000) }}'\n  code: \"{'a': item}\"\n  append_result_into: rows\n", "", 1000)
}

func BenchmarkRunAsync(b *testing.B) {
	bench(b, "- loop: '{{ range(500) }}'\n  code: item\n  run_async: true\n", "", 500)
}

// BenchmarkLargeScope is a loop of 100 tasks while a table of 5,000 rows
// lies in the variables.
func BenchmarkLargeScope(b *testing.B) {
	bench(b, "- loop: '{{ range(100) }}'\n  tasks:\n    - code: len(rows) + item\n", `{"rows": [`+rows(5000)+`]}`, 100)
}

// BenchmarkLargeScopeIdle is the same without the loop: what remains is
// reading the table from JSON.
func BenchmarkLargeScopeIdle(b *testing.B) {
	bench(b, "- return: 1\n", `{"rows": [`+rows(5000)+`]}`, 1)
}

// BenchmarkLargeScopeMade is the same with a table that the run makes.
func BenchmarkLargeScopeMade(b *testing.B) {
	bench(b, "- declare: {rows: '{{ [\\{\"id\": i, \"name\": str(i)\\} for i in range(5000)] }}'}\n- loop: '{{ range(100) }}'\n  tasks:\n    - code: len(rows) + item\n", "", 100)
}

func rows(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`{"id": %d, "name": "row %d", "score": %d.5, "tags": ["a", "b"]}`, i, i, i)
	}
	return strings.Join(list, ",")
}

// BenchmarkObservedLoop is a long loop with an observer.
func BenchmarkObservedLoop(b *testing.B) {
	c := single(b, "- loop: '{{ range(20000) }}'\n  tasks:\n    - code: item\n")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Run(b.Context(), engine.Input{Pipeline: "main", Observer: &recorder{}}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLoad1000 loads a thousand pipelines of ten tasks.
func BenchmarkLoad1000(b *testing.B) {
	files := map[string]string{}
	for i := range 1000 {
		files[fmt.Sprintf("p%d.yml", i)] = repeat(fmt.Sprintf("- chip: kit.add\n  params: {a: '{{ n + %d }}', b: 2}\n  when: n > %d\n  store_result_as: r\n", i, i), 10)
	}
	opts := engine.LoadOptions{FS: fsOf(files), Chips: kitChips()}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := engine.Load(opts); err != nil {
			b.Fatal(err)
		}
	}
}
