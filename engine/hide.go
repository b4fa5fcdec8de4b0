package engine

import (
	"slices"
	"strings"

	"github.com/pullrun/pullrun/engine/expr"
	"github.com/pullrun/pullrun/otel/forms"
)

// A hider replaces secrets in text, in all their forms, and in those of what Python
// writes of them. The zero hider has no secrets.
type hider struct {
	replacer *strings.Replacer
}

// hidden stands where a secret was.
const hidden = "[secret]"

func newHider(values []string) hider {
	var texts []string
	for _, v := range values {
		for _, part := range secretParts(v) {
			texts = append(texts, part)
			if repr := expr.Repr(part); repr[1:len(repr)-1] != part {
				texts = append(texts, repr[1:len(repr)-1])
			}
		}
	}
	var pairs []string
	for _, f := range forms.Of(texts...) {
		pairs = append(pairs, f, hidden)
	}
	return hider{strings.NewReplacer(pairs...)}
}

func (h hider) text(s string) string {
	if h.replacer == nil {
		return s
	}
	return h.replacer.Replace(s)
}

// error hides secrets in an error and in its causes.
func (h hider) error(e *Error) {
	if h.replacer == nil {
		return
	}
	e.Message = h.text(e.Message)
	if e.Cause == nil {
		return
	}
	if text := e.Cause.Error(); h.text(text) != text {
		e.Cause = &Raised{Class: e.CauseClass(), Message: h.text(text)}
	}
}

// secretParts gives a secret and what is as secret in it: the lines of a
// key, the texts in a JSON document.
func secretParts(value string) []string {
	parts := []string{value}
	for line := range strings.Lines(value) {
		parts = append(parts, strings.TrimSpace(line))
	}
	if v, err := expr.FromJSON([]byte(value)); err == nil {
		parts = append(parts, textsIn(v)...)
	}
	return slices.DeleteFunc(parts, func(s string) bool { return len(s) < forms.Least })
}

// textsIn gives the texts among the values of a decoded JSON document.
func textsIn(v expr.Value) []string {
	var texts []string
	switch v := v.(type) {
	case string:
		return []string{v}
	case *expr.List:
		for _, item := range v.Items() {
			texts = append(texts, textsIn(item)...)
		}
	case *expr.Dict:
		for _, value := range v.All() {
			texts = append(texts, textsIn(value)...)
		}
	}
	return texts
}
