package expr_test

import (
	"strings"
	"testing"

	"github.com/pullrun/pullrun/engine/expr"
)

// TestNothingIsReached tries the ways out of Python's own interpreter. No
// attribute leads anywhere, whoever asks for it.
func TestNothingIsReached(t *testing.T) {
	t.Parallel()
	dunders := []string{
		"__class__", "__base__", "__bases__", "__mro__", "__subclasses__", "__init__", "__globals__", "__builtins__",
		"__dict__", "__code__", "__closure__", "__getattribute__", "__reduce__", "__module__", "__self__", "__func__",
		"__import__", "__loader__", "__spec__", "__doc__", "__call__", "__get__", "gi_frame", "f_globals", "__traceback__",
	}
	things := []string{
		"()", "[]", "{}", "''", "b''", "(1)", "(1.5)", "None", "True", "{1}", "range(3)", "len", "str", "type", "int",
		"(lambda: 0)", "(x for x in [])", "''.join", "{}.items()", "enumerate([])", "ValueError('x')", "ValueError",
		"slice", "host", "record",
	}
	vars := expr.Vars{
		"host":   handleHost{},
		"record": expr.NewObject("Response", []expr.Field{{Name: "a", Value: int64(1)}}),
		"slice":  expr.NewDict(),
	}
	for _, thing := range things {
		for _, dunder := range dunders {
			for _, src := range []string{
				thing + "." + dunder,
				"'{0." + dunder + "}'.format(" + thing + ")",
				"'{x." + dunder + "}'.format(x=" + thing + ")",
				"'{x." + dunder + "}'.format_map({'x': " + thing + "})",
				thing + "." + dunder + "()",
			} {
				v, err := evalExpr(t, src, vars)
				if got := outcomeOf(err); got != "AttributeError" {
					t.Errorf("Eval(%s) = %v, %s, want AttributeError", src, v, got)
				}
			}
		}
	}
}

func TestNamesThatAreMissing(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"open", "eval", "exec", "compile", "__import__", "globals", "locals", "vars", "dir", "getattr", "setattr",
		"delattr", "input", "memoryview", "object", "super", "breakpoint", "exit", "quit", "help", "id", "__builtins__",
		"__name__", "__file__", "print",
	} {
		_, err := evalExpr(t, name, expr.Vars{})
		if got := outcomeOf(err); got != "NameError" {
			t.Errorf("Eval(%s) ended with %s, want NameError", name, got)
		}
	}
}

func TestModulesThatAreMissing(t *testing.T) {
	t.Parallel()
	for _, module := range []string{
		"os", "sys", "subprocess", "builtins", "importlib", "socket", "pathlib", "ctypes", "inspect", "pickle", "io",
		"os.path", "urllib.request", "threading",
	} {
		p, err := expr.CompileBlock("x = 1\nimport " + module)
		if err != nil {
			t.Fatal(err)
		}
		if w := p.Warnings(); len(w) != 1 || w[0].Line != 2 || !strings.Contains(w[0].Msg, "No module named '"+module+"'") {
			t.Errorf("Warnings() of import %s = %v, want one on line 2 that names it", module, w)
		}
		_, err = p.Eval(t.Context(), expr.Vars{}, expr.Options{})
		if got := outcomeOf(err); got != "ModuleNotFoundError" {
			t.Errorf("import %s ended with %s, want ModuleNotFoundError", module, got)
		}
	}
}

func TestNoBuiltins(t *testing.T) {
	t.Parallel()
	p, err := expr.Compile("len(xs)")
	if err != nil {
		t.Fatal(err)
	}
	xs := expr.NewList(int64(1))
	_, err = p.Eval(t.Context(), expr.Vars{"xs": xs}, expr.Options{NoBuiltins: true})
	if got := outcomeOf(err); got != "NameError" {
		t.Errorf("Eval() without builtins ended with %s, want NameError", got)
	}
	if p, err = expr.Compile("xs.index(1)"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Eval(t.Context(), expr.Vars{"xs": xs}, expr.Options{NoBuiltins: true}); err != nil {
		t.Errorf("a method without builtins: %v", err)
	}
}

// handleHost is a value of the embedding program.
type handleHost struct{}

func (handleHost) TypeName() string { return "Handle" }

func (handleHost) Attr(name string) (expr.Value, bool) {
	if name == "id" {
		return int64(7), true
	}
	return nil, false
}
