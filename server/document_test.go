package server_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/server"
)

// The document and the server have the same calls, and the document says which
// scope each of them needs.
func TestRoutesAreTheContract(t *testing.T) {
	t.Parallel()
	documented := make(map[string]*openapi3.Operation)
	for path, item := range contract.Paths.Map() {
		for method, op := range item.Operations() {
			documented[method+" "+path] = op
		}
	}
	routed := make(map[string]server.Scope)
	for _, r := range newWorld(t).Routes() {
		routed[r.Method+" "+r.Path] = r.Scope
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(documented)), slices.Sorted(maps.Keys(routed))); diff != "" {
		t.Errorf("calls of the document (-) and of the server (+):\n%s", diff)
	}
	for call, op := range documented {
		scope := routed[call]
		switch said := strings.ReplaceAll(op.Description, "\n", " "); {
		case scope == "":
			if op.Security == nil || len(*op.Security) > 0 {
				t.Errorf("%s is open to everybody; the document wants a token", call)
			}
		case !strings.Contains(said, fmt.Sprintf("Scope: `%s`", scope)):
			t.Errorf("%s needs the scope %q; the document says %q", call, scope, said)
		}
	}
}

// Who shows a token may be refused, asked to slow down, or told that the store
// is away, whatever the call.
func TestEveryCallWithATokenMayHaveToWait(t *testing.T) {
	t.Parallel()
	for path, item := range contract.Paths.Map() {
		for method, op := range item.Operations() {
			if op.Security != nil {
				continue // open to everybody
			}
			for status, response := range map[int]string{401: "Problem", 403: "Problem", 429: "Busy", 503: "Busy"} {
				documented := op.Responses.Status(status)
				if documented == nil || documented.Ref != "#/components/responses/"+response {
					t.Errorf("%s %s: the document has not the response %s for %d", method, path, response, status)
				}
			}
		}
	}
}

// A problem has the codes that package api has, and no others.
func TestCodesAreTheContract(t *testing.T) {
	t.Parallel()
	var documented []string
	for _, code := range contract.Components.Schemas["Problem"].Value.Properties["code"].Value.Enum {
		documented = append(documented, code.(string))
	}
	slices.Sort(documented)
	if diff := cmp.Diff(documented, codesOfAPI(t)); diff != "" {
		t.Errorf("codes of the document (-) and of package api (+):\n%s", diff)
	}
}

// codesOfAPI reads the constants of type Code from the source.
func codesOfAPI(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../api/error.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Code" {
			codes = append(codes, strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`))
		}
		return true
	})
	slices.Sort(codes)
	return codes
}
