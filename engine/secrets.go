package engine

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/pullrun/pullrun/engine/expr"
)

// A secret is a value that only the machine knows that runs the pipeline.
// Tasks read it as `secrets.name`; wherever a run shows text it is hidden.
type secret struct {
	name string
	env  string // the environment variable that holds it, or
	file string // the file
}

// minSecret is the least length of a secret: a shorter one would hide parts
// of ordinary words.
const minSecret = 6

func (p *parser) secrets(n *node) []secret {
	list := make([]secret, 0, len(n.pairs))
	for _, pair := range n.pairs {
		s := secret{}
		s.name, _ = pair.key.text()
		if !p.mapping("secrets", pair.value) {
			continue
		}
		for _, from := range pair.value.pairs {
			switch key, _ := from.key.text(); key {
			case "env":
				s.env, _ = p.text("env", from.value)
			case "file":
				s.file, _ = p.text("file", from.value)
			default:
				p.wrong(from.key, "it takes env or file", "unknown field %q in a secret", key)
			}
		}
		if (s.env == "") == (s.file == "") {
			p.wrong(pair.value, "", "secret %q wants env or file", s.name)
			continue
		}
		list = append(list, s)
	}
	return list
}

// resolve reads the secret.
func (s secret) resolve() (string, error) {
	value, from := "", "environment variable "+s.env
	if s.env != "" {
		value = os.Getenv(s.env)
	} else {
		from = "file " + s.file
		data, err := os.ReadFile(s.file)
		if err != nil {
			return "", fmt.Errorf("secret %q: %w", s.name, err)
		}
		value = strings.TrimRight(string(data), "\r\n")
	}
	switch {
	case value == "":
		return "", fmt.Errorf("secret %q: %s is empty", s.name, from)
	case len(value) < minSecret:
		return "", fmt.Errorf("secret %q: %s holds fewer than %d characters, which cannot be hidden", s.name, from, minSecret)
	}
	return value, nil
}

// bindSecrets makes the variable `secrets` and notes what to hide.
func (r *run) bindSecrets(p *pipeline, sc *scope) error {
	if p.secrets == nil {
		return nil
	}
	d := expr.NewDict()
	var forms []string
	var errs []error
	for _, s := range p.secrets {
		value, err := s.resolve()
		if err != nil {
			errs = append(errs, err)
			continue
		}
		d.SetString(s.name, value)
		forms = append(forms, secretForms(value)...)
		if keeper, ok := r.observer.(secretKeeper); ok {
			keeper.Secret(value)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return &Error{Class: ValidationException, Message: strings.ReplaceAll(err.Error(), "\n", "; "), Cause: err}
	}
	sc.put("secrets", d, true)
	r.hide = newHider(forms)
	return nil
}

// secretForms gives the ways in which a secret may appear in text.
func secretForms(value string) []string {
	quoted, _ := json.Marshal(value) // text can be encoded
	forms := []string{value, string(quoted[1 : len(quoted)-1]), url.QueryEscape(value), url.PathEscape(value)}
	for shift := range 3 { // of the bytes before it, as base64 goes by three
		whole := base64.StdEncoding.EncodeToString(append(make([]byte, shift), value...))
		first := (shift*8 + 5) / 6
		last := (shift + len(value)) * 8 / 6
		if last-first >= minSecret {
			form := whole[first:last]
			forms = append(forms, form, strings.NewReplacer("+", "-", "/", "_").Replace(form))
		}
	}
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(forms)
}

// A hider replaces secrets in text. The zero one has none.
type hider struct {
	replacer *strings.Replacer
}

const hidden = "[secret]"

func newHider(forms []string) hider {
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(forms))
	for _, f := range forms {
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

// error hides secrets in an error and in all its causes.
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
