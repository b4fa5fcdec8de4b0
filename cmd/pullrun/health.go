package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun/configs"
)

func newHealth(t terminal) *cobra.Command {
	var wait time.Duration
	c := &cobra.Command{
		Use:   "health",
		Short: "Ask a server whether it takes work",
		Long: `Asks the server whether it takes work, and says so by its exit code. It is for
the health checks of containers, and for scripts that have just started one.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := connect(t, cmd)
			if err != nil {
				return err
			}
			defer r.flush()
			if err := r.client.Ready(cmd.Context(), wait); err != nil {
				return err
			}
			fmt.Fprintln(t.out, "ok")
			return nil
		},
	}
	c.Flags().DurationVar(&wait, "wait", 0, "how long to go on asking until it does")
	configs.Flags[configs.Client](c.Flags())
	return c
}
