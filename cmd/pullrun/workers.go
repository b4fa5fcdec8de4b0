package main

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/configs"
)

func newWorkers(t terminal) *cobra.Command {
	var pipelines bool
	var output string
	c := &cobra.Command{
		Use:   "workers",
		Short: "List workers, or tell one to end",
		Long: `Lists the workers that have a session. With --pipelines, lists what each of
them can run, with the digest that "pullrun run --digest" takes.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			r, err := connect(t, cmd)
			if err != nil {
				return err
			}
			defer r.flush()
			workers, err := r.client.Workers(cmd.Context())
			if err != nil {
				return err
			}
			return print(t, output, workers, func() {
				if pipelines {
					showPipelines(t, workers)
					return
				}
				table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
				fmt.Fprintln(table, "WORKER\tSLOTS\tQUEUES\tPIPELINES\tVERSION\tSEEN\tSTATE")
				for _, w := range workers {
					state := "working"
					switch {
					case w.Draining:
						state = "draining"
					case w.Paused != "":
						state = "paused: " + w.Paused
					}
					fmt.Fprintf(table, "%s\t%d/%d\t%s\t%d\t%s\t%s ago\t%s\n", w.ID, w.Holding, w.Capacity,
						strings.Join(w.Queues, ","), len(w.Pipelines), w.Version, took(time.Since(w.SeenAt)), state)
				}
				_ = table.Flush() // a closed pipe is the reader's wish
			})
		},
	}
	c.Flags().BoolVar(&pipelines, "pipelines", false, "list the workers' pipelines and their digests")
	outputFlag(c, &output)
	configs.Flags[configs.Client](c.Flags())
	c.AddCommand(newDrain(t))
	return c
}

func showPipelines(t terminal, workers []api.Worker) {
	table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "WORKER\tPIPELINE\tDIGEST")
	for _, w := range workers {
		for _, p := range w.Pipelines {
			fmt.Fprintf(table, "%s\t%s\t%s\n", w.ID, p.Name, cmp.Or(p.Digest, "-"))
		}
	}
	_ = table.Flush() // a closed pipe is the reader's wish
}
