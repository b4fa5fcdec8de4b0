package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
	"github.com/pullrun/pullrun/configs"
)

func newLogs(t terminal) *cobra.Command {
	o := logsOptions{terminal: t}
	c := &cobra.Command{
		Use:        "logs COOKIE",
		SuggestFor: []string{"tail", "events", "watch", "runs logs", "runs events", "runs watch"},
		Short:      "Show what a run logged",
		Long: `Shows the lines that a run logged and printed, with their time and task.

With --follow it goes on with each line as it comes, through outages and
restarts of the server, until the run has ended, and the exit code says how it
ended: see "pullrun exit-codes". Ctrl-C stops it; the run goes on.

The newest 10,000 lines of a run are kept. Where some were dropped, that is said
in their place.`,
		Example: `  pullrun logs -f 0192f3a1-7c1e-7b52-9d8a-3f6f0d9a1c11
  pullrun logs nightly-2026-11-25 --tail 20
  pullrun logs nightly-2026-11-25 --since 10m --output json | jq .data.text`,
		Args: exactly("a run's cookie"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0]) },
	}
	f := c.Flags()
	f.BoolVarP(&o.follow, "follow", "f", false, "go on with the lines to come, until the run has ended")
	f.StringVar(&o.since, "since", "", "only since this `time`, such as 2026-11-25T10:00:00Z, or so long ago, such as 10m")
	f.IntVar(&o.tail, "tail", -1, "only the last so many `lines`, up to 1000, and those to come")
	f.StringVarP(&o.output, "output", "o", "text", "form of what is printed: text, or json with a line for each event")
	configs.Flags[configs.Client](f)
	return c
}

type logsOptions struct {
	terminal
	follow        bool
	since, output string
	tail          int

	from time.Time // of since
}

func (o *logsOptions) run(cmd *cobra.Command, cookie string) error {
	err := checkOutput(o.output)
	if err != nil {
		return err
	}
	if o.from, err = timeOf(o.since, ago); err != nil {
		return usageError(fmt.Errorf("--since: %w", err))
	}
	if o.tail > api.MaxEventsListed {
		return usageError(fmt.Errorf("--tail must be at most %d, got %d", api.MaxEventsListed, o.tail))
	}
	var tail *int
	if o.tail >= 0 {
		tail = &o.tail
	}
	r, err := connect(o.terminal, cmd)
	if err != nil {
		return err
	}
	defer r.flush()
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if o.follow {
		return o.followRun(ctx, r.client, cookie, tail)
	}
	return o.pages(ctx, r.client, cookie, tail)
}

// pages shows the lines that are there.
func (o *logsOptions) pages(ctx context.Context, c *client.Client, cookie string, tail *int) error {
	var after int64
	for {
		page, err := c.Events(ctx, cookie, after, tail)
		if err != nil {
			return err
		}
		for _, e := range page.Events {
			o.show(e)
		}
		if len(page.Events) == 0 || tail != nil {
			return nil
		}
		after = page.Next
	}
}

// followRun shows the lines that are there and those that come.
func (o *logsOptions) followRun(ctx context.Context, c *client.Client, cookie string, tail *int) error {
	run, err := c.Watch(ctx, cookie, client.Watch{Event: o.show, Tail: tail})
	switch {
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return withCode(exitInterrupted, errSaid)
	case err != nil:
		return err
	}
	fmt.Fprintln(o.err, summary(run))
	if run.State != api.StateSucceeded {
		return withCode(runCode(run.State), errSaid)
	}
	return nil
}

// show prints an event that is a line, unless it is too old.
func (o *logsOptions) show(e api.Event) {
	if e.At.Before(o.from) {
		return
	}
	if o.output == "json" {
		_ = json.NewEncoder(o.out).Encode(e) // a closed pipe is the reader's wish
		return
	}
	if e.Dropped > 0 {
		fmt.Fprintf(o.out, "[%d lines were dropped here]\n", e.Dropped)
	}
	var line api.LogLine
	if e.Kind != api.EventLog || json.Unmarshal(e.Data, &line) != nil {
		line = api.LogLine{Level: "info", Text: fmt.Sprintf("%s %s", e.Kind, e.Data)} // another program's
	}
	before := logTime(e.At.Local(), time.Now()) + " "
	if line.Level != "info" {
		before += strings.ToUpper(line.Level) + " "
	}
	if line.Task != "" {
		before += printable(line.Task) + ": "
	}
	for text := range strings.SplitSeq(strings.TrimRight(line.Text, "\n"), "\n") {
		fmt.Fprintf(o.out, "%s%s\n", before, printable(strings.TrimSuffix(text, "\r")))
	}
}

// logTime is a line's time, with the day where that is not today.
func logTime(at, now time.Time) string {
	if at.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return at.Format("15:04:05.000")
	}
	return at.Format("2006-01-02 15:04:05.000")
}
