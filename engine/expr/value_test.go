package expr_test

import (
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/pullrun/pullrun/engine/expr"
)

func TestJSONRoundTrip(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		`null`, `true`, `0`, `-7`, `1.0`, `1e+16`, `0.1`, `123456789012345678901234567890`, `""`, `"Grüße, 世界 \"\\\n"`,
		`[]`, `{}`, `[1,[2.5,null],{"b":1,"a":{"":false}}]`, `{"z":1,"y":2,"x":3}`, `"😀"`,
	} {
		v, err := expr.FromJSON([]byte(s))
		if err != nil {
			t.Errorf("FromJSON(%s): %v", s, err)
			continue
		}
		got, err := expr.ToJSON(v)
		if err != nil || string(got) != s {
			t.Errorf("ToJSON(FromJSON(%s)) = %s, %v", s, got, err)
		}
	}
}

func TestFromJSONRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, data, want string }{
		{"nothing", ``, "Expecting value: line 1 column 1"},
		{"trailing data", `1 2`, "Extra data: line 1 column 3"},
		{"a trailing comma", `[1,]`, "Expecting value: line 1 column 4"},
		{"a comma in an object", "{\"a\":1,\n}", "Expecting property name enclosed in double quotes: line 2 column 1"},
		{"NaN", `NaN`, "Expecting value"},
		{"infinity", `-Infinity`, "Expecting value"},
		{"leading zeros", `01`, "Extra data"},
		{"a lone minus", `-`, "Expecting value"},
		{"a bare fraction", `1.`, "Expecting digits"},
		{"a number beyond floats", `1e999`, "Number out of range"},
		{"too many digits", strings.Repeat("1", 5000), "too many digits"},
		{"text without end", `"abc`, "Unterminated string"},
		{"control characters", "\"a\nb\"", "Invalid control character"},
		{"a bad escape", `"\q"`, "Invalid \\escape"},
		{"octets that are not UTF-8", "\"\xff\"", "not UTF-8"},
		{"deep nesting", strings.Repeat("[", 501) + strings.Repeat("]", 501), "Nested too deep"},
	} {
		v, err := expr.FromJSON([]byte(tt.data))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: FromJSON() = %v, %v, want %q", tt.name, v, err, tt.want)
		}
	}
}

func TestToJSONOfOtherValues(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ src, want string }{
		{"(1, 'a')", `[1,"a"]`},
		{"{3}", `[3]`},
		{"{1: 'a', None: 'b', 2.5: 'c', (1, 2): 'd', True: 'e'}", `{"1":"e","None":"b","2.5":"c","(1, 2)":"d"}`},
		{"record", `{"status":200,"body":{"a":[1]}}`},
		{"day", `"2024-02-29"`},
		{"moment", `"2024-02-29T13:05:09+00:00"`},
		{"[1, {'f': len}]", "TypeError: Object of type builtin_function_or_method is not JSON serializable (at [1].f)"},
		{"{'a': [host]}", "TypeError: Object of type Handle is not JSON serializable (at .a[0])"},
		{"[float('nan')]", "ValueError: Out of range float values are not JSON compliant: nan (at [0])"},
		{"(x for x in [])", "TypeError: Object of type generator is not JSON serializable"},
	} {
		body := expr.NewDict()
		body.SetString("a", expr.NewList(int64(1)))
		at := time.Date(2024, 2, 29, 13, 5, 9, 0, time.UTC)
		v, err := evalExpr(t, tt.src, expr.Vars{
			"record": expr.NewObject("Response", []expr.Field{{Name: "status", Value: int64(200)}, {Name: "body", Value: body}}),
			"host":   handleHost{}, "day": expr.DateOf(at), "moment": expr.DatetimeOf(at, true),
		})
		if err != nil {
			t.Fatal(err)
		}
		data, err := expr.ToJSON(v)
		got := string(data)
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("ToJSON(%s) = %s, want %s", tt.src, got, tt.want)
		}
	}
}

func TestToJSONLimit(t *testing.T) {
	t.Parallel()
	v := expr.NewList(strings.Repeat("a", 100))
	if _, err := expr.ToJSONLimit(v, 50); outcomeOf(err) != "memory" {
		t.Errorf("ToJSONLimit(50) = %v, want the limit", err)
	}
	if data, err := expr.ToJSONLimit(v, 200); err != nil || len(data) != 104 {
		t.Errorf("ToJSONLimit(200) = %d octets, %v, want 104", len(data), err)
	}
}

func TestCopy(t *testing.T) {
	t.Parallel()
	inner := expr.NewList(int64(1))
	d := expr.NewDict()
	d.SetString("list", inner)
	d.SetString("again", inner)
	d.SetString("tuple", expr.Tuple{inner, "x"})
	d.SetString("self", d)
	set, err := expr.NewSet("a")
	if err != nil {
		t.Fatal(err)
	}
	d.SetString("set", set)
	c := expr.Copy(d).(*expr.Dict)
	get := func(key string) expr.Value { v, _ := c.GetString(key); return v }
	switch {
	case expr.Repr(c) != expr.Repr(d):
		t.Errorf("Copy() = %s, want %s", expr.Repr(c), expr.Repr(d))
	case get("list") != get("again") || get("tuple").(expr.Tuple)[0] != get("list"):
		t.Error("what was shared is not shared in the copy")
	case get("self") != expr.Value(c):
		t.Error("what lay inside itself does not in the copy")
	}
	inner.Append(int64(2))
	if got := expr.Repr(get("list")); got != "[1]" {
		t.Errorf("after a change of the original the copy has %s, want [1]", got)
	}
}

