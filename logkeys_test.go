package pullrun_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// docs/style.md lists every key that a log line may have, and no other.
func TestStyleListsTheLogKeys(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("docs/style.md")
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`(?s)Keys: (.*?)A new key is added to this list`).FindSubmatch(raw)
	if list == nil {
		t.Fatal("docs/style.md has no list of log keys")
	}
	listed := make(map[string]bool)
	for _, word := range regexp.MustCompile("`([a-z_]+)`").FindAllSubmatch(list[1], -1) {
		listed[string(word[1])] = true
	}
	used := logKeys(t)
	for key, places := range used {
		if !listed[key] {
			t.Errorf("docs/style.md does not list the log key %q of %s", key, places[0])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(listed)) {
		if used[key] == nil {
			t.Errorf("docs/style.md lists the log key %q, which nothing uses", key)
		}
	}
}

// A line about a run is written in a context, so that it has the ids of the run's
// trace.
func TestLinesAboutARunHaveItsTrace(t *testing.T) {
	t.Parallel()
	eachCall(t, func(place string, call *ast.CallExpr) {
		method, ok := call.Fun.(*ast.SelectorExpr)
		if ok && logArgs[method.Sel.Name] == 1 && slices.Contains(keysOf(call), "cookie") {
			t.Errorf("%s: want %sContext", place, method.Sel.Name)
		}
	})
}

// logArgs is where the keys begin in the arguments of a logger's methods.
var logArgs = map[string]int{
	"Debug": 1, "Info": 1, "Warn": 1, "Error": 1, "With": 0, "Log": 3,
	"DebugContext": 2, "InfoContext": 2, "WarnContext": 2, "ErrorContext": 2,
}

var logger = regexp.MustCompile(`(^|\.)log(\.With\(.*\))*$`)

// logKeys gives the keys that the product logs with, and where. A logger is
// what is called log, by the style.
func logKeys(t *testing.T) map[string][]string {
	t.Helper()
	found := make(map[string][]string)
	eachCall(t, func(place string, call *ast.CallExpr) {
		for _, key := range keysOf(call) {
			found[key] = append(found[key], place)
		}
	})
	return found
}

// eachCall shows every call in the product's code, and where it is.
func eachCall(t *testing.T, show func(place string, call *ast.CallExpr)) {
	t.Helper()
	files := token.NewFileSet()
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || len(d.Name()) > 1 && d.Name()[0] == '.'):
			return filepath.SkipDir
		case !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
			return nil
		}
		parsed, err := parser.ParseFile(files, file, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				show(files.Position(call.Pos()).String(), call)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// keysOf gives the literal keys of a call of a logger's method, or of a function
// of slog that makes an attribute.
func keysOf(call *ast.CallExpr) []string {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	on := types.ExprString(method.X)
	first, logs := logArgs[method.Sel.Name]
	switch {
	case on == "slog" && len(call.Args) == 2:
		first = 0
	case !logs || !logger.MatchString(on):
		return nil
	}
	var keys []string
	for i := first; i < len(call.Args); i += 2 {
		if lit, ok := call.Args[i].(*ast.BasicLit); ok && lit.Kind == token.STRING {
			key, _ := strconv.Unquote(lit.Value) // the parser took it
			keys = append(keys, key)
		}
	}
	return keys
}
