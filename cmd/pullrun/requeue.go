package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/configs"
)

func newRequeue(t terminal) *cobra.Command {
	o := requeueOptions{terminal: t}
	c := &cobra.Command{
		Use:   "requeue COOKIE...",
		Short: "Run again what ended without success",
		Long: `Makes a new run of each run that is named, or that the flags select: those in
one of the states FAILED, CANCELLED, TIMED_OUT and DEAD that have not been
requeued. The old runs and their results stay as they are. Requeueing a run
again is the same new run.`,
		Example: `  pullrun runs requeue nightly-2026-11-25
  pullrun runs requeue --state DEAD --pipeline url_check --since 24h --dry-run`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args) },
	}
	o.flags(c, "requeued")
	limitFlag(c, &o.Limit, 50, "runs")
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
	in := api.Requeue{Pipeline: o.Pipeline, Queue: o.Queue, Worker: o.Worker, Submitter: o.Submitter,
		Since: o.Since, Until: o.Until, Tags: o.Tags, Limit: o.Limit, DryRun: o.dryRun}
	for _, s := range o.states {
		in.States = append(in.States, api.RequeueState(strings.ToUpper(s)))
	}
	if err := in.Validate(); err != nil {
		return err
	}
	out, err := r.client.RequeueAll(cmd.Context(), in)
	if err != nil {
		return err
	}
	return o.show(out)
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
		case o.dryRun:
			fmt.Fprintf(o.err, "%s would be requeued\n", counted(len(out.Requeued), "run"))
		case out.More:
			fmt.Fprintln(o.err, "there are more: repeat the command")
		}
	})
	for _, one := range out.Requeued {
		if one.Problem != nil {
			refused++
		}
	}
	if err == nil && refused > 0 {
		err = withCode(exitRefused, fmt.Errorf("%d of %d runs were not requeued", refused, len(out.Requeued)))
	}
	return err
}
