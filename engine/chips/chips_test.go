package chips_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/engine/chips"
)

// TestMain runs the tests or, called by them, a program for the chip that runs
// programs.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "as" {
		os.Exit(act(os.Args[2], os.Args[3:]))
	}
	goleak.VerifyTestMain(m)
}

// call runs a chip in a pipeline of its own and gives its response.
func call(t *testing.T, opts chips.Options, chip string, params map[string]any) (map[string]any, error) {
	t.Helper()
	return callWith(t, t.Context(), opts, chip, params)
}

func callWith(t *testing.T, ctx context.Context, opts chips.Options, chip string, params map[string]any) (map[string]any, error) {
	t.Helper()
	// The params travel as variables, so that none of them is a template.
	pipeline := "- chip: " + chip + "\n  params:\n"
	if len(params) == 0 {
		pipeline = "- chip: " + chip + "\n"
	}
	for name := range params {
		pipeline += "    " + name + ": '{{ p[\"" + name + "\"] }}'\n"
	}
	pipeline += "  return_result: true\n"
	col, err := engine.Load(engine.LoadOptions{
		FS:    fstest.MapFS{"main.yml": {Data: []byte(pipeline)}},
		Chips: engine.NewChips(chips.Standard(opts)...),
	})
	if err != nil {
		t.Fatal(err)
	}
	variables, err := json.Marshal(map[string]any{"p": params})
	if err != nil {
		t.Fatal(err)
	}
	out, err := col.Run(ctx, engine.Input{Pipeline: "main", Variables: variables})
	if err != nil {
		return nil, err
	}
	var response map[string]any
	if err := json.Unmarshal(out.Result, &response); err != nil {
		t.Fatalf("response %s: %v", out.Result, err)
	}
	return response, nil
}

func TestRemoveCodeBlock(t *testing.T) {
	for _, tt := range []struct {
		in, want string
		language any
	}{
		{"```python\nprint(1)\n```", "print(1)", "python"},
		{"```\nplain\n```", "plain", nil},
		{"  \n```json\n{\n  \"a\": 1\n}\n```\n\n", "{\n  \"a\": 1\n}", "json"},
		{"```c++\r\nint x;\r\n```", "int x;", "c++"},
		{"no block", "no block", nil},
		{"before\n```\nx\n```", "before\n```\nx\n```", nil},
		{"```python\nno end", "```python\nno end", nil},
		{"```go\n```", "", "go"},
		{"", "", nil},
	} {
		got, err := call(t, chips.Options{}, "utils.strings.remove_code_block", map[string]any{"string": tt.in})
		if err != nil || got["result"] != tt.want || got["language"] != tt.language || got["status"] != "OK" {
			t.Errorf("remove_code_block(%q) = %v, %v, want %q in %v", tt.in, got, err, tt.want, tt.language)
		}
	}
}

func TestJSON(t *testing.T) {
	got, err := call(t, chips.Options{}, "utils.json.loads", map[string]any{"string": `{"a": [1, 2.5, null]}`})
	if err != nil || got["status"] != "OK" || got["error_message"] != nil {
		t.Errorf("loads() = %v, %v, want OK", got, err)
	}
	got, err = call(t, chips.Options{}, "utils.json.loads", map[string]any{"string": `{"a": `})
	if err != nil || got["status"] != "ERROR" || got["result"] != nil || got["error_message"] == nil {
		t.Errorf("loads() of broken text = %v, %v, want ERROR with a message", got, err)
	}
	got, err = call(t, chips.Options{}, "utils.json.dumps", map[string]any{"obj": map[string]any{"é": []any{true, nil}}})
	if err != nil || got["result"] != `{"\u00e9": [true, null]}` {
		t.Errorf("dumps() = %v, %v", got, err)
	}
}

func TestSleepAndNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if _, err := call(t, chips.Options{}, "utils.time.sleep", map[string]any{"milliseconds": 1500}); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 1500*time.Millisecond {
			t.Errorf("sleep() took %v, want 1.5s", took)
		}
		got, err := call(t, chips.Options{}, "utils.time.now", nil)
		if want := time.Now().UTC().Format(time.DateOnly); err != nil || got["date"] != want {
			t.Errorf("now() = %v, %v, want the date %s", got, err, want)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = callWith(t, ctx, chips.Options{}, "utils.time.sleep", map[string]any{"milliseconds": 60000})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("sleep() = %v, want the end of its context", err)
		}
	})
}

func TestEveryChipIsDocumented(t *testing.T) {
	for _, c := range engine.NewChips(chips.Standard(chips.Options{})...).All() {
		if c.Doc() == "" || !strings.HasSuffix(c.Doc(), ".") {
			t.Errorf("chip %s: documentation %q is no sentence", c.Name(), c.Doc())
		}
		for _, f := range append(c.Params(), c.Response()...) {
			if !strings.HasSuffix(f.Doc, ".") {
				t.Errorf("chip %s: documentation of %s, %q, is no sentence", c.Name(), f.Name, f.Doc)
			}
		}
	}
}
