package main

import (
	"strings"
	"testing"
)

func TestGraph(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		args     []string
		code     int
		out, log string // what each begins with
	}{
		{name: "Mermaid unless told otherwise", args: []string{"fail", "../../examples"}, out: "flowchart TD\n  subgraph list1[\"fail\"]\n"},
		{name: "DOT", args: []string{"fail", "../../examples", "--format", "dot"}, out: "digraph \"fail\" {\n"},
		{name: "another language", args: []string{"fail", "../../examples", "--format", "svg"}, code: exitUsage, log: `pullrun: --format must be mermaid or dot, got "svg"`},
		{name: "an unknown pipeline", args: []string{"fial", "../../examples"}, code: exitNotFound, log: `pullrun: unknown pipeline "fial"; did you mean "fail"?`},
		{name: "pipelines that are wrong", args: []string{"main", "testdata/broken"}, code: exitUsage, log: `pullrun: testdata/broken/`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code, out, log := within(t, append([]string{"graph"}, tt.args...)...)
			if code != tt.code || !strings.HasPrefix(out, tt.out) || !strings.HasPrefix(log, tt.log) {
				t.Errorf("exit code %d\n%s%s\nwant %d, %q, %q", code, out, log, tt.code, tt.out, tt.log)
			}
		})
	}
}
