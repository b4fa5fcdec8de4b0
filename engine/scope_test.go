package engine_test

import (
	"strings"
	"testing"

	"github.com/pullrun/pullrun/engine"
)

func TestScopesAreIsolatedAsIfTheyWereDeepCopies(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{
			name: "what a result holds is not changed by later results",
			text: "- declare: {r: []}\n- loop: [1, 2, 3]\n  code: r\n  append_result_into: r\n- return: '{{ r }}'\n",
			want: "[[],[[]],[[],[[]]]]",
		},
		{
			name: "a stored value is not changed through the variable it came from",
			text: "- declare: {xs: [1]}\n- code: xs\n  store_result_as: ys\n- declare: {n: '{{ xs.append(2) }}'}\n- return: ['{{ xs }}', '{{ ys }}']\n",
			want: "[[1,2],[1]]",
		},
		{
			name: "the list that a file holds is not changed by a run",
			text: "- declare: {xs: [1]}\n- declare: {n: '{{ xs.append(2) }}'}\n- return: '{{ xs }}'\n",
			want: "[1,2]",
		},
		{
			name: "a task set changes its own copy, through all levels",
			text: `
- declare: {m: {a: {b: [1]}}}
- tasks:
    - declare: {n: "{{ m.a.b.append(2) }}", m.a.c: 5}
    - tasks:
        - declare: {n: "{{ m.a.b.append(3) }}"}
        - return: "{{ m }}"
      store_result_as: deep
    - return: ["{{ deep }}", "{{ m }}"]
  store_result_as: inner
- return: ["{{ inner }}", "{{ m }}"]
`,
			want: `[[{"a":{"b":[1,2,3],"c":5}},{"a":{"b":[1,2],"c":5}}],{"a":{"b":[1]}}]`,
		},
		{
			name: "a response of a chip is changed in a copy",
			text: `
- {chip: kit.greet, params: {name: a, tags: [x]}, store_result_as: g}
- code: g.tags.append('y') or g.tags
  store_result_as: changed
- return: ["{{ g.tags }}", "{{ changed }}"]
`,
			want: `[["x"],["x","y"]]`,
		},
		{
			name: "so is one that lies in a list or a map",
			text: `
- loop: [1, 2]
  chip: kit.greet
  params: {name: a, tags: [x]}
  append_result_into: gs
- declare: {m: {g: "{{ gs }}"}}
- tasks:
    - declare: {n: "{{ gs[0].tags.append('y') }}", o: "{{ m.g[1].tags.append('z') }}"}
    - return: ["{{ gs[0].tags }}", "{{ m.g[1].tags }}"]
  store_result_as: inner
- return: ["{{ inner }}", "{{ [g.tags for g in gs] }}", "{{ [g.tags for g in m.g] }}"]
`,
			want: `[[["x","y"],["x","z"]],[["x"],["x"]],[["x"],["x"]]]`,
		},
		{
			name: "a background task changes its own copies of responses",
			text: `
- loop: [1, 2]
  chip: kit.greet
  params: {name: a, tags: [x]}
  append_result_into: gs
- loop: [1, 2, 3]
  code: gs[1].tags.append(item) or gs[1].tags
  run_async: true
  append_result_into: hs
- loop: "{{ hs }}"
  chip: reasonchip.async.wait_for
  params: {task: "{{ item }}"}
  append_result_into: rs
- return: ["{{ [r.resp for r in rs] }}", "{{ gs[1].tags }}"]
`,
			want: `[[["x",1],["x",2],["x",3]],["x"]]`,
		},
		{
			name: "two variables made from one are apart",
			text: "- declare: {a: [1]}\n- declare: {b: '{{ a }}'}\n- declare: {n: '{{ b.append(2) }}'}\n- return: ['{{ a }}', '{{ b }}']\n",
			want: "[[1],[1,2]]",
		},
		{
			name: "what code assigns twice is one value, and changes once",
			text: "- code: |\n    a = b = [1]\n    a.append(2)\n    [a, b]\n  return_result: true\n",
			want: "[[1,2],[1,2]]",
		},
		{
			name: "many nested sets see and keep what is theirs",
			text: "- declare: {n: 0}\n" + nestedSets(30, "- return: '{{ n }}'\n"),
			want: "30",
		},
		{
			name: "a name that code deletes is gone in its scope only",
			text: `
- declare: {a: 1}
- code: |
    del a
    try:
        b = a
    except NameError:
        b = 'gone'
    b
  store_result_as: r
- return: ["{{ r }}", "{{ a }}"]
`,
			want: `["gone",1]`,
		},
		{
			name: "loop and item may be kept",
			text: "- declare: {kept: []}\n- loop: [7, 8]\n  code: '[item, loop]'\n  append_result_into: kept\n- return: '{{ [[k[0], k[1].index, k[1].last] for k in kept] }}'\n",
			want: "[[7,1,false],[8,2,true]]",
		},
		{
			name: "a branch out of many sets keeps the variables",
			text: "- declare: {n: 0}\n" + nestedSets(12, "- branch: sub\n"),
			want: `[12,"kept"]`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := load(t, engine.LoadOptions{}, map[string]string{
				"main.yml": tt.text,
				"sub.yml":  "- declare: {more: kept}\n- return: ['{{ n }}', '{{ more }}']\n",
			})
			for range 2 {
				result(t, c, "", tt.want)
			}
		})
	}
}

// nestedSets puts tasks into task sets inside each other, each of which adds
// one to n.
func nestedSets(depth int, tasks string) string {
	if depth == 0 {
		return tasks
	}
	var b strings.Builder
	b.WriteString("- tasks:\n")
	for line := range strings.Lines("- declare: {n: '{{ n + 1 }}'}\n" + nestedSets(depth-1, tasks)) {
		b.WriteString("    " + line)
	}
	b.WriteString("  return_result: true\n")
	return b.String()
}
