package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/configs"
)

func newCancel(t terminal) *cobra.Command {
	var reason, output string
	var wait bool
	c := &cobra.Command{
		Use:   "cancel COOKIE",
		Short: "Stop a run",
		Long: `Asks for a run to be stopped. One that waits is cancelled at once; one that is
being worked on is stopped by its worker and ends within 30 seconds in any case.
A run that has ended stays as it is.`,
		Args: exactly("a run's cookie"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			r, err := connect(t, cmd)
			if err != nil {
				return err
			}
			defer r.flush()
			run, err := r.client.Cancel(cmd.Context(), args[0], reason)
			if err == nil && wait && !run.State.Final() {
				run, err = r.client.Wait(cmd.Context(), args[0])
			}
			if err != nil {
				return err
			}
			return print(t, output, run, func() {
				switch {
				case run.State == api.StateCancelled:
					fmt.Fprintf(t.err, "run %s is cancelled\n", run.Cookie)
				case run.State.Final():
					fmt.Fprintf(t.err, "run %s had ended before: %s\n", run.Cookie, run.State)
				default:
					fmt.Fprintf(t.err, "run %s is %s; its worker will be told to stop it\n", run.Cookie, run.State)
				}
			})
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "`why`, for whoever reads the run")
	c.Flags().BoolVar(&wait, "wait", false, "wait until the run has ended")
	outputFlag(c, &output)
	configs.Flags[configs.Client](c.Flags())
	return c
}
