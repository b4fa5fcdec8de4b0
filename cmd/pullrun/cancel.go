package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/configs"
)

func newCancel(t terminal) *cobra.Command {
	o := cancelOptions{terminal: t}
	c := &cobra.Command{
		Use:        "cancel [COOKIE]",
		SuggestFor: []string{"kill", "stop", "abort", "runs cancel", "runs kill", "runs stop"},
		Short:      "Stop a run, or many",
		Long: `Asks for a run to be stopped, or for all that the flags select: those in one of
the states SCHEDULED, QUEUED, OFFERED and RUNNING that nobody has cancelled yet,
all of them unless --limit says how many. One that waits is cancelled at once;
one that is being worked on is stopped by its worker and ends within 30 seconds
in any case. A run that has ended stays as it is.`,
		Example: `  pullrun cancel nightly-2026-11-25 --reason "wrong list"
  pullrun cancel --state QUEUED --pipeline url_check --since 2h --dry-run`,
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args) },
	}
	o.flags(c, "cancelled")
	limitFlag(c, &o.Limit, 0, "runs")
	c.Flags().StringVar(&o.reason, "reason", "", "`why`, for whoever reads the run")
	c.Flags().BoolVar(&o.wait, "wait", false, "wait until the run has ended")
	outputFlag(c, &o.output)
	configs.Flags[configs.Client](c.Flags())
	return c
}

type cancelOptions struct {
	terminal
	selection
	reason, output string
	wait           bool
}

func (o *cancelOptions) run(cmd *cobra.Command, args []string) error {
	if err := checkOutput(o.output); err != nil {
		return err
	}
	switch {
	case len(args) == 0 && len(o.states) == 0:
		return usageError(errors.New("cancel wants a run's cookie, or a --state"))
	case len(args) > 0 && o.given(cmd):
		return usageError(errors.New("cancel takes either a cookie or --state and what goes with it"))
	case len(args) == 0 && o.wait:
		return usageError(errors.New("--wait wants a run's cookie"))
	}
	if err := o.times(); err != nil {
		return err
	}
	r, err := connect(o.terminal, cmd)
	if err != nil {
		return err
	}
	defer r.flush()
	if len(args) > 0 {
		return o.named(cmd, r, args[0])
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	out, err := o.selected(ctx, cmd, r)
	if len(out.Cancelled) == 0 && err != nil {
		return err
	}
	return errors.Join(o.show(out), err)
}

func (o *cancelOptions) named(cmd *cobra.Command, r remote, cookie string) error {
	run, err := r.client.Cancel(cmd.Context(), cookie, o.reason)
	if err == nil && o.wait && !run.State.Final() {
		run, err = r.client.Wait(cmd.Context(), cookie)
	}
	if err != nil {
		return err
	}
	return print(o.terminal, o.output, run, func() {
		switch {
		case run.State == api.StateCancelled:
			fmt.Fprintf(o.err, "run %s is cancelled\n", run.Cookie)
		case run.State.Final():
			fmt.Fprintf(o.err, "run %s had ended before: %s\n", run.Cookie, run.State)
		default:
			fmt.Fprintf(o.err, "run %s is %s; its worker will be told to stop it\n", run.Cookie, run.State)
		}
	})
}

// selected cancels what the flags select, page by page unless there is a limit.
func (o *cancelOptions) selected(ctx context.Context, cmd *cobra.Command, r remote) (all api.CancelRunsResult, _ error) {
	in := api.CancelRuns{States: statesOf[api.CancelState](o.states), Selection: o.Selection, Reason: o.reason}
	in.Limit = o.page()
	all.Cancelled = []api.Cancelled{}
	if err := in.Validate(); err != nil {
		return all, flagged(cmd.Flags(), err)
	}
	line := tally{t: o.terminal, what: "cancel"}
	defer line.clear()
	for {
		out, err := r.client.CancelAll(ctx, in)
		if err != nil && len(all.Cancelled) > 0 {
			return all, fmt.Errorf("%w; it broke off there, and the same command goes on", err)
		}
		if err != nil {
			return all, err
		}
		all.Cancelled, all.Next = append(all.Cancelled, out.Cancelled...), out.Next
		line.show(counted(len(all.Cancelled), "run"))
		if o.last(out.Next) {
			return all, nil
		}
		in.Cursor = out.Next
	}
}

func refused(list []api.Cancelled) (n int) {
	for _, one := range list {
		if one.Problem != nil {
			n++
		}
	}
	return n
}

// show prints the cookies, which other commands take.
func (o *cancelOptions) show(out api.CancelRunsResult) error {
	ended, told := 0, 0
	err := print(o.terminal, o.output, out, func() {
		for _, one := range out.Cancelled {
			switch {
			case one.Problem != nil:
				fmt.Fprintf(o.err, "run %s is not cancelled: %s\n", one.Cookie, one.Problem.Message)
				continue
			case one.State == api.StateCancelled:
				ended++
			case !one.State.Final():
				told++
			}
			fmt.Fprintln(o.out, one.Cookie)
		}
		switch {
		case len(out.Cancelled) == 0:
			fmt.Fprintln(o.err, "there is nothing to cancel")
		case o.DryRun:
			fmt.Fprintf(o.err, "%s would be cancelled\n", counted(len(out.Cancelled), "run"))
		default:
			fmt.Fprintf(o.err, "%s cancelled\n", counted(ended, "run"))
		}
		if told > 0 && !o.DryRun {
			fmt.Fprintf(o.err, "%s to be stopped by their workers\n", counted(told, "run"))
		}
		if out.Next != "" {
			fmt.Fprintln(o.err, "there are more")
		}
	})
	if n := refused(out.Cancelled); err == nil && n > 0 {
		err = withCode(exitRefused, fmt.Errorf("%d of %d runs were not cancelled", n, len(out.Cancelled)))
	}
	return err
}
