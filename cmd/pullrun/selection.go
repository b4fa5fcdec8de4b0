package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun/api"
)

// pageOfRuns is how many runs a call is about where there is no --limit: few enough
// that it is answered in time, and that a count of them gets on.
const pageOfRuns = 100

// A selection is what flags select many runs by.
type selection struct {
	api.Selection
	states []string
	period period
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
	f.BoolVar(&s.DryRun, "dry-run", false, "say what would be "+done+", and do nothing")
}

// given reports whether one of the flags is.
func (s *selection) given(cmd *cobra.Command) bool {
	return slices.ContainsFunc(selectionFlags, cmd.Flags().Changed)
}

// statesOf are the states as a call takes them.
func statesOf[S ~string](names []string) (states []S) {
	for _, name := range names {
		states = append(states, S(strings.ToUpper(name)))
	}
	return states
}

// page is how many runs one call is to be about.
func (s *selection) page() int {
	if s.Limit > 0 {
		return s.Limit
	}
	return pageOfRuns
}

// last reports whether no page follows the one that named next.
func (s *selection) last(next string) bool { return next == "" || s.Limit > 0 }

// tally is one line about how many runs have been dealt with, while somebody
// watches.
type tally struct {
	t     terminal
	what  string
	drawn bool
}

func (t *tally) show(text string) {
	if t.t.interactive() {
		t.drawn = true
		fmt.Fprintf(t.t.err, "\r%s: %s\x1b[K", t.what, text)
	}
}

func (t *tally) clear() {
	if t.drawn {
		fmt.Fprint(t.t.err, "\r\x1b[K")
	}
}

func (s *selection) times() (err error) {
	s.Since, s.Until, err = s.period.times()
	return err
}
