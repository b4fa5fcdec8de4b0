package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun/api"
)

// A selection is what flags select many runs by.
type selection struct {
	api.Selection
	states []string
	period period
	dryRun bool
}

// selectionFlags are the flags that select runs.
var selectionFlags = []string{"state", "pipeline", "queue", "worker", "submitter", "since", "until", "tag", "limit", "dry-run"}

func (s *selection) flags(c *cobra.Command, done string) {
	f := c.Flags()
	f.StringSliceVar(&s.states, "state", nil, "runs in this `state`; may be repeated")
	f.StringVar(&s.Pipeline, "pipeline", "", "only runs of this `pipeline`")
	f.StringVar(&s.Queue, "queue", "", "only runs of this `queue`")
	f.StringVar(&s.Worker, "worker", "", "only runs that this `worker` has or had")
	f.StringVar(&s.Submitter, "submitter", "", "only runs that this `token` submitted, by its name")
	s.period.flags(f)
	pairsFlag(f, &s.Tags, "tag", "only runs with this tag")
	f.BoolVar(&s.dryRun, "dry-run", false, "say what would be "+done+", and do nothing")
}

// given reports whether one of the flags is.
func (s *selection) given(cmd *cobra.Command) bool {
	return slices.ContainsFunc(selectionFlags, cmd.Flags().Changed)
}

func (s *selection) times() (err error) {
	s.Since, s.Until, err = s.period.times()
	return err
}
