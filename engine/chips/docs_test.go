package chips_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/engine/chips"
)

var update = flag.Bool("update", false, "write docs/chips.md anew")

// TestDocs holds docs/chips.md and the chips together. TestExamples runs what
// it shows.
func TestDocs(t *testing.T) {
	t.Parallel()
	const file = "../../docs/chips.md"
	want := document(standard())
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/chips.md is stale; write it anew with: go test ./engine/chips -run TestDocs -update\n%s", diff)
	}
}

func document(all *engine.Chips) string {
	var b strings.Builder
	b.WriteString(`# Chips

<!-- Made from the chips by: go test ./engine/chips -run TestDocs -update -->

What a pipeline can call. ` + "`pullrun chips NAME`" + ` shows the same on the command line. Each chip answers to its long
name too, such as ` + "`reasonchip.chipsets.http.get`" + `, and a response has its fields as attributes: ` + "`answer.status`" + `.

A number or a boolean may also be given as text (` + "`\"12\"`, `\"yes\"`" + `), and a whole float where an int is wanted; a number is
never taken for text. A param that the chip does not know is ignored, and ` + "`pullrun validate`" + ` warns of it.

| chip | what it does |
| --- | --- |
`)
	for _, c := range all.All() {
		fmt.Fprintf(&b, "| [%s](#%s) | %s |\n", c.Name(), strings.ReplaceAll(c.Name(), ".", ""), cell(c.Doc()))
	}
	for _, c := range all.All() {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", c.Name(), c.Doc())
		fields(&b, "param", c.Params(), true)
		fields(&b, "response", c.Response(), false)
		if ex, ok := chips.ExampleOf(c.Name()); ok {
			example(&b, ex)
		}
	}
	return b.String()
}

func fields(b *strings.Builder, what string, list []engine.Field, taken bool) {
	if len(list) == 0 {
		return
	}
	head, line := "", ""
	if taken {
		head, line = " default |", " --- |"
	}
	fmt.Fprintf(b, "\n| %s | type |%s |\n| --- | --- |%s --- |\n", what, head, line)
	for _, f := range list {
		fmt.Fprintf(b, "| `%s` | %s |", f.Name, f.Type)
		switch {
		case f.Required:
			b.WriteString(" required |")
		case taken:
			fmt.Fprintf(b, " `%s` |", f.Default)
		}
		b.WriteString(" " + cell(f.Doc))
		if len(f.Enum) > 0 {
			fmt.Fprintf(b, " One of `%s`.", strings.Join(f.Enum, "`, `"))
		}
		b.WriteString(" |\n")
	}
}

// example writes an example, and what it gives where that is certain, in
// fences that are longer than any in it.
func example(b *strings.Builder, ex chips.Example) {
	fence := "```"
	for strings.Contains(ex.Pipeline, fence) {
		fence += "`"
	}
	fmt.Fprintf(b, "\n%syaml\n%s%s\n", fence, ex.Pipeline, fence)
	if ex.Result != "" {
		fmt.Fprintf(b, "\n```json result\n%s\n```\n", ex.Result)
	}
}

// cell makes text fit into a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