func TestCopyOfDeepAndWideValues(t *testing.T) {
	t.Parallel()
	deep := expr.NewList()
	for range 200_000 {
		deep = expr.NewList(deep)
	}
	if expr.Copy(deep) == expr.Value(deep) {
		t.Error("a deep list was not copied")
	}
	wide := expr.NewList()
	for range 100 {
		wide.Append(expr.NewList(wide))
	}
	c := expr.Copy(wide).(*expr.List)
	if c.At(99).(*expr.List).At(0) != expr.Value(c) {
		t.Error("the items of the copy do not hold it")
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		v    expr.Value
		str  string
		repr string
		name string
	}{
		{nil, "None", "None", "NoneType"},
		{true, "True", "True", "bool"},
		{int64(-3), "-3", "-3", "int"},
		{new(big.Int).Lsh(big.NewInt(1), 70), "1180591620717411303424", "1180591620717411303424", "int"},
		{1e16, "1e+16", "1e+16", "float"},
		{math.Inf(-1), "-inf", "-inf", "float"},
		{"it's", "it's", `"it's"`, "str"},
		{expr.Bytes("a\x00"), `b'a\x00'`, `b'a\x00'`, "bytes"},
		{expr.Tuple{int64(1)}, "(1,)", "(1,)", "tuple"},
		{expr.NewList("a", nil), "['a', None]", "['a', None]", "list"},
		{expr.NewRange(0, 3, 1), "range(0, 3)", "range(0, 3)", "range"},
		{expr.NewObject("Person", []expr.Field{{Name: "name", Value: "Al"}, {Name: "age", Value: int64(3)}}), "name='Al' age=3", "Person(name='Al', age=3)", "Person"},
		{expr.NewExc("KeyError", "k"), "'k'", "KeyError('k')", "KeyError"},
		{handleHost{}, "<Handle>", "<Handle>", "Handle"},
		{expr.DateOf(time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC)), "2024-01-02", "datetime.date(2024, 1, 2)", "date"},
	} {
		if got := expr.Str(tt.v); got != tt.str {
			t.Errorf("Str() = %s, want %s", got, tt.str)
		}
		if got := expr.Repr(tt.v); got != tt.repr {
			t.Errorf("Repr() = %s, want %s", got, tt.repr)
		}
		if got := expr.TypeName(tt.v); got != tt.name {
			t.Errorf("TypeName() = %s, want %s", got, tt.name)
		}
	}
	if _, err := expr.Text(expr.NewList(strings.Repeat("a", 100)), 50); outcomeOf(err) != "memory" {
		t.Errorf("Text(50) = %v, want the limit", err)
	}
}

func TestRecordsAndHosts(t *testing.T) {
	t.Parallel()
	vars := expr.Vars{
		"r": expr.NewObject("Response", []expr.Field{{Name: "status", Value: int64(200)}}),
		"h": handleHost{},
	}
	for _, tt := range []struct{ src, want string }{
		{"[r.status, r['status'], r.get('status'), r.get('x', 5), 'status' in r, 'x' in r]", "[200, 200, 200, 5, True, False]"},
		{"f'{r}'", "'status=200'"},
		{"r == r", "True"},
		{"bool(r)", "True"},
		{"type(r).__name__", "'Response'"},
		{"r.x", "AttributeError"},
		{"r['x']", "KeyError"},
		{"h.id", "7"},
		{"h.x", "AttributeError"},
		{"type(h).__name__", "'Handle'"},
		{"{h: 1}[h]", "1"},
		{"h == h", "True"},
		{"len(h)", "TypeError"},
	} {
		v, err := evalExpr(t, tt.src, vars)
		got := expr.Repr(v)
		if err != nil {
			got = outcomeOf(err)
		}
		if got != tt.want {
			t.Errorf("Eval(%s) = %s, want %s", tt.src, got, tt.want)
		}
	}
	if _, err := evalBlock(t, "r.status = 1", vars); outcomeOf(err) != "AttributeError" {
		t.Errorf("an assignment to a record ended with %v, want an AttributeError", err)
	}
}

func TestDict(t *testing.T) {
	t.Parallel()
	d := expr.NewDict()
	want := map[string]int64{}
	for i := range int64(100) { // beyond where the index begins
		key := expr.Repr(i)
		d.SetString(key, i)
		want[key] = i
	}
	for i := int64(0); i < 100; i += 3 {
		if !d.Delete(expr.Repr(i)) {
			t.Errorf("Delete(%d) = false", i)
		}
		delete(want, expr.Repr(i))
	}
	if d.Len() != len(want) {
		t.Errorf("Len() = %d, want %d", d.Len(), len(want))
	}
	last := int64(-1)
	for k, v := range d.All() {
		if want[k.(string)] != v || v.(int64) <= last {
			t.Errorf("entry %v = %v after %d, want %d in order", k, v, last, want[k.(string)])
		}
		last = v.(int64)
	}
	if err := d.Set(expr.NewList(), nil); outcomeOf(err) != "TypeError" {
		t.Errorf("Set([]) = %v, want a TypeError", err)
	}
	for _, pair := range [][2]expr.Value{{int64(1), true}, {int64(1), 1.0}, {math.Ldexp(1, 70), new(big.Int).Lsh(big.NewInt(1), 70)}, {expr.Tuple{int64(1)}, expr.Tuple{1.0}}} {
		if err := d.Set(pair[0], "found"); err != nil {
			t.Fatal(err)
		}
		if v, ok := d.Get(pair[1]); !ok || v != "found" {
			t.Errorf("Get(%s) = %v, %v after Set(%s)", expr.Repr(pair[1]), v, ok, expr.Repr(pair[0]))
		}
	}
}
