package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
)

// outputFlag gives a command --output.
func outputFlag(c *cobra.Command, output *string) {
	c.Flags().StringVarP(output, "output", "o", "text", "form of what is printed: text or json")
}

// print writes v as JSON or as text.
func print(t terminal, output string, v any, text func()) error {
	switch output {
	case "text":
		text()
		return nil
	case "json":
		e := json.NewEncoder(t.out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(v)
	}
	return usageError(fmt.Errorf("--output must be text or json, got %q", output))
}

// checkOutput refuses an unknown form before anything is done.
func checkOutput(output string) error {
	if output != "text" && output != "json" {
		return usageError(fmt.Errorf("--output must be text or json, got %q", output))
	}
	return nil
}
