package engine_test

import (
	"testing"

	"github.com/pullrun/pullrun/engine"
)

func TestPaths(t *testing.T) {
	for _, tt := range []struct{ name, text, want, class string }{
		{name: "a path into a new variable", text: "- declare: {a.b.c: 1}\n- return: '{{ a }}'\n", want: `{"b":{"c":1}}`},
		{name: "a scalar in the way is replaced", text: "- declare: {a: 5}\n- declare: {a.b: 1}\n- return: '{{ a }}'\n", want: `{"b":1}`},
		{name: "a list is made longer on the way", text: "- declare: {a: [1]}\n- declare: {'a[2].x': 3}\n- return: '{{ a }}'\n", want: `[1,{},{"x":3}]`},
		{name: "but not at its end", text: "- declare: {a: [1]}\n- declare: {'a[1]': 3}\n", class: engine.VariablePathException},
		{name: "nor far beyond it", text: "- declare: {a: [1]}\n- declare: {'a[999999999].x': 3}\n", class: engine.VariablePathException},
		{name: "an index wants a list", text: "- declare: {a: {b: 1}}\n- declare: {'a[0].x': 3}\n", class: engine.VariablePathException},
		{name: "and one that is there", text: "- declare: {'a[0].x': 3}\n", class: engine.VariablePathException},
		{name: "quoted keys", text: "- declare: {'a[\"x-y\"]': 1, \"a['z.[]']\": 2}\n- return: '{{ a }}'\n", want: `{"x-y":1,"z.[]":2}`},
		{name: "what is no path is a name", text: "- declare: {'a-b': 1, 'a.': 2, 'a[x]': 3, '[0]': 4, ']': 5, 'a[\"b': 6, 'é': 7}\n- return: '{{ é }}'\n", want: "7"},
		{name: "a result at a path", text: "- declare: {a: {b: {c: 1}}}\n- {code: '{\"d\": 2}', store_result_as: a.b}\n- return: '{{ a }}'\n", want: `{"b":{"d":2}}`},
		{name: "a result into a list at a path", text: "- declare: {a: [{xs: [1]}]}\n- {code: '2', append_result_into: 'a[0].xs'}\n- {code: '3', append_result_into: a_new.ys}\n- return: ['{{ a }}', '{{ a_new }}']\n", want: `[[{"xs":[1,2]}],{"ys":[3]}]`},
		{name: "a result into a map at a path", text: "- declare: {a: {m: {k: 1}}}\n- {code: '2', key_result_into: {name: a.m, key: k}}\n- {code: '3', key_result_into: {name: a.n, key: k}}\n- return: '{{ a }}'\n", want: `{"m":{"k":2},"n":{"k":3}}`},
		{name: "a path into a response", text: "- {chip: kit.echo, params: {value: 1}, store_result_as: r}\n- declare: {r.more: 2}\n- return: '{{ r }}'\n", want: `{"value":1,"more":2}`},
		{name: "a list in a response takes a result", text: "- {chip: kit.echo, params: {value: [1]}, store_result_as: r}\n- {code: '2', append_result_into: r.value}\n- return: '{{ r }}'\n", want: `{"value":[1,2]}`},
		{name: "a result onto what is no list", text: "- declare: {a: {b: 1}}\n- {code: '2', append_result_into: a.b}\n", class: engine.InvalidChipParametersException},
		{name: "a result under what is no map", text: "- declare: {a: {b: 1}}\n- {code: '2', key_result_into: {name: a.b, key: c}}\n", class: engine.InvalidChipParametersException},
		{name: "a key that cannot be one", text: "- {code: '2', key_result_into: {name: a, key: '{{ [1] }}'}}\n", class: engine.VariablePathException},
		{name: "params and variables are paths too", text: "- tasks: [{return: '{{ a }}'}]\n  variables: {a.b: 1}\n  params: {a.c: 2}\n  return_result: true\n", want: `{"b":1,"c":2}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := run(t.Context(), single(t, tt.text), "")
			if tt.class != "" {
				failsWith(t, err, tt.class)
			} else if err != nil || got != tt.want {
				t.Errorf("Run() = %s, %v, want %s", got, err, tt.want)
			}
		})
	}
}
