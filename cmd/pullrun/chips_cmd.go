package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun/configs"
	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/engine/chips"
)

func newChips(t terminal) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "chips [NAME]",
		Short: "List the chips that pipelines can call, or explain one",
		Long: `Lists the standard chips. With a name, shows what that chip does, what it takes
and gives, and an example.`,
		Example: `  pullrun chips
  pullrun chips http.get`,
		Args: atMost(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			all := chipSet(configs.DefaultWorker())
			if len(args) == 1 {
				c, err := all.Find(args[0])
				if err != nil {
					return withCode(exitNotFound, err)
				}
				about := explain(c)
				return print(t, output, about, func() { about.print(t) })
			}
			var list []chipInfo
			for _, c := range all.All() {
				list = append(list, explain(c))
			}
			return print(t, output, list, func() {
				table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
				for _, c := range list {
					fmt.Fprintf(table, "%s\t%s\n", c.Name, c.Doc)
				}
				_ = table.Flush() // a closed pipe is the reader's wish
			})
		},
	}
	outputFlag(c, &output)
	return c
}

// A chipInfo is all that is to be said about a chip.
type chipInfo struct {
	Name     string          `json:"name"`
	Doc      string          `json:"doc"`
	Params   []engine.Field  `json:"params"`
	Response []engine.Field  `json:"response"`
	Example  string          `json:"example"`
	Result   json.RawMessage `json:"example_result,omitempty"`
}

func explain(c *engine.Chip) chipInfo {
	about := chipInfo{Name: c.Name(), Doc: c.Doc(), Params: c.Params(), Response: c.Response(), Example: c.Example()}
	if ex, ok := chips.ExampleOf(c.Name()); ok {
		about.Example, about.Result = ex.Pipeline, json.RawMessage(ex.Result)
	}
	return about
}

func (c chipInfo) print(t terminal) {
	fmt.Fprintf(t.out, "%s\n%s\n", c.Name, c.Doc)
	printFields(t, "Params", c.Params, true)
	printFields(t, "Response", c.Response, false)
	fmt.Fprintf(t.out, "\nExample:\n  %s\n", strings.ReplaceAll(strings.TrimSpace(c.Example), "\n", "\n  "))
	if len(c.Result) > 0 {
		fmt.Fprintf(t.out, "gives\n  %s\n", c.Result)
	}
}

func printFields(t terminal, title string, fields []engine.Field, taken bool) {
	if len(fields) == 0 {
		fmt.Fprintf(t.out, "\n%s: none\n", title)
		return
	}
	fmt.Fprintf(t.out, "\n%s:\n", title)
	table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	for _, f := range fields {
		fmt.Fprintf(table, "  %s\t%s\t", f.Name, f.Type)
		switch {
		case f.Required:
			fmt.Fprint(table, "required\t")
		case taken:
			fmt.Fprintf(table, "default %s\t", f.Default)
		}
		fmt.Fprint(table, f.Doc)
		if len(f.Enum) > 0 {
			fmt.Fprintf(table, " One of %s.", strings.Join(f.Enum, ", "))
		}
		fmt.Fprintln(table)
	}
	_ = table.Flush() // a closed pipe is the reader's wish
}
