package pullrun_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// layers says which package may import which of ours. Data goes round once:
//
//	api/client -> server -> poller -> manager -> engine -> manager -> api/client -> server
//
// and no import follows it back. A change here is a commit of its own, with
// its reason.
var layers = map[string][]string{
	".":                     {},
	"api":                   {},
	"api/client":            {"api", "api/fresh"},
	"api/fresh":             {},
	"api/fresh/freshtest":   {},
	"api/client/credential": {"api", "api/client"},
	"poller":                {"api"},
	"poller/faultproxy":     {},
	"manager":               {"api", "engine", "manager/feed", "manager/outbox", "otel/meter", "otel/span"},
	"manager/feed":          {"api"},
	"manager/outbox":        {"api"},
	"manager/status":        {"api"},
	"engine":                {"engine/expr", "otel/forms"},
	"engine/expr":           {},
	"engine/chips":          {"engine", "engine/expr"},
	"engine/testcase":       {"engine", "engine/expr"},
	"otel":                  {"otel/forms", "otel/meter", "otel/span"},
	"otel/forms":            {},
	"otel/forward":          {},
	"otel/meter":            {},
	"otel/span":             {},
	"otel/oteltest":         {"otel"},
	"configs":               {},
	"server":                {"api", "api/fresh", "otel", "otel/forward", "otel/meter", "otel/span", "server/store"},
	"server/store":          {},
	"bench":                 {"api", "api/client", "poller"},
	"cmd/pullrun":           {".", "api", "api/client", "api/client/credential", "api/fresh", "poller", "manager", "manager/feed", "manager/outbox", "manager/status", "engine", "engine/chips", "engine/testcase", "otel", "otel/forward", "otel/meter", "otel/span", "configs", "server", "server/store"},

	"server/store/storetest": {},
}

// only says which packages a library of the outside world is confined to, so
// that it can be replaced in one place.
var only = map[string][]string{
	"github.com/hashicorp/go-retryablehttp": {"api/client"},
	"github.com/spf13/viper":                {"configs"},
	"github.com/labstack/echo/v4":           {"manager/status", "server"},
	"github.com/spf13/cobra":                {"cmd/pullrun"},
	"go.opentelemetry.io/otel/sdk":          {"otel"},
	"github.com/prometheus/client_golang":   {"otel"},
	"go.yaml.in/yaml/v4":                    {"configs", "engine", "engine/testcase"},
	"github.com/ncruces/go-sqlite3":         {"server/store"},
	"github.com/jackc/pgx/v5":               {"server/store", "server/store/storetest", "bench"},
}

const module = "github.com/pullrun/pullrun"

func TestImportsFollowTheLayers(t *testing.T) {
	for pkg, imports := range packages(t) {
		allowed, known := layers[pkg]
		if !known {
			t.Errorf("package %s is not in the list of layers", pkg)
			continue
		}
		for _, imported := range imports {
			if own, ok := strings.CutPrefix(imported, module); ok {
				own = strings.TrimPrefix(own, "/")
				if own == "" {
					own = "."
				}
				if !slices.Contains(allowed, own) {
					t.Errorf("package %s imports %s, which the layers do not allow", pkg, own)
				}
			}
			for library, homes := range only {
				if (imported == library || strings.HasPrefix(imported, library+"/")) && !slices.Contains(homes, pkg) {
					t.Errorf("package %s imports %s, which belongs in %s", pkg, imported, homes)
				}
			}
		}
	}
}

func TestLayersNameExistingPackages(t *testing.T) {
	found := packages(t)
	for pkg := range layers {
		if _, ok := found[pkg]; !ok {
			t.Errorf("the list of layers has %s, which does not exist", pkg)
		}
	}
}

// packages gives the imports of each package's code, tests left out.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	found := make(map[string][]string)
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || len(d.Name()) > 1 && d.Name()[0] == '.') {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg := path.Dir(filepath.ToSlash(file))
		found[pkg] = append(found[pkg], "")
		for _, i := range parsed.Imports {
			imported, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			found[pkg] = append(found[pkg], imported)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
