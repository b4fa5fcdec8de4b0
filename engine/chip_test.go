package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/engine/expr"
)

type everything struct {
	Flag    bool
	Count   int `default:"5"`
	Big     int64
	Ratio   float64
	Text    string `doc:"Some text." required:"true"`
	Data    []byte
	Any     any
	Maybe   *string
	List    []int
	Map     map[string]float64
	Nested  struct{ DeepValue int }
	HTTPUrl string `enum:"a,b" default:"a"`
}

func everythingChip(t *testing.T, got *everything) *engine.Chips {
	t.Helper()
	return engine.NewChips(engine.NewChip("all.types", "Takes everything.",
		func(_ context.Context, r everything) (everything, error) {
			*got = r
			return r, nil
		}))
}

func TestParamsAreReadLeniently(t *testing.T) {
	for _, tt := range []struct {
		params, want string // want is the response, or the error after "params: "
	}{
		{
			`{text: a}`,
			`{"flag":false,"count":5,"big":0,"ratio":0.0,"text":"a","data":"","any":null,"maybe":null,"list":[],"map":{},"nested":{"deep_value":0},"http_url":"a"}`,
		},
		{
			`{text: b, flag: "yes", count: " 7 ", big: 3.0, ratio: "0.5", any: [1], maybe: x, list: ["1", 2.0, true], map: {a: 1, b: "2"}, nested: {deep_value: "4"}, http_url: b}`,
			`{"flag":true,"count":7,"big":3,"ratio":0.5,"text":"b","data":"","any":[1],"maybe":"x","list":[1,2,1],"map":{"a":1.0,"b":2.0},"nested":{"deep_value":4},"http_url":"b"}`,
		},
		{`{text: a, list: "{{ (1, 2) }}"}`, `"list":[1,2]`},
		{`{text: a, list: "{{ range(3) }}"}`, `"list":[0,1,2]`},
		{`{text: a, count: "1_000"}`, `"count":1000`},
		{`{text: a, count: "2.0"}`, `"count":2`},
		{`{text: a, unknown: 1}`, `"text":"a"`},
		{`{}`, `error: "text" is missing`},
		{`{text: 5}`, `error: "text" wants text, not 5`},
		{`{text: null}`, `error: "text" wants text, not null`},
		{`{text: a, count: 1.5, flag: maybe, list: xy}`, `error: "flag" wants bool, not 'maybe'; "count" wants int, not 1.5; "list" wants list of int, not 'xy'`},
		{`{text: a, list: [1, x]}`, `error: "list" item 1 wants int, not 'x'`},
		{`{text: a, map: {a: x}}`, `error: "map" ["a"] wants float, not 'x'`},
		{`{text: a, map: {1: 1}}`, `error: "map" wants keys that are text, not 1`},
		{`{text: a, nested: {deep_value: x}}`, `error: "nested" `},
		{`{text: a, nested: 1}`, `error: "nested" wants `},
		{`{text: a, http_url: c}`, `error: "http_url" wants one of "a", "b", not 'c'`},
		{`{text: a, big: 1e30}`, `error: "big" wants int, not 1e+30`},
		{`{text: a, big: 123456789012345678901234567890}`, `error: "big" wants int`},
	} {
		t.Run(tt.params, func(t *testing.T) {
			t.Parallel()
			var got everything
			c := load(t, engine.LoadOptions{Chips: everythingChip(t, &got)}, map[string]string{
				"main.yml": "- chip: all.types\n  params: " + tt.params + "\n  return_result: true\n",
			})
			out, err := run(t.Context(), c, "")
			if want, fails := strings.CutPrefix(tt.want, "error: "); fails {
				e := failsWith(t, err, engine.InvalidChipParametersException)
				if !strings.HasPrefix(e.Message, "all.types: "+want) {
					t.Errorf("Run() = %s, want %s", e.Message, want)
				}
			} else if err != nil || !strings.Contains(out, tt.want) {
				t.Errorf("Run() = %s, %v, want %s", out, err, tt.want)
			}
		})
	}
}

type anything struct{ Value any }

func TestPlainGoValuesBecomeValues(t *testing.T) {
	for _, tt := range []struct {
		in   any
		want string
	}{
		{nil, "null"}, {7, "7"}, {2.0, "2.0"}, {"x", `"x"`}, {[]byte("y"), `"y"`}, {time.Minute, `"1m0s"`}, {int8(3), `"3"`},
		{map[string]any{"b": []any{1, nil, true}, "a": map[string]any{}}, `{"a":{},"b":[1,null,true]}`},
		{big.NewInt(5), "5"}, {expr.NewList(int64(1)), "[1]"}, {expr.DateOf(time.Unix(0, 0).UTC()), `"1970-01-01"`},
	} {
		chip := engine.NewChip("go.value", "Gives a Go value.", func(context.Context, struct{}) (anything, error) {
			return anything{tt.in}, nil
		})
		c := load(t, engine.LoadOptions{Chips: engine.NewChips(chip)}, map[string]string{
			"main.yml": "- {chip: go.value, store_result_as: r}\n- return: '{{ r.value }}'\n",
		})
		result(t, c, "", tt.want)
	}
}

