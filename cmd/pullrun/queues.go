package main

import (
	"cmp"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/configs"
)

func newQueues(t terminal) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "queues [QUEUE]",
		Short: "Say how much work each queue has, or one of them",
		Long: `Lists the queues that have runs which have not ended. QUEUED runs wait for a
worker, BLOCKED ones for a slot of their concurrency key, SCHEDULED ones for
their time; LEASED ones are with a worker. DEMAND is how many slots of workers
would be busy if there were enough of them. OLDEST is how long the longest
waiting of the queued runs has waited.`,
		Example: `  pullrun queues
  pullrun queues default --output json`,
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			r, err := connect(t, cmd)
			if err != nil {
				return err
			}
			defer r.flush()
			if len(args) == 1 {
				one, err := r.client.Queue(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return print(t, output, one, func() { printQueues(t, one) })
			}
			queues, err := r.client.Queues(cmd.Context())
			if err != nil {
				return err
			}
			return print(t, output, queues, func() { printQueues(t, queues...) })
		},
	}
	outputFlag(c, &output)
	configs.Flags[configs.Client](c.Flags())
	return c
}

func printQueues(t terminal, queues ...api.QueueStats) {
	table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "QUEUE\tQUEUED\tBLOCKED\tSCHEDULED\tLEASED\tDEMAND\tOLDEST")
	for _, q := range queues {
		oldest := ""
		if q.Queued > 0 {
			oldest = took(time.Duration(q.OldestAgeMS) * time.Millisecond)
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%s\n", q.Queue, q.Queued, q.Blocked, q.Scheduled, q.Leased, q.Demand, cmp.Or(oldest, "-"))
	}
	_ = table.Flush() // a closed pipe is the reader's wish
}
