package expr_test

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/pullrun/pullrun/engine/expr"
)

// corpusDir holds expressions and blocks with the values that Python gives.
// The environment may name another.
func corpusDir() string {
	if dir := os.Getenv("PULLRUN_EXPRESSIONS"); dir != "" {
		return dir
	}
	return filepath.Join("testdata", "expressions")
}

// TestPython compares with Python, expression by expression.
func TestPython(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(corpusDir(), "context.json"))
	if err != nil {
		t.Fatal(err)
	}
	known := knownDifferences(t)
	agree, differ := 0, 0
	for _, name := range []string{"expressions.jsonl", "code.jsonl"} {
		f, err := os.Open(filepath.Join(corpusDir(), name))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var c struct{ Expr, Code, Value string }
			if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
				t.Fatal(err)
			}
			vars := variables(t, data)
			src, compile := c.Expr, expr.Compile
			if c.Code != "" {
				src, compile = c.Code, expr.CompileBlock
			}
			got := outcome(t, src, compile, vars)
			if got == c.Value || strings.HasPrefix(got, "!") && strings.HasPrefix(c.Value, "!") {
				agree++
				continue
			}
			differ++
			if known.explain(src, c.Value) {
				continue
			}
			t.Errorf("%s\n got %s\nwant %s", src, got, c.Value)
		}
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
	}
	if float64(agree) < 0.998*float64(agree+differ) {
		t.Errorf("%d of %d agree, want 99.8 %%", agree, agree+differ)
	}
	line := fmt.Sprintf("expressions: %d agree, %d differ", agree, differ)
	t.Log(line)
	fmt.Println(line)
}

// differences are the sources that are known to differ, and the texts in
// Python's values that are.
type differences struct {
	sources map[string]bool
	values  []string
}

func (d differences) explain(src, want string) bool {
	return d.sources[src] || slices.ContainsFunc(d.values, func(s string) bool { return strings.Contains(want, s) })
}

func knownDifferences(t *testing.T) differences {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "differences.txt"))
	if err != nil {
		t.Fatal(err)
	}
	d := differences{sources: map[string]bool{}}
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		text, reason, _ := strings.Cut(strings.TrimSpace(line), "\t")
		text, isValue := strings.CutPrefix(text, "value ")
		var src string
		if err := json.Unmarshal([]byte(text), &src); err != nil || reason == "" {
			t.Fatalf("differences.txt: cannot read %q: %v", line, err)
		}
		if isValue {
			d.values = append(d.values, src)
		} else {
			d.sources[src] = true
		}
	}
	return d
}

func variables(t *testing.T, data []byte) expr.Vars {
	t.Helper()
	v, err := expr.FromJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	vars := make(expr.Vars)
	for k, val := range v.(*expr.Dict).All() {
		vars[k.(string)] = val
	}
	return vars
}

func outcome(t *testing.T, src string, compile func(string) (*expr.Program, error), vars expr.Vars) string {
	t.Helper()
	p, err := compile(src)
	if err != nil {
		return "!SyntaxError: " + err.Error()
	}
	v, err := p.Eval(t.Context(), vars, expr.Options{})
	if err != nil {
		if strings.Contains(err.Error(), "internal error") {
			t.Errorf("%s: %v", src, err)
		}
		return "!" + err.Error()
	}
	return canonical(v)
}

// canonical writes a value so that values of different types differ.
func canonical(v expr.Value) string {
	switch v := v.(type) {
	case nil:
		return "N"
	case bool:
		if v {
			return "T"
		}
		return "F"
	case int64:
		return "i:" + strconv.FormatInt(v, 10)
	case *big.Int:
		return "i:" + v.String()
	case float64:
		return "f:" + expr.Repr(v)
	case string:
		return "s:" + jsonText(v)
	case expr.Bytes:
		return "b:" + hex.EncodeToString([]byte(v))
	case *expr.List:
		return "[" + canonicalAll(v.Items()) + "]"
	case expr.Tuple:
		return "(" + canonicalAll(v) + ")"
	case *expr.Set:
		parts := make([]string, 0, v.Len())
		for _, item := range v.Items() {
			parts = append(parts, canonical(item))
		}
		slices.Sort(parts)
		return "<" + strings.Join(parts, ",") + ">"
	case *expr.Dict:
		var parts []string
		for k, val := range v.All() {
			parts = append(parts, canonical(k)+"="+canonical(val))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case *expr.Type:
		return "type:" + v.Name()
	}
	if items, err := expr.Collect(context.Background(), v, expr.Options{}); err == nil {
		return expr.TypeName(v) + "[" + canonicalAll(items) + "]"
	}
	return expr.TypeName(v)
}

func canonicalAll(items []expr.Value) string {
	parts := make([]string, len(items))
	for i, item := range items {
		parts[i] = canonical(item)
	}
	return strings.Join(parts, ",")
}

// jsonText writes text as JSON in ASCII.
func jsonText(s string) string {
	b, err := expr.ToJSON(s)
	if err != nil {
		return err.Error()
	}
	var out strings.Builder
	for _, r := range string(b) {
		switch {
		case r < 0x80:
			out.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, hi, lo)
		}
	}
	return out.String()
}
