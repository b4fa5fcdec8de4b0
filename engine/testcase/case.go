package testcase

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing/fstest"

	"go.yaml.in/yaml/v4"

	"github.com/pullrun/pullrun/engine"
)

// A Case is one pipeline to run, and what it should come to.
type Case struct {
	Name string // by which people know it
	Doc  string // what it shows
	File string
	Line int // in the file

	entry     string
	variables json.RawMessage
	secrets   map[string]string
	files     fs.FS // its own pipelines, or nil
	shared    *directory
	chips     map[string]script // by name
	want      expectation
}

// Pipelines gives the pipelines that the case brings along, as files, or nil.
func (c *Case) Pipelines() fs.FS { return c.files }

// An expectation is what a run should come to: a result, or an error.
type expectation struct {
	line   int
	result json.RawMessage // nil if an error is expected
	class  string          // of the error, or "any"
	at     string
	phase  engine.Phase // of loading; "" while running
	cause  string       // the class of the underlying error
}

// A reader reads the documents of a file and notes what is wrong with them.
type reader struct {
	file     string
	chips    *engine.Chips
	problems []engine.Problem
}

func (r *reader) wrong(n *yaml.Node, format string, args ...any) {
	r.problems = append(r.problems, engine.Problem{
		File: r.file, Line: n.Line, Column: n.Column, Class: engine.ParsingException, Phase: engine.PhaseLoad,
		Message: fmt.Sprintf(format, args...),
	})
}

var caseKeys = []string{"name", "doc", "entry", "variables", "secrets", "pipelines", "chips", "expect", "ours", "why"}

// read reads one document.
func (r *reader) read(doc *yaml.Node) *Case {
	c := &Case{File: r.file, Line: doc.Line}
	if doc.Kind != yaml.MappingNode {
		r.wrong(doc, "a case is a map")
		return c
	}
	var expect, ours *yaml.Node
	for key, value := range pairs(doc) {
		switch key.Value {
		case "name":
			c.Name = r.text(value)
		case "doc":
			c.Doc = r.text(value)
		case "entry":
			c.entry = r.text(value)
		case "variables":
			c.variables = r.value(value)
		case "secrets":
			c.secrets = r.secrets(value)
		case "pipelines":
			c.files = r.pipelines(value)
		case "chips":
			c.chips = r.scripts(value)
		case "expect":
			expect = value
		case "ours":
			ours = value
		case "why":
		default:
			r.wrong(key, "unknown key %q; a case has %s", key.Value, strings.Join(caseKeys, ", "))
		}
	}
	if c.entry == "" {
		r.wrong(doc, "entry is missing: the pipeline to run")
	}
	if ours != nil {
		expect = ours
	}
	if expect == nil {
		r.wrong(doc, "expect is missing: the result or the error")
		return c
	}
	c.want = r.expectation(expect)
	return c
}

// secrets reads what the secrets of the pipeline are in the case.
func (r *reader) secrets(n *yaml.Node) map[string]string {
	all := map[string]string{}
	if n.Kind != yaml.MappingNode {
		r.wrong(n, "secrets is a map of names to texts")
		return all
	}
	for key, value := range pairs(n) {
		all[key.Value] = r.text(value)
	}
	return all
}

// secret gives a secret in the case. One that it does not name is a text that
// stands for it: no case gets to see a real one.
func (c *Case) secret(name string) string {
	if s, ok := c.secrets[name]; ok {
		return s
	}
	return "secret " + name
}

func (r *reader) expectation(n *yaml.Node) expectation {
	e := expectation{line: n.Line}
	if n.Kind != yaml.MappingNode {
		r.wrong(n, "an expectation is a map of result, or of error, at, phase and cause")
		return e
	}
	for key, value := range pairs(n) {
		switch key.Value {
		case "result":
			e.line, e.result = key.Line, r.value(value)
		case "error":
			e.line, e.class = key.Line, r.text(value)
		case "at":
			e.at = r.text(value)
		case "cause":
			e.cause = r.text(value)
		case "phase":
			e.phase = engine.Phase(r.text(value))
			if e.phase != engine.PhaseLoad && e.phase != engine.PhaseValidate {
				r.wrong(value, "phase is load or validate, not %q", e.phase)
			}
		default:
			r.wrong(key, "unknown key %q; an expectation has result, or error, at, phase and cause", key.Value)
		}
	}
	if (e.result == nil) == (e.class == "") {
		r.wrong(n, "an expectation has either result or error")
	}
	return e
}

// pipelines lays pipelines out as the files they stand for: each is a list of
// tasks, or the text of a file.
func (r *reader) pipelines(n *yaml.Node) fs.FS {
	files := fstest.MapFS{}
	if n.Kind != yaml.MappingNode {
		r.wrong(n, "pipelines is a map of names to lists of tasks, or to texts")
		return files
	}
	for key, value := range pairs(n) {
		path := key.Value
		if !strings.HasSuffix(path, ".yml") && !strings.HasSuffix(path, ".yaml") {
			path = strings.ReplaceAll(path, ".", "/") + ".yml"
		}
		if !fs.ValidPath(path) {
			r.wrong(key, "%q is neither a pipeline nor a file", key.Value)
			continue
		}
		data := []byte(value.Value)
		if value.Kind != yaml.ScalarNode {
			data = r.encoded(value)
		}
		files[path] = &fstest.MapFile{Data: data}
	}
	return files
}

// text reads a value that must be text; what looks like a number or a boolean
// is taken as it is written.
func (r *reader) text(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode {
		r.wrong(n, "wants text")
		return ""
	}
	return n.Value
}

// value reads a value as pipelines would, and gives it as JSON.
func (r *reader) value(n *yaml.Node) json.RawMessage {
	wrapped := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: "value"}, n}}
	var v struct{ Value json.RawMessage }
	data, err := engine.ReadVariables(r.file, strings.NewReader(string(r.encoded(wrapped))))
	if err == nil {
		err = json.Unmarshal(data, &v)
	}
	if err != nil {
		r.wrong(n, "%v", err)
		return json.RawMessage("null")
	}
	return v.Value
}

func (r *reader) encoded(n *yaml.Node) []byte {
	data, err := yaml.Marshal(n)
	if err != nil {
		r.wrong(n, "%v", err)
	}
	return data
}

// pairs goes through the keys and values of a map.
func pairs(n *yaml.Node) func(yield func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		for pair := range slices.Chunk(n.Content, 2) {
			if !yield(pair[0], pair[1]) {
				return
			}
		}
	}
}
