package expr_test

import (
	"context"
	"errors"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pullrun/pullrun/engine/expr"
)

func TestNames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, src string
		want      []string
	}{
		{"names are sorted and come once", "b + a + b.c", []string{"a", "b"}},
		{"builtins are names that may be hidden", "len(xs)", []string{"len", "xs"}},
		{"the variables of a comprehension are not", "[x + y for x in xs]", []string{"xs", "y"}},
		{"the first iterable is outside", "[x for x in x]", []string{"x"}},
		{"parameters are not", "lambda p, *q, r=s, **v: p + q + t", []string{"s", "t"}},
		{"fields of f-strings count", "f'{a:{w}} {[k for k in d]}'", []string{"a", "d", "w"}},
		{"attributes and keywords do not", "a.b(c=d)", []string{"a", "d"}},
		{"assigned names are not taken", "(x := 1) + x", []string{"x"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := expr.Compile(tt.src)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Names(); !slices.Equal(got, tt.want) {
				t.Errorf("Names() = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestMutates(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		src  string
		want bool
	}{
		{"a + b", false},
		{"xs[1:] + [x for x in ys]", false},
		{"sorted(xs, key=lambda v: v.age)", false},
		{"user.get('x').upper()", false},
		{"f'{user.name!r}'", false},
		{"xs.append(1)", true},
		{"d.update(a=1) or d", true},
		{"d.pop('a')", true},
		{"[m for m in [xs.append]]", true},
		{"list.append(xs, 1)", true},
		{"(n := 5)", true},
		{"f(xs)", true},
		{"fs[0](xs)", true},
		{"user.act(xs)", true},
		{"(lambda v: v.sort())(xs)", true},
		{"result = a + 1", false},
		{"d['a'] = 1", true},
		{"d.a = 1", true},
		{"n += 1", true},
		{"del d['a']", true},
		{"del n", true},
		{"def f(v): v.sort()", true},
		{"import random\nrandom.shuffle(xs)", true},
		{"import json\nr = json.loads(s)", false},
	} {
		p, err := expr.CompileBlock(tt.src)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Mutates(); got != tt.want {
			t.Errorf("Mutates() of %q = %v, want %v", tt.src, got, tt.want)
		}
	}
}

func TestMentions(t *testing.T) {
	t.Parallel()
	p, err := expr.CompileBlock("a = b\n[c for c in d]\ne = lambda item: item")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"a": true, "b": true, "d": true, "e": true, "c": false, "item": false} {
		if got := p.Mentions(name); got != want {
			t.Errorf("Mentions(%q) = %v, want %v", name, got, want)
		}
	}
}

func TestExceptionsOfEval(t *testing.T) {
	t.Parallel()
	_, err := evalBlock(t, "x = {}\n\ndef f(k):\n    return x[k]\n\ny = f('missing')", expr.Vars{})
	var exc *expr.Exc
	if !errors.As(err, &exc) {
		t.Fatalf("Eval() = %v, want an *Exc", err)
	}
	if exc.Class() != "KeyError" || exc.Message() != "'missing'" || exc.Line() != 4 || exc.Error() != "KeyError: 'missing'" {
		t.Errorf("got %s, %q, line %d: %v", exc.Class(), exc.Message(), exc.Line(), exc)
	}
	_, err = evalBlock(t, "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('outer') from e", expr.Vars{})
	if !errors.As(errors.Unwrap(err), &exc) || exc.Class() != "ZeroDivisionError" {
		t.Errorf("Unwrap(%v) = %v, want the ZeroDivisionError", err, errors.Unwrap(err))
	}
}

func TestHostFunctions(t *testing.T) {
	t.Parallel()
	ours := errors.New("ours")
	fail := func(err error) expr.Value {
		return expr.NewFunc("f", func(context.Context, []expr.Value, *expr.Dict) (expr.Value, error) { return nil, err })
	}
	echo := expr.NewFunc("f", func(_ context.Context, args []expr.Value, kwargs *expr.Dict) (expr.Value, error) {
		items := slices.Clone(args)
		if kwargs != nil {
			items = append(items, kwargs)
		}
		return expr.NewList(items...), nil
	})
	for _, tt := range []struct {
		name, src string
		f         expr.Value
		want      string
		wantErr   error
	}{
		{"arguments arrive", "f(1, *[2], a=3, **{'b': 4})", echo, "[1, 2, {'a': 3, 'b': 4}]", nil},
		{"no named arguments are nil", "f(1)", echo, "[1]", nil},
		{"an exception can be caught", "try:\n    f()\nexcept ValueError as e:\n    r = str(e)", fail(expr.NewExc("ValueError", "bad")), "None", nil},
		{"an unknown class is an Exception", "try:\n    f()\nexcept Exception as e:\n    r = repr(e)\nr", fail(expr.NewExc("ChipError", "bad")), `"ChipError('bad')"`, nil},
		{"another error cannot be caught", "try:\n    f()\nexcept BaseException:\n    pass", fail(ours), "", ours},
		{"a wrapped error is kept", "f()", fail(expr.WrapExc("RuntimeError", ours)), "", ours},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v, err := evalBlock(t, tt.src, expr.Vars{"f": tt.f})
			if !errors.Is(err, tt.wantErr) || err == nil && expr.Repr(v) != tt.want {
				t.Errorf("Eval() = %s, %v, want %s, %v", expr.Repr(v), err, tt.want, tt.wantErr)
			}
		})
	}
}

