package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/configs"
)

// drainLook is how often a worker that drains is looked at.
const drainLook = 500 * time.Millisecond

func newDrain(t terminal) *cobra.Command {
	d := drainOptions{terminal: t}
	c := &cobra.Command{
		Use:     "drain WORKER",
		Aliases: []string{"shutdown"},
		Short:   "Tell a worker to take nothing more, finish what it has, and end",
		Long: `Tells a worker to drain, as a SIGTERM would: it takes nothing more, finishes what
it has within its drain_timeout, hands the rest back, and ends.

With --wait the command ends when the worker has left: it has ended, or its lease
has because it was not heard of any more. What starts a worker again when it has
ended, such as systemd or Kubernetes, will start this one again.`,
		Example: `  pullrun workers drain edge-1
  pullrun workers drain edge-1 --wait --timeout 15m`,
		Args: exactly("a worker's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkOutput(d.output); err != nil {
				return err
			}
			r, err := connect(t, cmd)
			if err != nil {
				return err
			}
			defer r.flush()
			return d.run(cmd.Context(), r, args[0])
		},
	}
	c.Flags().BoolVar(&d.wait, "wait", false, "wait until the worker has left")
	c.Flags().DurationVar(&d.timeout, "timeout", 0, "longest time to wait, such as 15m; the worker goes on draining afterwards; 0 has no end")
	outputFlag(c, &d.output)
	configs.Flags[configs.Client](c.Flags())
	return c
}

type drainOptions struct {
	terminal
	wait    bool
	timeout time.Duration
	output  string
}

// drained is what the command prints as JSON.
type drained struct {
	Worker string `json:"worker"`
	Left   bool   `json:"left"`
	TookMS int64  `json:"took_ms"`
}

func (o drainOptions) run(ctx context.Context, r remote, worker string) error {
	before, err := findWorker(ctx, r, worker)
	if err != nil {
		return err
	}
	if err := r.client.Shutdown(ctx, worker); err != nil {
		return err
	}
	began := time.Now()
	out := drained{Worker: worker}
	if o.wait {
		fmt.Fprintf(o.err, "worker %s is told to end, waiting until it has left\n", worker)
		err = o.untilItHasLeft(ctx, r, before)
		out.Left, out.TookMS = err == nil, time.Since(began).Milliseconds()
	}
	said := print(o.terminal, o.output, out, func() {
		switch {
		case out.Left:
			fmt.Fprintf(o.err, "worker %s has left after %s\n", worker, took(time.Since(began)))
		case !o.wait:
			fmt.Fprintf(o.err, "worker %s will be told to end\n", worker)
		}
	})
	return errors.Join(err, said)
}

// untilItHasLeft waits until the worker has no session any more, or another of
// its name has.
func (o drainOptions) untilItHasLeft(ctx context.Context, r remote, before *api.Worker) error {
	if o.timeout > 0 {
		within, cancel := context.WithTimeoutCause(ctx, o.timeout, errNotLeft)
		defer cancel()
		ctx = within
	}
	tick := time.NewTicker(drainLook)
	defer tick.Stop()
	defer o.clear()
	for began := time.Now(); ; {
		now, err := findWorker(ctx, r, before.ID)
		switch {
		case api.CodeOf(err) == api.CodeWorkerNotFound:
			return nil
		case ctx.Err() != nil:
			return o.givenUp(ctx, before.ID)
		case err != nil:
			return err
		case another(now, before):
			return nil
		}
		o.draw(now, time.Since(began))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return o.givenUp(ctx, before.ID)
		}
	}
}

// another reports whether a worker is not the process of that name before, which
// may have registered again. A server that does not tell processes apart tells
// when they registered.
func another(now, before *api.Worker) bool {
	if now.Process != "" && before.Process != "" {
		return now.Process != before.Process
	}
	return !now.RegisteredAt.Equal(before.RegisteredAt)
}

var errNotLeft = errors.New("the time to wait is over")

// givenUp says that the worker was there still.
func (o drainOptions) givenUp(ctx context.Context, worker string) error {
	if errors.Is(context.Cause(ctx), errNotLeft) {
		return withCode(exitWaited, fmt.Errorf("worker %s has not left after %s; it goes on draining", worker, o.timeout))
	}
	return context.Cause(ctx)
}

// draw shows what the worker has still, while somebody watches.
func (o drainOptions) draw(w *api.Worker, elapsed time.Duration) {
	if o.interactive() {
		fmt.Fprintf(o.err, "\r\x1b[K%s drains, %d runs left, %s", w.ID, w.Holding, took(elapsed.Truncate(progressEvery)))
	}
}

func (o drainOptions) clear() {
	if o.interactive() {
		fmt.Fprint(o.err, "\r\x1b[K")
	}
}

// findWorker is a worker that has a session.
func findWorker(ctx context.Context, r remote, name string) (*api.Worker, error) {
	workers, err := r.client.Workers(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(workers, func(w api.Worker) bool { return w.ID == name })
	if i < 0 {
		return nil, api.Errorf(api.CodeWorkerNotFound, "no worker %q has a session", name)
	}
	return &workers[i], nil
}
