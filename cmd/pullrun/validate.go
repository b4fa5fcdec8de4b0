package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun/configs"
	"github.com/pullrun/pullrun/engine"
)

func newValidate(t terminal) *cobra.Command {
	var strict bool
	var file, output string
	c := &cobra.Command{
		Use:        "validate DIR...",
		SuggestFor: []string{"check", "lint"},
		Short:      "Check pipelines without running them",
		Long: `Reads the pipelines below the DIRs and reports everything that is wrong with
them: unknown fields, chips and pipelines, expressions that cannot be evaluated,
wrong parameters. The exit code is 2 when there is an error.

What may never be reached, such as an expression that cannot be evaluated, is told
as a warning, since a worker takes such a pipeline; --strict makes it an error.

What a worker's settings forbid (chips.allow, chips.deny, code, process.allow) is
told with --config, which names its settings file; the worker itself tells it when
it starts.`,
		Args: atLeast("a directory"),
		RunE: func(_ *cobra.Command, dirs []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			opts := engine.LoadOptions{Dirs: dirs, Chips: chipSet(configs.DefaultWorker()), Strict: strict}
			if file != "" {
				cfg, _, err := configs.Load[configs.Worker](configs.LoadOptions{File: file})
				if err != nil {
					return err
				}
				opts = policy{cfg}.restrict(opts)
			}
			all, err := engine.Load(opts)
			var report report
			var load *engine.LoadError
			switch {
			case errors.As(err, &load):
				report.Errors, report.Warnings = load.Problems, load.Warnings
			case err != nil:
				return err
			default:
				report.Pipelines = len(all.Pipelines())
				report.Warnings = all.Warnings()
			}
			return report.print(t, output)
		},
	}
	c.Flags().BoolVar(&strict, "strict", false, "take warnings for errors")
	c.Flags().StringVar(&file, "config", "", "tell also what the settings `file` of a worker forbids")
	outputFlag(c, &output)
	return c
}

// A report is what validate found.
type report struct {
	Pipelines int              `json:"pipelines"`
	Errors    []engine.Problem `json:"errors"`
	Warnings  []engine.Problem `json:"warnings"`
}

func (r report) print(t terminal, output string) error {
	err := print(t, output, r, func() {
		for _, p := range r.Errors {
			fmt.Fprintf(t.err, "%s\n", p)
		}
		for _, p := range r.Warnings {
			fmt.Fprintf(t.err, "warning: %s\n", p)
		}
		if len(r.Errors) == 0 {
			fmt.Fprintf(t.out, "%s, no errors, %s\n", counted(r.Pipelines, "pipeline"), counted(len(r.Warnings), "warning"))
		}
	})
	if err != nil || len(r.Errors) == 0 {
		return err
	}
	return withCode(exitUsage, errSaid)
}

// counted gives a number of things.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
