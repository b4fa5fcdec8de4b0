package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
	"github.com/pullrun/pullrun/manager/status"
)

// statusTimeout is how long a worker of this machine may take to answer.
const statusTimeout = 5 * time.Second

func newStatus(t terminal) *cobra.Command {
	var addr, output string
	c := &cobra.Command{
		Use:   "status",
		Short: "Show the workers of this machine and what they do",
		Long: `Asks the workers of this machine how they stand: what they run and where in its
pipeline it is, their slots, what waits in their outbox, and their contact with
the server. It finds those whose setting listen is auto; --addr names another.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			addrs := status.AutoAddrs()
			if addr != "" {
				addrs = []string{addr}
			}
			workers, err := askWorkers(cmd.Context(), addrs)
			if len(workers) == 0 {
				if addr == "" {
					err = errors.New("no worker of this machine answers on ports 7790 to 7799; --addr names one elsewhere")
				}
				return withCode(exitUnreachable, err)
			}
			return print(t, output, workers, func() {
				for _, w := range workers {
					fmt.Fprint(t.out, statusText(w, time.Now()))
				}
			})
		},
	}
	c.Flags().StringVar(&addr, "addr", "", "`address`, host:port, that the worker listens on")
	outputFlag(c, &output)
	return c
}

// askWorkers asks those who listen at the addresses, in their order. The error
// is of one that does not answer.
func askWorkers(ctx context.Context, addrs []string) ([]api.WorkerStatus, error) {
	answers, errs := make([]*api.WorkerStatus, len(addrs)), make([]error, len(addrs))
	var all sync.WaitGroup
	for i, addr := range addrs {
		all.Go(func() {
			c, err := client.New(client.Config{URL: "http://" + addr, Timeout: statusTimeout, UserAgent: "pullrun/" + version()})
			if err != nil {
				errs[i] = usageError(err)
				return
			}
			defer c.Close()
			if s, err := c.WorkerStatus(ctx); err != nil {
				errs[i] = err
			} else {
				answers[i] = &s
			}
		})
	}
	all.Wait()
	var out []api.WorkerStatus
	for _, a := range answers {
		if a != nil {
			out = append(out, *a)
		}
	}
	return out, errors.Join(errs...)
}

// statusText shows a worker to people.
func statusText(w api.WorkerStatus, now time.Time) string {
	var b strings.Builder
	state := "ready"
	if !w.Ready {
		state = "not ready: " + strings.Join(w.NotReady, "; ")
	}
	fmt.Fprintf(&b, "%s · %s · %d of %d slots · up %s\n", w.Worker, state, w.Slots.Used, w.Slots.Limit, took(now.Sub(w.StartedAt)))
	switch c := w.Contact; {
	case c.LastAt == nil:
		fmt.Fprintln(&b, "  server: not heard of yet")
	case c.LostAt != nil:
		fmt.Fprintf(&b, "  server: lost %s ago, last heard of %s ago\n", took(now.Sub(*c.LostAt)), took(now.Sub(*c.LastAt)))
	default:
		fmt.Fprintf(&b, "  server: heard of %s ago, polls are held %s\n", took(now.Sub(*c.LastAt)), took(time.Duration(c.HoldMS)*time.Millisecond))
	}
	if o := w.Outbox; o != nil && o.OldestAt != nil {
		fmt.Fprintf(&b, "  outbox: %d results, %d bytes, the oldest for %s\n", o.Entries, o.Bytes, took(now.Sub(*o.OldestAt)))
	}
	for _, r := range w.Runs {
		fmt.Fprintf(&b, "  %s %s %s for %s\n", r.Cookie, r.Pipeline, r.State, took(now.Sub(r.Since)))
		for _, task := range r.Tasks {
			fmt.Fprintf(&b, "    %s\n", taskText(task, now))
		}
	}
	return b.String()
}

func taskText(t api.TaskInHand, now time.Time) string {
	text := fmt.Sprintf("%s/%d", t.Pipeline, t.Number)
	if t.Name != "" {
		text += " " + t.Name
	}
	what := t.Kind
	if t.Chip != "" {
		what = t.Chip
	}
	text += " (" + what + ")"
	if t.Turn > 0 {
		text += fmt.Sprintf(", turn %d of %d", t.Turn, t.Turns)
	}
	return text + ", " + took(now.Sub(t.Since))
}