func TestAPanicIsAnError(t *testing.T) {
	t.Parallel()
	f := expr.NewFunc("f", func(context.Context, []expr.Value, *expr.Dict) (expr.Value, error) { panic("boom") })
	_, err := evalExpr(t, "f()", expr.Vars{"f": f})
	if err == nil || !strings.Contains(err.Error(), "internal error: boom") {
		t.Errorf("Eval() = %v, want the internal error", err)
	}
}

func TestPrint(t *testing.T) {
	t.Parallel()
	p, err := expr.CompileBlock("print('a', 1, None, sep='-')\nprint()\nprint('x', end='!')")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	_, err = p.Eval(t.Context(), expr.Vars{}, expr.Options{Print: func(s string) { got = append(got, s) }})
	if want := []string{"a-1-None", "", "x!"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("printed %q, %v, want %q", got, err, want)
	}
}

func TestTheClockIsGiven(t *testing.T) {
	t.Parallel()
	p, err := expr.CompileBlock("import datetime, time\n[str(datetime.datetime.now()), str(datetime.date.today()), time.time(), str(datetime.datetime.now(datetime.timezone.utc))]")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2024, 2, 29, 13, 5, 9, 250_000_000, time.FixedZone("", 3600))
	v, err := p.Eval(t.Context(), expr.Vars{}, expr.Options{Now: func() time.Time { return now }})
	want := "['2024-02-29 13:05:09.250000', '2024-02-29', 1709208309.25, '2024-02-29 12:05:09.250000+00:00']"
	if err != nil || expr.Repr(v) != want {
		t.Errorf("Eval() = %s, %v, want %s", expr.Repr(v), err, want)
	}
}

func TestCollect(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ src, want string }{
		{"[1, 2]", "[1, 2]"},
		{"(1, 2)", "[1, 2]"},
		{"{'a': 1, 'b': 2}", "['a', 'b']"},
		{"range(3)", "[0, 1, 2]"},
		{"(x * 2 for x in range(3))", "[0, 2, 4]"},
		{"enumerate('ab')", "[(0, 'a'), (1, 'b')]"},
		{"'ab'", "['a', 'b']"},
		{"5", "TypeError"},
		{"range(10**12)", "memory"},
		{"(x for x in range(10**12))", "memory"},
	} {
		v, err := evalExpr(t, tt.src, expr.Vars{})
		if err != nil {
			t.Fatal(err)
		}
		items, err := expr.Collect(t.Context(), v, bounded)
		got := expr.Repr(expr.NewList(items...))
		if err != nil {
			got = outcomeOf(err)
		}
		if got != tt.want {
			t.Errorf("Collect(%s) = %s, want %s", tt.src, got, tt.want)
		}
	}
}

// TestConcurrency evaluates shared programs over shared data.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	shared, err := expr.FromJSON([]byte(`{"users": [{"name": "Ann", "age": 31}, {"name": "Bob", "age": 17}], "big": {"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"j":10}}`))
	if err != nil {
		t.Fatal(err)
	}
	var programs []*expr.Program
	var want []string
	for _, src := range []string{
		"[u.name for u in users if u.age > 18]",
		"sorted(users, key=lambda u: u.age)[0].name",
		"sum(v for v in big.values()) + big.j",
		"f'{users[0].name:>10} {big}'",
		"{k: v for k, v in big.items() if k in 'abc'}",
		"users == users and big | {'k': 1}",
	} {
		p, err := expr.Compile(src)
		if err != nil {
			t.Fatal(err)
		}
		v, err := p.Eval(t.Context(), scopeOf(shared), expr.Options{})
		if err != nil {
			t.Fatal(err)
		}
		programs, want = append(programs, p), append(want, expr.Repr(v))
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				for i, p := range programs {
					v, err := p.Eval(t.Context(), scopeOf(shared), expr.Options{})
					if err != nil || expr.Repr(v) != want[i] {
						t.Errorf("Eval() = %s, %v, want %s", expr.Repr(v), err, want[i])
					}
				}
				if !expr.Equal(expr.Copy(shared), shared) {
					t.Error("the copy differs")
				}
			}
		})
	}
	wg.Wait()
}

