package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/engine/expr"
)

func TestRespond(t *testing.T) {
	t.Parallel()
	type response struct {
		Status string `enum:"OK,ERROR"`
		Count  int
		Note   *string
		Tags   []string
		Body   any
	}
	c := engine.NewChip("test.chip", "Tests.", func(context.Context, struct{}) (response, error) { return response{}, nil })
	silent := engine.NewChip("test.silent", "Tests.", func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil })
	for _, tt := range []struct {
		name         string
		chip         *engine.Chip
		object       string
		want, refuse string
	}{
		{name: "what is left out is empty, or the first of its values", chip: &c, object: `{}`, want: `{"status":"OK","count":0,"note":null,"tags":[],"body":null}`},
		{name: "what is given is kept", chip: &c, object: `{"status":"ERROR","count":2,"note":"n","tags":["a"],"body":{"b":[1.0]}}`, want: `{"status":"ERROR","count":2,"note":"n","tags":["a"],"body":{"b":[1.0]}}`},
		{name: "a field that the response does not have", chip: &c, object: `{"code":2}`, refuse: `response of test.chip: "code" is not known`},
		{name: "a value of another type", chip: &c, object: `{"count":"many"}`, refuse: `response of test.chip: "count" wants int, not 'many'`},
		{name: "a value out of the set", chip: &c, object: `{"status":"FINE"}`, refuse: `response of test.chip: "status" wants one of "OK", "ERROR", not 'FINE'`},
		{name: "no map", chip: &c, object: `[1]`, refuse: `response of test.chip: wants a map, not a list`},
		{name: "no JSON", chip: &c, object: `{`, refuse: `response of test.chip: `},
		{name: "null from a chip that gives nothing", chip: &silent, object: `null`, want: `null`},
		{name: "something from a chip that gives nothing", chip: &silent, object: `{}`, refuse: `response of test.silent: wants null, not a dict`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v, err := tt.chip.Respond([]byte(tt.object))
			if tt.refuse != "" {
				if err == nil || !strings.HasPrefix(err.Error(), tt.refuse) {
					t.Errorf("Respond() = %v, %v, want the error %s", v, err, tt.refuse)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, err := expr.ToJSON(v); err != nil || string(got) != tt.want {
				t.Errorf("Respond() = %s, %v, want %s", got, err, tt.want)
			}
		})
	}
}

// What stands around a chip sees only calls whose params are right, and may
// make the call or not.
func TestAround(t *testing.T) {
	t.Parallel()
	calls := 0
	add := kitChips().Lookup("kit.add")
	around := add.Around(func(ctx context.Context, call func(context.Context) (expr.Value, error)) (expr.Value, error) {
		if calls++; calls == 2 {
			return nil, errors.New("not twice")
		}
		return call(ctx)
	})
	c := load(t, engine.LoadOptions{Chips: engine.NewChips(around)}, map[string]string{
		"main.yml": "- chip: kit.add\n  params: {a: '{{ a }}'}\n  return_result: true",
	})
	_, err := run(t.Context(), c, `{"a": "x"}`)
	failsWith(t, err, engine.InvalidChipParametersException)
	result(t, c, `{"a": 1}`, `{"total":1}`)
	_, err = run(t.Context(), c, `{"a": 1}`)
	failsWith(t, err, engine.ChipException)
	if calls != 2 {
		t.Errorf("the chip was called %d times, want 2", calls)
	}
}
