package engine

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/pullrun/pullrun/engine/expr"
	"github.com/pullrun/pullrun/otel/forms"
)

// A secret is a value that only the machine knows that runs the pipeline.
// Tasks read it as `secrets.name`; wherever a run shows text it is hidden.
type secret struct {
	name string
	env  string // the environment variable that holds it, or
	file string // the file
}

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

// resolve reads the secret, or takes it from who knows it by its name.
func (s secret) resolve(known func(name string) string) (string, error) {
	value, from := "", "environment variable "+s.env
	switch {
	case known != nil:
		value, from = known(s.name), "what stands for it"
	case s.env != "":
		value = os.Getenv(s.env)
	default:
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
	case len(value) < forms.Least:
		return "", fmt.Errorf("secret %q: %s holds fewer than %d characters, which cannot be hidden", s.name, from, forms.Least)
	}
	return value, nil
}

// bindSecrets makes the variable `secrets` and notes what to hide.
func (r *run) bindSecrets(p *pipeline, sc *scope, known func(name string) string) error {
	if p.secrets == nil {
		return nil
	}
	d := expr.NewDict()
	var values []string
	var errs []error
	for _, s := range p.secrets {
		value, err := s.resolve(known)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		d.SetString(s.name, value)
		values = append(values, value)
		if keeper, ok := r.observer.(secretKeeper); ok {
			keeper.Secret(value)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return &Error{Class: ValidationException, Message: strings.ReplaceAll(err.Error(), "\n", "; "), Cause: err}
	}
	sc.put("secrets", d, true)
	r.hide = newHider(values)
	return nil
}
