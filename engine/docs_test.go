package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/engine/chips"
	"github.com/pullrun/pullrun/engine/expr"
	"github.com/pullrun/pullrun/engine/testcase"
)

// The examples in the documents about pipelines are run. A fence says after
// its language what it holds:
//
//	yaml            the pipeline main, until an outcome is shown
//	yaml NAME.yml   another pipeline file
//	yaml case       a case for "pullrun test", which passes
//	json variables  what a client sends; holds until the next heading
//	json result     what main gives
//	text error      how it fails
//	text problems   all that loading finds
//	text names      names that every expression knows
//
// A table with the columns expression and value shows what expressions give,
// with the variables at hand.

var docFiles = []string{"../docs/language.md", "../docs/differences.md"}

func TestDocsShowWhatHappens(t *testing.T) {
	t.Setenv("WEATHER_TOKEN", "t0p-secret-token")
	for _, file := range docFiles {
		t.Run(file, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			d := &document{t: t, lines: strings.Split(string(text), "\n"), files: map[string]string{}}
			d.check()
			if d.shown < 5 {
				t.Errorf("%s shows only %d things", file, d.shown)
			}
		})
	}
}

// A document is read from top to bottom.
type document struct {
	t         *testing.T
	lines     []string
	at        int // the line being read
	shown     int // examples that were run
	files     map[string]string
	variables string
}

func (d *document) check() {
	for ; d.at < len(d.lines); d.at++ {
		line := d.lines[d.at]
		switch {
		case strings.HasPrefix(line, "#"):
			d.variables = ""
		case strings.HasPrefix(line, "```"):
			start := d.at + 1
			info := strings.TrimPrefix(line, "```")
			for d.at++; d.at < len(d.lines) && d.lines[d.at] != "```"; d.at++ {
			}
			d.fence(start, info, strings.Join(d.lines[start:d.at], "\n"))
		case line == "| expression | value |":
			d.at += 2
			for ; d.at < len(d.lines) && strings.HasPrefix(d.lines[d.at], "|"); d.at++ {
				d.expression(d.lines[d.at])
			}
		}
	}
	if len(d.files) > 0 {
		d.t.Errorf("the last pipelines come to nothing: %v", d.files)
	}
}

func (d *document) fence(line int, info, text string) {
	name, isFile := strings.CutSuffix(strings.TrimPrefix(info, "yaml "), ".yml")
	switch {
	case info == "yaml":
		d.files["main.yml"] = text
	case isFile:
		d.files[name+".yml"] = text
	case info == "json variables":
		d.variables = text
	case info == "text names":
		for _, name := range strings.Fields(text) {
			if _, err := evaluate(name, expr.Vars{}); err != nil {
				d.t.Errorf("line %d: %v", line, err)
			}
		}
	case info == "yaml case":
		d.testcase(line, text)
	case info == "json result", info == "text error", info == "text problems":
		d.outcome(line, info, text)
		d.files = map[string]string{}
	default:
		d.t.Errorf("line %d: a fence of %q, which nothing runs", line, info)
	}
}

func docChips() *engine.Chips { return engine.NewChips(chips.Standard(chips.Options{})...) }

func (d *document) outcome(line int, info, want string) {
	d.t.Helper()
	d.shown++
	c, err := engine.Load(engine.LoadOptions{FS: fsOf(d.files), Chips: docChips()})
	var problems []engine.Problem
	var wrong *engine.LoadError
	switch {
	case errors.As(err, &wrong):
		problems = wrong.Problems
	case err != nil:
		d.t.Fatalf("line %d: %v", line, err)
	default:
		problems = c.Warnings()
	}
	got := listed(problems)
	if info != "text problems" {
		if err != nil || got != "" {
			d.t.Errorf("line %d: the pipelines are not valid:\n%s", line, got)
			return
		}
		out, err := c.Run(d.t.Context(), engine.Input{Pipeline: "main", Variables: json.RawMessage(d.variables)})
		got = string(out.Result)
		if info == "text error" && err != nil {
			got = err.Error()
		} else if err != nil {
			d.t.Errorf("line %d: %v", line, err)
			return
		}
	}
	if info == "json result" {
		var a, b any
		if err := errors.Join(json.Unmarshal([]byte(want), &a), json.Unmarshal([]byte(got), &b)); err != nil {
			d.t.Errorf("line %d: %v", line, err)
		}
		if cmp.Equal(a, b) {
			return
		}
	}
	if got != want {
		d.t.Errorf("line %d: comes to\n%s\nthe document says\n%s", line, got, want)
	}
}

