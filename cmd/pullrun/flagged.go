package main

import (
	"errors"
	"strings"

	"github.com/spf13/pflag"

	"github.com/pullrun/pullrun/api"
)

// flagged names the flags that were given, and not the fields that they are for, in
// an error of what a command is about to ask for.
func flagged(flags *pflag.FlagSet, err error) error {
	var invalid api.Invalid
	if !errors.As(err, &invalid) {
		return err
	}
	for i, p := range invalid.Problems {
		for _, name := range flagsOf(p.Field) {
			if flags.Changed(name) {
				invalid.Problems[i].Field = "--" + name
			}
		}
	}
	return usageError(invalid)
}

// flagsOf is how a flag for a field may be called: without its place in a list and
// its unit, and in the singular.
func flagsOf(field string) []string {
	if field == "retry.max" {
		return []string{"retries"}
	}
	name, _, _ := strings.Cut(field, "[")
	name = strings.NewReplacer(".", "-", "_", "-").Replace(strings.TrimSuffix(name, "_ms"))
	return []string{name, strings.TrimSuffix(name, "s")}
}
