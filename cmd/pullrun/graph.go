package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun/configs"
	"github.com/pullrun/pullrun/engine"
)

func newGraph(t terminal) *cobra.Command {
	var format, file string
	c := &cobra.Command{
		Use:   "graph PIPELINE [DIR...]",
		Short: "Draw a pipeline and those it leads to",
		Long: `Draws one of the pipelines below the DIRs, or below pipelines.dirs of the
worker's settings: its tasks, task sets and loops, what runs when a task fails
or ends, and the pipelines that it dispatches or branches to.

The drawing is written in the language of Mermaid, which GitHub and many editors
show inside Markdown, or of Graphviz.`,
		Example: `  pullrun graph url_check examples
  pullrun graph url_check examples --format dot | dot -Tsvg > url_check.svg`,
		Args: atLeast("a pipeline"),
		RunE: func(_ *cobra.Command, args []string) error {
			if format != "mermaid" && format != "dot" {
				return usageError(fmt.Errorf("--format must be mermaid or dot, got %q", format))
			}
			dirs := args[1:]
			if len(dirs) == 0 {
				cfg, _, err := configs.Load[configs.Worker](configs.LoadOptions{File: file, Search: workerFiles})
				if err != nil {
					return err
				}
				dirs = cfg.Pipelines.Dirs
			}
			all, err := engine.Load(engine.LoadOptions{Dirs: dirs, Chips: chipSet(configs.DefaultWorker())})
			if err != nil {
				return err
			}
			g, err := all.Graph(args[0])
			if err != nil {
				return withCode(exitNotFound, err)
			}
			drawing := g.Mermaid()
			if format == "dot" {
				drawing = g.DOT()
			}
			fmt.Fprint(t.out, drawing)
			return nil
		},
	}
	c.Flags().StringVar(&format, "format", "mermaid", "language of the drawing: mermaid or dot")
	configFlag(c, &file)
	return c
}
