package expr_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime/metrics"
	"strings"
	"testing"
	"unicode/utf8"

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

// mostAllocated is what one input may allocate in all. It is far above what
// the limits of the evaluations allow, whose estimates leave out what is soon
// garbage.
const mostAllocated = 256 << 20

// frugal runs f, which must not allocate more than mostAllocated.
func frugal(t *testing.T, f func()) {
	t.Helper()
	before := allocated()
	f()
	if n := allocated() - before; n > mostAllocated {
		t.Errorf("%d bytes were allocated", n)
	}
}

func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// FuzzCompile checks that every source compiles or gives a SyntaxError that
// points into it.
func FuzzCompile(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		for _, compile := range []func(string) (*expr.Program, error){expr.Compile, expr.CompileBlock} {
			var p *expr.Program
			var err error
			frugal(t, func() { p, err = compile(src) })
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
			var v expr.Value
			frugal(t, func() {
				v, err = p.Eval(t.Context(), vars, expr.Options{Limits: expr.Limits{Steps: 20_000, Memory: 1 << 20}})
			})
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

// FuzzPattern checks that every pattern is refused or ends, on any text, with
// a match that lies in the text or with its steps.
func FuzzPattern(f *testing.F) {
	for _, s := range [][2]string{
		{"(a|b)*?c", "ababc"}, {`(?P<n>\w+) (?P=n)`, "ab ab"}, {`(?<!x)\b(?=y)(?i:Y)`, "xy y"}, {"(?x) a  # b\n|[^]a-z\\d]{2,5}+", "aa99"},
		{`^(?>a*)(b)?(?(1)c|d)$`, "aabc"}, {`(?ms)^.\Z|\Bé\S*`, "ä\né"}, {"(a*)*b", "aaaaaaaaaaaaaaaaaaaaaaaaa"}, {`\x41\u00e9\0[\b\\-]`, "Aé"},
	} {
		f.Add(s[0], s[1])
	}
	p, err := expr.CompileBlock("import re\n[m.span() for m in re.finditer(p, s)], re.sub(p, '', s), re.split(p, s, maxsplit=3), re.fullmatch(p, s)")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if !utf8.ValidString(pattern) || !utf8.ValidString(text) {
			t.Skip("no text")
		}
		var v expr.Value
		var err error
		frugal(t, func() {
			v, err = p.Eval(t.Context(), expr.Vars{"p": pattern, "s": text}, expr.Options{Limits: expr.Limits{Steps: 20_000, Memory: 1 << 20}})
		})
		var exc *expr.Exc
		switch {
		case errors.As(err, &exc) && (exc.Class() == "error" || exc.Class() == "PatternError" || exc.Class() == "OverflowError"):
			return
		case errors.As(err, new(*expr.LimitError)):
			return
		case err != nil:
			t.Fatal(err)
		}
		at, n := int64(0), int64(utf8.RuneCountInString(text))
		for _, span := range v.(expr.Tuple)[0].(*expr.List).Items() {
			from, to := span.(expr.Tuple)[0].(int64), span.(expr.Tuple)[1].(int64)
			if from < at || to < from || to > n {
				t.Errorf("a match from %d to %d, after %d, in a text of %d", from, to, at, n)
			}
			at = to
		}
	})
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
