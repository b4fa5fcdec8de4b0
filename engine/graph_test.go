package engine_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/engine"
)

var update = flag.Bool("update", false, "write the golden files anew")

// orders is a collection that has an example of everything a graph can show.
func orders(t *testing.T) *engine.Collection {
	t.Helper()
	return load(t, engine.LoadOptions{}, map[string]string{
		"main.yml": `
- comment: not drawn, but counted
- name: add up
  code: |
    total = sum(amounts)
    total / len(amounts)
  retry: 3
  rescue:
  - declare: {total: 0, failed: true}
  finally:
  - comment: only a remark
- loop: "{{ customers }}"
  loop_parallel: 4
  tasks:
  - chip: kit.echo
    params: {value: "{{ item }}"}
    run_async: true
  - dispatch: sub.note
  finally:
  - dispatch: main
    when: again
- branch: last
  when: total > 100 and "a" < name
- assert: [total > 0, total < 9]
- return: {total: "{{ total }}", "odd \\ #1": "<b>"}
`,
		"last.yml":     "- comment: nothing but this",
		"sub/note.yml": "- chip: kit.mark\n  params: {mark: x}\n  loop: [1, 2]\n- terminate: \"{{ `\\\" }}\"\n",
		"other.yml":    "- return: not drawn",
	})
}

func TestGraph(t *testing.T) {
	t.Parallel()
	g, err := orders(t).Graph("main")
	if err != nil {
		t.Fatal(err)
	}
	for file, got := range map[string]string{"orders.mmd": g.Mermaid(), "orders.dot": g.DOT()} {
		t.Run(file, func(t *testing.T) {
			golden := "testdata/graph/" + file
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s differs; write it anew with -update if that is meant:\n%s", golden, diff)
			}
		})
	}
}

// Every edge leads from a node that is there to one that is there, and every
// node stands in a group.
func TestGraphIsWhole(t *testing.T) {
	t.Parallel()
	g, err := orders(t).Graph("main")
	if err != nil {
		t.Fatal(err)
	}
	groups, nodes := map[string]bool{"": true}, map[string]bool{}
	for _, group := range g.Groups {
		if !groups[group.Parent] {
			t.Errorf("group %+v comes before its parent", group)
		}
		groups[group.ID] = true
	}
	for _, n := range g.Nodes {
		if nodes[n.ID] || !groups[n.Group] || n.Group == "" {
			t.Errorf("node %+v is there twice or in no group", n)
		}
		nodes[n.ID] = true
	}
	into := map[engine.EdgeKind]int{}
	for _, e := range g.Edges {
		if !nodes[e.From] || !nodes[e.To] {
			t.Errorf("edge %+v leads nowhere", e)
		}
		into[e.Kind]++
	}
	want := map[engine.EdgeKind]int{
		engine.EdgeNext: 8, engine.EdgeTasks: 1, engine.EdgeRescue: 1, engine.EdgeFinally: 1, engine.EdgeDispatch: 2, engine.EdgeBranch: 1,
	}
	if diff := cmp.Diff(want, into); diff != "" {
		t.Errorf("edges differ:\n%s", diff)
	}
}

func TestGraphOfAnUnknownPipeline(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"sub.notes": `unknown pipeline "sub.notes"; did you mean "sub.note"?`,
		"nothing like it at all, whatever it may be": `unknown pipeline "nothing`,
	} {
		if g, err := orders(t).Graph(name); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("Graph(%q) = %v, %v, want the error %q", name, g, err, want)
		}
	}
}
