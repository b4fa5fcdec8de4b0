package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun/configs"
)

func newWorkers(t terminal) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "workers",
		Short: "List workers, or tell one to end",
		Args:  exactly(),
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
				table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
				fmt.Fprintln(table, "WORKER\tSLOTS\tQUEUES\tPIPELINES\tVERSION\tSEEN\tSTATE")
				for _, w := range workers {
					state := "working"
					if w.Draining {
						state = "draining"
					}
					fmt.Fprintf(table, "%s\t%d/%d\t%s\t%d\t%s\t%s ago\t%s\n", w.ID, w.Holding, w.Capacity,
						strings.Join(w.Queues, ","), len(w.Pipelines), w.Version, took(time.Since(w.SeenAt)), state)
				}
				_ = table.Flush() // a closed pipe is the reader's wish
			})
		},
	}
	outputFlag(c, &output)
	configs.Flags[configs.Client](c.Flags())
	c.AddCommand(newDrain(t))
	return c
}
