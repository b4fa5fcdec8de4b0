package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun/engine"
)

// variables are the start variables of a run, from --vars and --set.
type variables struct {
	file string
	set  []string
}

func (v *variables) flags(c *cobra.Command) {
	c.Flags().StringVar(&v.file, "vars", "", "YAML or JSON `file` with the start variables, - for standard input")
	c.Flags().StringArrayVar(&v.set, "set", nil, "set one start variable, as `name=value`; what is JSON is taken as JSON, anything else as text; may be repeated")
}

// read gives the variables as a JSON object. What --set says goes on top of
// what the file says.
func (v *variables) read(t terminal) (json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	if v.file != "" {
		raw, err := v.readFile(t)
		if err != nil {
			return nil, usageError(fmt.Errorf("--vars: %w", err))
		}
		if err := json.Unmarshal(raw, &all); err != nil {
			return nil, usageError(fmt.Errorf("--vars: %q must hold a map of names to values", v.file))
		}
	}
	for _, one := range v.set {
		name, value, ok := strings.Cut(one, "=")
		if !ok || name == "" {
			return nil, usageError(fmt.Errorf("--set wants name=value, got %q", one))
		}
		if !json.Valid([]byte(value)) {
			quoted, err := json.Marshal(value)
			if err != nil {
				return nil, err
			}
			value = string(quoted)
		}
		all[name] = json.RawMessage(value)
	}
	return json.Marshal(all)
}

func (v *variables) readFile(t terminal) ([]byte, error) {
	if v.file == "-" {
		return engine.ReadVariables("standard input", t.in)
	}
	f, err := os.Open(v.file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return engine.ReadVariables(v.file, f)
}
