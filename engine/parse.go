package engine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pullrun/pullrun/engine/expr"
)

// A parser turns the nodes of one file into tasks. What is wrong it notes
// and goes on, so that an author sees everything at once.
type parser struct {
	*loader
	file   string
	at     *place
	loops  int    // the loops around
	beside string // what around runs beside the pipeline, or ""
}

// parse reads a file. A file without content is no pipeline.
func (l *loader) parse(src source) (*pipeline, bool) {
	p := &parser{loader: l, file: src.file, at: &place{list: src.name}}
	if src.tooLarge {
		p.wrong(nil, "", "the file is larger than %d bytes", l.limits.FileBytes)
		return nil, false
	}
	docs, err := parseYAML(src.data, l.limits)
	if err != nil {
		n := &node{}
		var ye *yamlError
		if errors.As(err, &ye) {
			n.line, n.col = ye.line, ye.col
		}
		p.wrong(n, "", "%v", err)
		return nil, false
	}
	pl := &pipeline{name: src.name, file: src.file, digest: digest(src.data)}
	if len(docs) == 2 && docs[0].kind == mapNode {
		p.header(pl, docs[0])
		docs = docs[1:]
	}
	switch {
	case len(docs) == 0 || len(docs) == 1 && docs[0].empty():
		return pl, false
	case len(docs) > 1:
		p.wrong(docs[1], "", "a second document in the file")
		return pl, false
	case docs[0].kind != listNode:
		p.wrong(docs[0], "", "a pipeline is a list of tasks, not %s", docs[0].what())
		return pl, false
	}
	pl.tasks = p.list(docs[0], nil, src.name)
	return pl, true
}

// empty reports whether a document holds nothing.
func (n *node) empty() bool {
	switch n.kind {
	case listNode:
		return len(n.items) == 0
	case mapNode:
		return len(n.pairs) == 0
	}
	return n.scalar == nil
}

// wrong notes an error at a node; nil means the whole file.
func (p *parser) wrong(n *node, hint, format string, args ...any) {
	p.error(p.problem(n, ParsingException, PhaseLoad, hint, format, args...))
}

// doubt notes a warning at a node.
func (p *parser) doubt(n *node, class, hint, format string, args ...any) {
	p.warn(p.problem(n, class, PhaseValidate, hint, format, args...))
}

func (p *parser) problem(n *node, class string, phase Phase, hint, format string, args ...any) Problem {
	if n == nil {
		n = &node{}
	}
	return Problem{
		File: p.file, Line: n.line, Column: n.col, At: p.at.String(),
		Class: class, Phase: phase, Message: fmt.Sprintf(format, args...), Hint: hint,
	}
}

// list reads the tasks of a pipeline or a task set.
func (p *parser) list(n *node, parent *place, name string) []*task {
	outer := p.at
	defer func() { p.at = outer }()
	tasks := make([]*task, 0, len(n.items))
	for i, item := range n.items {
		p.at = &place{parent: parent, list: name, number: i + 1}
		if t := p.task(item); t != nil {
			tasks = append(tasks, t)
		}
	}
	p.unreachable(tasks)
	return tasks
}

// task reads one task, or notes why it is none.
func (p *parser) task(n *node) *task {
	if n.kind != mapNode {
		p.wrong(n, "", "a task is a map, not %s", n.what())
		return nil
	}
	spec := p.kindOf(n)
	if spec == nil {
		p.noKind(n)
		return nil
	}
	t := &task{
		kind: spec.kind, number: p.at.number, at: p.at, file: p.file, line: n.line, col: n.col,
		nodes: map[string]*node{},
	}
	looping := n.get("loop") != nil && !n.get("loop").isNull()
	if looping {
		p.loops++
		defer func() { p.loops-- }()
	}
	outer := p.beside
	if async := n.get("run_async"); async != nil && async.kind == scalarNode {
		if v, ok := looseBool(async.scalar); ok && v {
			p.beside = "a background task"
		}
	}
	if parallel := n.get("loop_parallel"); parallel != nil && !parallel.isNull() {
		p.beside = "a parallel loop"
	}
	defer func() { p.beside = outer }()
	for _, pair := range n.pairs {
		key, ok := pair.key.text()
		read := spec.fields[key]
		if !ok || read == nil {
			p.wrong(pair.key, p.unknownField(spec, key), "unknown field %s in a %s task", expr.Repr(pair.key.scalar), spec.kind)
			continue
		}
		t.nodes[key] = pair.value
		read(p, t, pair.value)
	}
	p.finish(t)
	return t
}

