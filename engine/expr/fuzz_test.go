package expr_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pullrun/pullrun/engine/expr"
)

// seeds are sources of all kinds; testdata/seeds.txt holds them, parted by
// lines of two percent signs.
func seeds(f *testing.F) []string {
	f.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "seeds.txt"))
	if err != nil {
		f.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n%%\n")
}

// FuzzCompile checks that every source compiles or gives a SyntaxError that
// points into it.
func FuzzCompile(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		for _, compile := range []func(string) (*expr.Program, error){expr.Compile, expr.CompileBlock} {
			p, err := compile(src)
			if err == nil {
				for _, name := range p.Names() {
					if !p.Mentions(name) {
						t.Errorf("Names() has %q, Mentions() does not", name)
					}
				}
				continue
			}
			var syntax *expr.SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("error %T: %v", err, err)
			}
			if lines := strings.Count(src, "\n") + 1; syntax.Line < 1 || syntax.Line > lines || syntax.Col < 1 || syntax.Msg == "" {
				t.Errorf("error at %d:%d of %d lines: %q", syntax.Line, syntax.Col, lines, syntax.Msg)
			}
		}
	})
}

// FuzzEval checks that every evaluation ends, with a value or an error of
// the script's, and that the value can be handled.
func FuzzEval(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		for _, compile := range []func(string) (*expr.Program, error){expr.Compile, expr.CompileBlock} {
			p, err := compile(src)
			if err != nil {
				continue
			}
			vars := fuzzVars(t)
			v, err := p.Eval(t.Context(), vars, expr.Options{Limits: expr.Limits{Steps: 20_000, Memory: 1 << 20}})
			var exc *expr.Exc
			var limit *expr.LimitError
			switch {
			case errors.As(err, &exc):
				if exc.Class() == "" || exc.Line() < 1 {
					t.Errorf("exception %q on line %d", exc.Class(), exc.Line())
				}
			case errors.As(err, &limit):
			case err != nil:
				t.Fatal(err)
			default:
				handle(t, v)
			}
		}
	})
}

func fuzzVars(t *testing.T) expr.Vars {
	t.Helper()
	v, err := expr.FromJSON([]byte(`{"a": 5, "f": 2.5, "s": "Grüße, 世界", "xs": [3, 1, 2], "d": {"x": 1, "y": [1.5, null]}}`))
	if err != nil {
		t.Fatal(err)
	}
	vars := make(expr.Vars)
	for k, val := range v.(*expr.Dict).All() {
		vars[k.(string)] = val
	}
	return vars
}

// handle does with a value what the engine does.
func handle(t *testing.T, v expr.Value) {
	t.Helper()
	if _, err := expr.Text(v, 1<<16); err != nil {
		return
	}
	c := expr.Copy(v)
	if got, want := expr.Repr(c), expr.Repr(v); got != want && !strings.Contains(want, "...") {
		t.Errorf("Repr(Copy(v)) = %s, want %s", got, want)
	}
	data, err := expr.ToJSONLimit(v, 1<<16)
	if err != nil {
		return
	}
	if _, err := expr.FromJSON(data); err != nil {
		t.Errorf("FromJSON(ToJSON(v)): %v\n%s", err, data)
	}
}