func listed(problems []engine.Problem) string {
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

func (d *document) testcase(line int, text string) {
	d.shown++
	r := testcase.NewRunner(testcase.Options{Chips: docChips()})
	cases, err := r.Read("case", []byte(text))
	if err != nil {
		d.t.Errorf("line %d: %v", line, err)
		return
	}
	for _, c := range cases {
		if err := r.Run(d.t.Context(), c); err != nil {
			d.t.Errorf("line %d: %v", line, err)
		}
	}
}

var tableRow = regexp.MustCompile("^\\| `(.*)` \\| `(.*)` \\|$")

func (d *document) expression(row string) {
	m := tableRow.FindStringSubmatch(row)
	if m == nil {
		d.t.Errorf("line %d: %q is no expression with its value", d.at+1, row)
		return
	}
	d.shown++
	vars := expr.Vars{}
	if d.variables != "" {
		v, err := expr.FromJSON([]byte(d.variables))
		if err != nil {
			d.t.Fatalf("line %d: %v", d.at+1, err)
		}
		for key, value := range v.(*expr.Dict).All() {
			vars[key.(string)] = value
		}
	}
	unescape := func(s string) string { return strings.ReplaceAll(s, `\|`, "|") }
	got, err := evaluate(unescape(m[1]), vars)
	if err != nil {
		got = err.Error()
	}
	if want := unescape(m[2]); got != want {
		d.t.Errorf("line %d: %s gives %s", d.at+1, row, got)
	}
}

func evaluate(src string, vars expr.Vars) (string, error) {
	p, err := expr.Compile(src)
	if err != nil {
		return "", err
	}
	v, err := p.Eval(context.Background(), vars, expr.Options{})
	return expr.Repr(v), err
}

// Every field is in the table of fields, with the kinds of tasks that take it
// and the words that editors show.
func TestDocsListTheFields(t *testing.T) {
	t.Parallel()
	text := read(t, docFiles[0])
	var schema struct {
		Definitions map[string]struct {
			Description string
			Properties  map[string]any
		}
	}
	if err := json.Unmarshal(engine.NewChips().PipelineSchema(nil), &schema); err != nil {
		t.Fatal(err)
	}
	kinds := []engine.Kind{
		engine.KindTasks, engine.KindDispatch, engine.KindBranch, engine.KindReturn, engine.KindDeclare,
		engine.KindTerminate, engine.KindChip, engine.KindCode, engine.KindAssert, engine.KindComment,
	}
	for name, d := range schema.Definitions {
		field, ok := strings.CutPrefix(name, "field.")
		if !ok {
			continue
		}
		var with []string
		for _, kind := range kinds {
			if _, ok := schema.Definitions["kind."+string(kind)].Properties[field]; ok {
				with = append(with, string(kind))
			}
		}
		row := fmt.Sprintf("| `%s` | %s | %s |", field, strings.Join(with, ", "), d.Description)
		switch {
		case slices.Contains(kinds, engine.Kind(field)) && field != "comment":
			row = fmt.Sprintf("| `%s` | %s |", field, d.Description)
		case len(with) == len(kinds):
			row = fmt.Sprintf("| `%s` | all | %s |", field, d.Description)
		case len(with) == len(kinds)-1 && !slices.Contains(with, "comment"):
			row = fmt.Sprintf("| `%s` | all but comment | %s |", field, d.Description)
		}
		if !strings.Contains(text, row+"\n") {
			t.Errorf("docs/language.md does not have the row\n%s", row)
		}
	}
}

func TestDocsListTheLimits(t *testing.T) {
	t.Parallel()
	text := read(t, docFiles[0])
	l := engine.DefaultLimits()
	mib := func(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }
	for what, value := range map[string]string{
		"time of a run, background tasks included":   strings.TrimSuffix(l.Time.String(), "0m0s"),
		"tasks, each turn of a loop counted":         thousands(l.Tasks),
		"evaluation steps in all":                    thousands(l.Steps),
		"evaluation steps of one expression or code": thousands(l.EvalSteps),
		"new memory of one expression or code":       mib(l.EvalMemory),
		"variables at once":                          mib(l.Variables),
		"task sets and pipelines inside each other":  thousands(int64(l.Depth)),
		"background tasks at once":                   thousands(l.Handles),
		"what is printed and logged":                 mib(l.Output),
		"a pipeline file":                            mib(l.FileBytes),
		"values in a file, aliases written out":      thousands(int64(l.FileNodes)),
		"values inside each other in a file":         thousands(int64(l.FileDepth)),
	} {
		if row := fmt.Sprintf("| %s | %s |", what, value); !strings.Contains(text, row) {
			t.Errorf("docs/language.md does not have the row\n%s", row)
		}
	}
}

// thousands writes a number with commas.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