func scopeOf(v expr.Value) expr.Vars {
	vars := make(expr.Vars)
	for k, val := range v.(*expr.Dict).All() {
		vars[k.(string)] = val
	}
	return vars
}

// TestFunctionsOfEarlierEvaluations shares functions between goroutines.
func TestFunctionsOfEarlierEvaluations(t *testing.T) {
	t.Parallel()
	vars := expr.Vars{"k": int64(2)}
	if _, err := evalBlock(t, `
def pure(x): return [x * k for i in range(2)]
def fill(xs):
    xs.append(1)
    return len(xs)
log = []
def note(x):
    log.append(x)
def counter():
    n = 0
    def step():
        nonlocal n
        n += 1
        return n
    return step
step = counter()
def default(x=[]):
    x.append(1)
    return len(x)
lazy = (x * k for x in range(1000))
`, vars); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, src, want string }{
		{"a function that only reads is called", "pure(3)", "[6, 6]"},
		{"a function changes what it is given", "fill([0])", "2"},
		{"a function cannot change variables", "note(1)", "RuntimeError"},
		{"a closure cannot change its own", "step()", "RuntimeError"},
		{"a function cannot change its default", "default()", "RuntimeError"},
		{"a function that is handed on changes copies", "[sorted(ys, key=fill), ys]", "[[[]], [[]]]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					own := expr.Vars{"ys": expr.NewList(expr.NewList())}
					for name, v := range vars {
						own[name] = v
					}
					v, err := evalExpr(t, tt.src, own)
					got := expr.Repr(v)
					if err != nil {
						got = outcomeOf(err)
					}
					if got != tt.want {
						t.Errorf("Eval(%s) = %s, want %s", tt.src, got, tt.want)
					}
				})
			}
			wg.Wait()
		})
	}
}

func TestSharedIterator(t *testing.T) {
	t.Parallel()
	vars := expr.Vars{}
	if _, err := evalBlock(t, "it = (x for x in range(2000))\ndef g():\n    for i in range(2000): yield i\ng = g()", vars); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, src := range []string{"sum(it)", "sum(g)"} {
				// One of them gets the items; another may meet it at work.
				_, err := evalExpr(t, src, expr.Vars{"it": vars["it"], "g": vars["g"]})
				if got := outcomeOf(err); got != "value" && got != "ValueError" {
					t.Errorf("Eval(%s) ended with %s", src, got)
				}
			}
		})
	}
	wg.Wait()
}

// TestGeneratorsAreStopped leaves generators half-way and looks for what
// they left behind.
func TestGeneratorsAreStopped(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 50 {
		vars := expr.Vars{}
		v, err := evalBlock(t, "def g():\n    while True: yield 1\nx = g()\nnext(x)", vars)
		if err != nil || !expr.Equal(v, int64(1)) {
			t.Fatalf("Eval() = %v, %v, want 1", v, err)
		}
		if items, err := expr.Collect(t.Context(), vars["x"], expr.Options{}); err != nil || len(items) != 0 {
			t.Fatalf("a generator that was stopped gave %d items, %v", len(items), err)
		}
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines before, %d after", before, after)
	}
}

func TestExportedTypesAreSmall(t *testing.T) {
	t.Parallel()
	// Scripts get attributes only through tables: no value exports fields
	// that a caller could change behind them.
	for _, v := range []any{expr.List{}, expr.Dict{}, expr.Set{}, expr.Range{}, expr.Object{}, expr.Func{}, expr.Type{}, expr.Module{}, expr.Exc{}} {
		typ := reflect.TypeOf(v)
		for i := range typ.NumField() {
			if f := typ.Field(i); f.IsExported() {
				t.Errorf("%v exports %s", typ, f.Name)
			}
		}
	}
}
