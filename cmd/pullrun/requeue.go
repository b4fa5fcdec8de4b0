package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/configs"
)

func newRequeue(t terminal) *cobra.Command {
	o := requeueOptions{terminal: t}
	c := &cobra.Command{
		Use:        "requeue COOKIE...",
		SuggestFor: []string{"retry", "rerun", "runs retry", "runs rerun"},
		Short:      "Run again what ended without success",
		Long: `Makes a new run of each run that is named, or that the flags select: those in
one of the states FAILED, CANCELLED, TIMED_OUT and DEAD that have not been
requeued, all of them unless --limit says how many. The oldest go first. The old
runs and their results stay as they are. Requeueing a run again is the same new
run.

Where it breaks off, it says how many are done. The same command goes on, and
with the --until that it names it leaves out the new runs, should some of these
have failed by then.`,
		Example: `  pullrun runs requeue nightly-2026-11-25
  pullrun runs requeue --state DEAD --pipeline url_check --since 24h --dry-run`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args) },
	}
	o.flags(c, "requeued")
	limitFlag(c, &o.Limit, 0, "runs")
	outputFlag(c, &o.output)
	configs.Flags[configs.Client](c.Flags())
	return c
}

type requeueOptions struct {
	terminal
	selection
	output string
}

func (o *requeueOptions) run(cmd *cobra.Command, cookies []string) error {
	if err := checkOutput(o.output); err != nil {
		return err
	}
	switch {
	case len(cookies) == 0 && len(o.states) == 0:
		return usageError(errors.New("requeue wants cookies, or a --state"))
	case len(cookies) > 0 && o.given(cmd):
		return usageError(errors.New("requeue takes either cookies or --state and what goes with it"))
	}
	if err := o.times(); err != nil {
		return err
	}
	r, err := connect(o.terminal, cmd)
	if err != nil {
		return err
	}
	defer r.flush()
	if len(cookies) > 0 {
		return o.named(cmd, r, cookies)
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	out, err := o.selected(ctx, cmd, r)
	if len(out.Requeued) == 0 && err != nil {
		return err
	}
	return errors.Join(o.show(out), err)
}

// selected requeues what the flags select. It looks through all of it first, page
// by page unless there is a limit. So it is known how much that is, the oldest runs
// go first, and what is made of them, which may soon have failed as well, is left
// out: the pages end where the first began.
func (o *requeueOptions) selected(ctx context.Context, cmd *cobra.Command, r remote) (all api.RequeueResult, _ error) {
	in := api.Requeue{States: statesOf[api.RequeueState](o.states), Selection: o.Selection}
	in.Limit, in.DryRun = o.page(), true
	all.Requeued = []api.Requeued{}
	if err := in.Validate(); err != nil {
		return all, flagged(cmd.Flags(), err)
	}
	line := tally{t: o.terminal, what: "requeue"}
	defer line.clear()
	var pages []page
	total := 0
	for next := true; next; next = !o.last(all.Next) {
		out, err := r.client.RequeueAll(ctx, in)
		if err != nil {
			return all, err
		}
		pages = append(pages, page{in.Cursor, out.Requeued})
		total += len(out.Requeued)
		line.show(counted(total, "run") + " found")
		all.Next, all.Until, in.Cursor, in.Until = out.Next, out.Until, out.Next, out.Until
	}
	for _, p := range slices.Backward(pages) {
		if o.DryRun {
			all.Requeued = append(all.Requeued, p.runs...)
			continue
		}
		if len(p.runs) == 0 {
			continue
		}
		in.Cursor, in.Limit, in.DryRun = p.cursor, len(p.runs), false
		out, err := r.client.RequeueAll(ctx, in)
		if err != nil {
			return all, fmt.Errorf("%w; it broke off when %d of %s had been dealt with for certain: the same command goes on, and with --until %s it leaves out the new runs, should these have failed as well",
				err, len(all.Requeued), counted(total, "run"), all.Until.Format(time.RFC3339Nano))
		}
		all.Requeued = append(all.Requeued, out.Requeued...)
		line.show(fmt.Sprintf("%d of %s", len(all.Requeued), counted(total, "run")))
	}
	return all, nil
}

// A page is what one call has found, and the cursor that it was given.
type page struct {
	cursor string
	runs   []api.Requeued
}

// named requeues runs one by one. One that cannot be does not keep the others.
func (o *requeueOptions) named(cmd *cobra.Command, r remote, cookies []string) error {
	out := api.RequeueResult{Requeued: []api.Requeued{}}
	var failures []error
	for _, cookie := range cookies {
		run, err := r.client.Requeue(cmd.Context(), cookie)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		out.Requeued = append(out.Requeued, api.Requeued{From: cookie, Cookie: run.Cookie})
	}
	return errors.Join(append(failures, o.show(out))...)
}

// show prints the new runs' cookies, which other commands take.
func (o *requeueOptions) show(out api.RequeueResult) error {
	refused := 0
	for _, one := range out.Requeued {
		if one.Problem != nil {
			refused++
		}
	}
	err := print(o.terminal, o.output, out, func() {
		for _, one := range out.Requeued {
			if one.Problem != nil {
				fmt.Fprintf(o.err, "run %s is not requeued: %s\n", one.From, one.Problem.Message)
				continue
			}
			fmt.Fprintln(o.out, one.Cookie)
		}
		switch {
		case len(out.Requeued) == 0 && len(o.states) > 0:
			fmt.Fprintln(o.err, "there is nothing to requeue")
		case o.DryRun:
			fmt.Fprintf(o.err, "%s would be requeued\n", counted(len(out.Requeued), "run"))
		case len(o.states) > 0:
			fmt.Fprintf(o.err, "%s requeued\n", counted(len(out.Requeued)-refused, "run"))
		}
		if out.Next != "" {
			fmt.Fprintln(o.err, "there are more")
		}
	})
	if err == nil && refused > 0 {
		err = withCode(exitRefused, fmt.Errorf("%d of %d runs were not requeued", refused, len(out.Requeued)))
	}
	return err
}
