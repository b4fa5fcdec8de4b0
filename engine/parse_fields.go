package engine

import (
	"strings"

	"github.com/pullrun/pullrun/engine/expr"
)

// The methods below read one field each. They note what is wrong and leave
// the task as it was.

// text reads a field that must be text.
func (p *parser) text(name string, n *node) (string, bool) {
	s, ok := n.text()
	if ok {
		return s, true
	}
	hint := ""
	if n.kind == scalarNode && n.scalar != nil {
		hint = "put it in quotes"
	}
	p.wrong(n, hint, "%q wants text, not %s", name, n.what())
	return "", false
}

// optionalText reads a field that may be null.
func (p *parser) optionalText(name string, n *node) string {
	if n.isNull() {
		return ""
	}
	s, _ := p.text(name, n)
	return s
}

func (p *parser) boolean(name string, n *node) bool {
	if n.isNull() {
		return false
	}
	if n.kind == scalarNode {
		if b, ok := looseBool(n.scalar); ok {
			return b
		}
	}
	p.wrong(n, "", "%q wants true or false, not %s", name, n.what())
	return false
}

func (p *parser) path(name string, n *node) *varPath {
	if n.isNull() {
		return nil
	}
	s, ok := p.text(name, n)
	if !ok {
		return nil
	}
	path := parsePath(s)
	return &path
}

func (p *parser) when(t *task, n *node) {
	if s := p.optionalText("when", n); s != "" {
		t.when = p.expressionAt(n, s)
	}
}

var logLevels = map[string]logLevel{"info": logInfo, "debug": logDebug, "trace": logTrace}

func (p *parser) log(t *task, n *node) {
	if n.isNull() {
		return
	}
	s, _ := n.text()
	var ok bool
	if t.log, ok = logLevels[s]; !ok {
		p.wrong(n, "", `"log" wants info, debug or trace, not %s`, expr.Repr(n.scalar))
	}
}

// mapping checks that a field is a map whose keys are text.
func (p *parser) mapping(name string, n *node) bool {
	if n.kind != mapNode {
		p.wrong(n, "", "%q wants a map, not %s", name, n.what())
		return false
	}
	for _, pair := range n.pairs {
		if _, ok := pair.key.text(); !ok {
			p.wrong(pair.key, "put it in quotes", "%q wants names that are text, not %s", name, expr.Repr(pair.key.scalar))
			return false
		}
	}
	return true
}

func (p *parser) variables(t *task, n *node) {
	if n.isNull() || !p.mapping("variables", n) {
		return
	}
	for _, pair := range n.pairs {
		key, _ := pair.key.text()
		t.variables = append(t.variables, variable{parsePath(key), raw(pair.value)})
	}
}

func (p *parser) params(name string, n *node) []param {
	if n.isNull() || !p.mapping(name, n) {
		return nil
	}
	params := make([]param, len(n.pairs))
	for i, pair := range n.pairs {
		key, _ := pair.key.text()
		params[i] = param{name: key, path: parsePath(key), value: p.template(pair.value), node: pair.value}
	}
	return params
}

func (p *parser) declare(t *task, n *node) {
	if p.mapping("declare", n) {
		t.declare = p.params("declare", n)
	}
}

func (p *parser) loop(t *task, n *node) {
	if n.isNull() {
		return
	}
	if n.kind == listNode {
		t.setLoop(&loop{items: p.template(n)})
		return
	}
	s, ok := n.text()
	if !ok {
		p.wrong(n, "", `"loop" wants a list or text, not %s`, n.what())
		return
	}
	items := p.template(n)
	if _, plain := items.(literal); plain && !strings.Contains(s, "{{") {
		t.setLoop(&loop{bare: p.expressionAt(n, s)})
		return
	}
	t.setLoop(&loop{items: items})
}

// setLoop keeps what loop_parallel said, whichever field came first.
func (t *task) setLoop(l *loop) {
	if t.loop != nil {
		l.parallel = t.loop.parallel
	}
	t.loop = l
}

func (p *parser) keyInto(t *task, n *node) {
	if n.isNull() || !p.mapping("key_result_into", n) {
		return
	}
	k := &keyInto{}
	for _, pair := range n.pairs {
		switch key, _ := pair.key.text(); key {
		case "name", "key":
			s, ok := p.text(key, pair.value)
			if !ok {
				return
			}
			if key == "name" {
				k.name = parsePath(s)
			} else {
				k.key = p.template(pair.value)
			}
		default:
			p.wrong(pair.key, "it takes name and key", `unknown field %q in "key_result_into"`, key)
			return
		}
	}
	if k.name.root == "" || k.key == nil {
		p.wrong(n, "", `"key_result_into" wants name and key`)
		return
	}
	t.keyInto = k
}

func (p *parser) tasks(t *task, n *node) {
	t.tasks = p.nested("tasks", taskSet, n)
}

// nested reads a list of tasks inside a task.
func (p *parser) nested(name, list string, n *node) []*task {
	if n.kind != listNode {
		p.wrong(n, "", "%q wants a list of tasks, not %s", name, n.what())
		return nil
	}
	return p.list(n, p.at, list)
}

func (p *parser) target(t *task, n *node) {
	t.target, _ = p.text(string(t.kind), n)
}

func (p *parser) value(t *task, n *node) {
	t.value = p.template(n)
}

func (p *parser) comment(_ *task, n *node) {
	p.text("comment", n)
}

func (p *parser) code(t *task, n *node) {
	s, ok := p.text("code", n)
	if !ok {
		return
	}
	if t.code = p.blocks[s]; t.code == nil {
		t.code = newProgram(s, true)
		p.blocks[s] = t.code
	}
	p.checkProgram(n, t.code)
}

func (p *parser) asserts(t *task, n *node) {
	checks := []*node{n}
	if n.kind == listNode {
		checks = n.items
	}
	for _, check := range checks {
		s, ok := p.text("assert", check)
		if !ok {
			return
		}
		t.asserts = append(t.asserts, p.expressionAt(check, s))
	}
}

// looseBool reads a boolean the way pydantic does.
func looseBool(v expr.Value) (b, ok bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case int64:
		return v == 1, v == 0 || v == 1
	case float64:
		return v == 1, v == 0 || v == 1
	case string:
		switch strings.ToLower(v) {
		case "1", "on", "t", "true", "y", "yes":
			return true, true
		case "0", "off", "f", "false", "n", "no":
			return false, true
		}
	}
	return false, false
}
