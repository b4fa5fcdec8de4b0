package engine

import (
	"strings"

	"github.com/pullrun/pullrun/engine/expr"
)

// A template is a value of a pipeline file that may hold placeholders, ready
// to be rendered any number of times, by several goroutines at once.
//
//   - A text that is exactly one placeholder, `{{ e }}`, gives the value of e.
//   - A text with placeholders gives text.
//   - A text that is `var(e)` gives the value of e, and renders what is in it.
//   - Lists and maps are rendered throughout; keys are not.
//
// What comes out of an expression is data and is not rendered again.
type template interface {
	render(r *renderer) (expr.Value, error)
	// each calls f for every program in the template.
	each(f func(*program))
}

type (
	literal      struct{ value expr.Value }
	placeholder  struct{ prog *program }
	textTemplate struct{ parts []textPart }
	varTemplate  struct{ prog *program }
	listTemplate struct{ items []template }
	mapTemplate  struct {
		keys   []expr.Value
		values []template
	}
)

// A textPart is literal text or, when prog is set, a placeholder.
type textPart struct {
	text string
	prog *program
}

func (literal) each(func(*program))         {}
func (t placeholder) each(f func(*program)) { f(t.prog) }
func (t varTemplate) each(f func(*program)) { f(t.prog) }

func (t textTemplate) each(f func(*program)) {
	for _, part := range t.parts {
		if part.prog != nil {
			f(part.prog)
		}
	}
}

func (t listTemplate) each(f func(*program)) {
	for _, item := range t.items {
		item.each(f)
	}
}

func (t mapTemplate) each(f func(*program)) {
	for _, value := range t.values {
		value.each(f)
	}
}

// mentions reports whether a program of the template uses one of the names.
func mentions(t template, names ...string) bool {
	found := false
	t.each(func(p *program) { found = found || p.mentions(names...) })
	return found
}

// parseTemplate gives the template in a text; compile makes its programs.
func parseTemplate(text string, compile func(string) *program) template {
	if inner, ok := varCall(text); ok {
		return varTemplate{compile(inner)}
	}
	if !strings.Contains(text, "{{") {
		return literal{text}
	}
	parts := splitText(text, compile)
	switch {
	case len(parts) == 0:
		return literal{text}
	case len(parts) == 1 && parts[0].prog == nil:
		return literal{parts[0].text}
	case len(parts) == 1:
		return placeholder{parts[0].prog}
	}
	return textTemplate{parts}
}

// varCall gives the inside of a text that is one `var(...)` call. Two calls
// in a row are one with a broken inside.
func varCall(text string) (string, bool) {
	text = strings.TrimSuffix(text, "\n")
	inner, ok := strings.CutPrefix(text, "var(")
	if !ok || strings.Contains(inner, "\n") {
		return "", false
	}
	return strings.CutSuffix(inner, ")")
}

// splitText cuts a text at its placeholders.
func splitText(text string, compile func(string) *program) []textPart {
	var parts []textPart
	start := 0 // of the literal text before the next placeholder
	for i := 0; i+1 < len(text); {
		src, size := placeholderAt(text, i)
		if size == 0 {
			i++
			continue
		}
		if i > start {
			parts = append(parts, textPart{text: text[start:i]})
		}
		parts = append(parts, textPart{prog: compile(src)})
		i += size
		start = i
	}
	if start < len(text) {
		parts = append(parts, textPart{text: text[start:]})
	}
	return parts
}

// placeholderAt reads the placeholder that begins at i and gives its source
// and its length, which is 0 when none begins there. Braces inside are
// written `\{` and `\}`; with bare ones it is no placeholder. Two braces
// after a backslash begin none.
func placeholderAt(text string, i int) (src string, size int) {
	if !strings.HasPrefix(text[i:], "{{") || i > 0 && text[i-1] == '\\' {
		return "", 0
	}
	var b strings.Builder
	for j := i + 2; j < len(text); j++ {
		switch c := text[j]; {
		case c == '\\' && j+1 < len(text) && (text[j+1] == '{' || text[j+1] == '}'):
			j++
			b.WriteByte(text[j])
		case c == '{':
			return "", 0
		case c == '}':
			if strings.HasPrefix(text[j:], "}}") {
				return b.String(), j + 2 - i
			}
			return "", 0
		default:
			b.WriteByte(c)
		}
	}
	return "", 0
}

// static makes a list or map without placeholders one value that is shared
// by all renderings. Scopes copy it before they change it.
func static(t template) template {
	switch t := t.(type) {
	case listTemplate:
		items := make([]expr.Value, len(t.items))
		for i, item := range t.items {
			lit, ok := item.(literal)
			if !ok {
				return t
			}
			items[i] = lit.value
		}
		return literal{expr.NewList(items...)}
	case mapTemplate:
		d := expr.NewDict()
		for i, value := range t.values {
			lit, ok := value.(literal)
			if !ok || d.Set(t.keys[i], lit.value) != nil {
				return t
			}
		}
		return literal{d}
	}
	return t
}

// raw gives a value of a pipeline file as it stands, templates and all.
func raw(n *node) expr.Value {
	switch n.kind {
	case listNode:
		items := make([]expr.Value, len(n.items))
		for i, item := range n.items {
			items[i] = raw(item)
		}
		return expr.NewList(items...)
	case mapNode:
		d := expr.NewDict()
		for _, p := range n.pairs {
			_ = d.Set(p.key.scalar, raw(p.value)) // scalars can be hashed
		}
		return d
	}
	return n.scalar
}