func TestAStrictChipRefusesUnknownParams(t *testing.T) {
	_, err := run(t.Context(), single(t, "- chip: kit.grade\n  params: {person: {name: a, age: 1}, zzz: 1}\n"), "")
	failsWith(t, err, engine.InvalidChipParametersException)
}

func TestAChipsErrorsAreKept(t *testing.T) {
	sentinel := errors.New("disk full")
	chip := engine.NewChip("bad.chip", "Fails.", func(context.Context, struct{}) (struct{}, error) {
		return struct{}{}, &engine.Raised{Class: "DiskError", Message: "no room", Err: sentinel}
	})
	c := load(t, engine.LoadOptions{Chips: engine.NewChips(chip)}, map[string]string{"main.yml": "- chip: bad.chip\n"})
	_, err := run(t.Context(), c, "")
	e := failsWith(t, err, engine.ChipException)
	if !errors.Is(err, sentinel) || e.CauseClass() != "DiskError" {
		t.Errorf("Run() = %v with cause %s, want DiskError and the error itself", err, e.CauseClass())
	}
}

func TestChipsDescribeThemselves(t *testing.T) {
	chips := kitChips()
	c := chips.Lookup("kit.greet")
	want := []engine.Field{
		{Name: "name", Type: "text", Required: true},
		{Name: "times", Type: "int", Default: json.RawMessage("1")},
		{Name: "style", Type: "text", Default: json.RawMessage(`"plain"`), Enum: []string{"plain", "loud"}},
		{Name: "tags", Type: "list of text", Default: json.RawMessage("[]")},
		{Name: "scores", Type: "map of int or null", Default: json.RawMessage("null")},
		{Name: "ratio", Type: "float or null", Default: json.RawMessage("null")},
		{Name: "active", Type: "bool", Default: json.RawMessage("true")},
	}
	if diff := cmp.Diff(want, c.Params()); diff != "" {
		t.Errorf("Params() differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("- chip: kit.greet\n  params:\n    name: \"...\"\n  store_result_as: answer\n", c.Example()); diff != "" {
		t.Errorf("Example() differs (-want +got):\n%s", diff)
	}
	var schema struct {
		Title      string
		Required   []string
		Properties map[string]any
	}
	if err := json.Unmarshal(c.JSONSchema(), &schema); err != nil {
		t.Fatal(err)
	}
	if schema.Title != "kit.greet" || len(schema.Required) != 1 || len(schema.Properties) != 7 {
		t.Errorf("JSONSchema() = %s", c.JSONSchema())
	}
	if chips.Lookup("reasonchip.chipsets.kit.greet") != c || chips.Lookup("kit.gret") != nil {
		t.Error("Lookup() does not find chips by their long name only")
	}
	for _, c := range chips.All() {
		if c.Doc() == "" {
			t.Errorf("chip %s has no documentation", c.Name())
		}
	}
}

func TestEveryExampleLoads(t *testing.T) {
	for _, c := range kitChips().All() {
		col := load(t, engine.LoadOptions{}, map[string]string{"main.yml": c.Example()})
		if w := col.Warnings(); len(w) > 0 && !strings.Contains(w[0].Message, "person") {
			t.Errorf("the example of %s warns: %v", c.Name(), w)
		}
	}
}

func TestChipsThatCannotBeDescribedPanic(t *testing.T) {
	for name, f := range map[string]func(){
		"a channel":          func() { newChipWith[struct{ C chan int }]("a.b") },
		"a map from numbers": func() { newChipWith[struct{ M map[int]int }]("a.b") },
		"a wrong default": func() {
			newChipWith[struct {
				N int `default:"x"`
			}]("a.b")
		},
		"a default outside its enum": func() {
			newChipWith[struct {
				S string `default:"c" enum:"a,b"`
			}]("a.b")
		},
		"no struct":      func() { newChipWith[int]("a.b") },
		"no set in name": func() { newChipWith[struct{}]("ab") },
		"two of a name":  func() { engine.NewChips(newChipWith[struct{}]("a.b"), newChipWith[struct{}]("a.b")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

func newChipWith[T any](name string) engine.Chip {
	return engine.NewChip(name, "", func(context.Context, T) (struct{}, error) { return struct{}{}, nil })
}