// noKind notes that a task has no key that says what it does.
func (p *parser) noKind(n *node) {
	if len(n.pairs) == 0 {
		p.wrong(n, "", "an empty task")
		return
	}
	var names []string
	for _, spec := range p.kinds {
		names = append(names, string(spec.kind))
	}
	hint := "a task has one of " + strings.Join(names, ", ")
	for _, pair := range n.pairs {
		key, _ := pair.key.text()
		if near := didYouMean(key, names); near != "" && p.kinds[0].fields[key] == nil {
			hint = near
			break
		}
	}
	key := n.pairs[0].key
	p.wrong(key, hint, "no known kind of task: the first key is %s", expr.Repr(key.scalar))
}

// finish works out what follows from a task's fields together.
func (p *parser) finish(t *task) {
	if t.loop != nil && t.loop.items == nil && t.loop.bare == nil {
		if t.nodes["loop"] == nil {
			p.wrong(t.nodes["loop_parallel"], "", `"loop_parallel" without a loop`)
		}
		t.loop = nil
	}
	if t.loop != nil {
		for i := range t.params {
			t.params[i].perItem = mentions(t.params[i].value, "item", "loop")
			if t.params[i].perItem && p.loops > 1 {
				p.doubt(t.params[i].node, ValidationException, "",
					"%q uses the item of this task's own loop, not of the loop around it", t.params[i].name)
			}
		}
	}
	t.ownScope = t.kind != KindChip || t.loop != nil || len(t.variables) > 0 || t.keyInto != nil || t.guard != nil
	for _, param := range t.params {
		param.value.each(func(prog *program) { t.ownScope = t.ownScope || prog.mutates })
	}
	if t.kind == KindBranch && p.beside != "" {
		p.error(p.problem(t.nodes["branch"], ValidationException, PhaseValidate, "dispatch instead",
			"a branch cannot leave %s", p.beside))
	}
}

// unreachable warns of tasks after one that always ends their list.
func (p *parser) unreachable(tasks []*task) {
	for i, t := range tasks {
		if !t.ends() {
			continue
		}
		for _, later := range tasks[i+1:] {
			if later.kind == KindComment {
				continue
			}
			outer := p.at
			p.at = later.at
			p.doubt(&node{line: later.line, col: later.col}, ValidationException, "",
				"this task is never reached: the %s in task %d always ends the list", t.kind, t.number)
			p.at = outer
			return
		}
		return
	}
}

// expressionAt compiles an expression that stands alone in a node.
func (p *parser) expressionAt(n *node, src string) *program {
	prog := p.expression(src)
	p.checkProgram(n, prog)
	return prog
}

// checkProgram warns of a program that will fail when it is reached.
func (p *parser) checkProgram(n *node, prog *program) {
	if prog.err != nil {
		p.doubt(within(n, prog.err.Line), EvaluationException, prog.err.Hint, "%q: %s", shorten(prog.src), prog.err.Msg)
		return
	}
	for _, w := range prog.code.Warnings() {
		p.doubt(within(n, w.Line), EvaluationException, "", "%s", w.Msg)
	}
}

// within gives the place of a line inside a node's text.
func within(n *node, line int) *node {
	switch {
	case line > 0 && n.block:
		return &node{line: n.line + line}
	case line > 1:
		return &node{line: n.line + line - 1}
	}
	return n
}

// shorten cuts a source text down to what fits in a message.
func shorten(src string) string {
	const most = 80
	line, _, more := strings.Cut(strings.TrimSpace(src), "\n")
	if runes := []rune(line); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	if more {
		return line + "..."
	}
	return line
}

// template compiles a value of a task.
func (p *parser) template(n *node) template {
	switch n.kind {
	case listNode:
		t := listTemplate{items: make([]template, len(n.items))}
		for i, item := range n.items {
			t.items[i] = p.template(item)
		}
		return static(t)
	case mapNode:
		t := mapTemplate{keys: make([]expr.Value, len(n.pairs)), values: make([]template, len(n.pairs))}
		for i, pair := range n.pairs {
			t.keys[i], t.values[i] = pair.key.scalar, p.template(pair.value)
		}
		return static(t)
	}
	text, ok := n.text()
	if !ok {
		return literal{n.scalar}
	}
	t := parseTemplate(text, p.expression)
	t.each(func(prog *program) { p.checkProgram(n, prog) })
	if strayBraces(t) {
		p.doubt(n, EvaluationException, `inside a placeholder, braces are written \{ and \}`,
			"%q holds {{ that begins no placeholder and stays text", shorten(text))
	}
	return t
}

// strayBraces reports whether the literal part of a text has two braces that
// nobody escaped.
func strayBraces(t template) bool {
	stray := func(s string) bool {
		for i := 0; i+1 < len(s); i++ {
			if s[i] == '{' && s[i+1] == '{' && (i == 0 || s[i-1] != '\\') {
				return true
			}
		}
		return false
	}
	switch t := t.(type) {
	case literal:
		s, _ := t.value.(string)
		return stray(s)
	case textTemplate:
		for _, part := range t.parts {
			if part.prog == nil && stray(part.text) {
				return true
			}
		}
	}
	return false
}
