package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun/configs"
	"github.com/pullrun/pullrun/engine"
)

func newSchema(t terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "schema [DIR...]",
		Short: "Print the JSON Schema of pipeline files, for editors",
		Long: `Prints a JSON Schema, of draft 7, from which editors complete and check pipeline
files: the kinds of tasks, their fields, the chips and what each takes. With
DIRs, the pipelines below them too, as targets of dispatch and branch.`,
		Example: `  pullrun schema pipelines > .vscode/pipeline.schema.json`,
		Args:    cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, dirs []string) error {
			names, err := engine.PipelineNames(dirs...)
			if err != nil {
				return usageError(err)
			}
			schema := chipSet(configs.DefaultWorker()).PipelineSchema(names)
			e := json.NewEncoder(t.out)
			e.SetIndent("", "  ")
			e.SetEscapeHTML(false)
			return e.Encode(schema)
		},
	}
}
