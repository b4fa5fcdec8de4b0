package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
	"github.com/pullrun/pullrun/configs"
)

func newRuns(t terminal) *cobra.Command {
	o := runsOptions{terminal: t}
	c := &cobra.Command{
		Use:        "runs [COOKIE]",
		SuggestFor: []string{"list", "ls", "ps", "get", "show", "runs list", "runs ls", "runs get", "runs show"},
		Short:      "List runs, or show one",
		Long:       `Lists runs, newest first. With a cookie, shows that run and its result.`,
		Example: `  pullrun runs --state FAILED --pipeline url_check
  pullrun runs 0192f3a1-7c1e-7b52-9d8a-3f6f0d9a1c11
  pullrun runs --tag team=billing --output json
  pullrun runs --submitter nightly --since 24h --until 2h`,
		Args: func(cmd *cobra.Command, args []string) error {
			err := atMost(1)(cmd, args)
			if err != nil && meant(cmd, "runs "+args[0]) != "" {
				return usageError(fmt.Errorf("unknown command %q%s", "runs "+args[0], meant(cmd, "runs "+args[0])))
			}
			return err
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkOutput(o.output); err != nil {
				return err
			}
			r, err := connect(t, cmd)
			if err != nil {
				return err
			}
			defer r.flush()
			if len(args) == 1 {
				return o.show(cmd, r, args[0])
			}
			return o.list(cmd, r)
		},
	}
	f := c.Flags()
	f.StringSliceVar(&o.states, "state", nil, "only runs in this `state`, such as FAILED; may be repeated")
	f.StringVar(&o.filter.Pipeline, "pipeline", "", "only runs of this `pipeline`")
	f.StringVar(&o.filter.Queue, "queue", "", "only runs of this `queue`")
	f.StringVar(&o.filter.Worker, "worker", "", "only runs that this `worker` has or had")
	f.StringVar(&o.filter.Submitter, "submitter", "", "only runs that this `token` submitted, by its name")
	pairsFlag(f, &o.filter.Tags, "tag", "only runs with this tag")
	o.period.flags(f)
	limitFlag(c, &o.filter.Limit, 20, "runs")
	f.StringVar(&o.filter.Cursor, "cursor", "", "go on after the `page` that named this cursor")
	outputFlag(c, &o.output)
	configs.Flags[configs.Client](f)
	c.AddCommand(newRequeue(t))
	return c
}

type runsOptions struct {
	terminal
	filter client.Filter
	period period
	states []string
	output string
}

// guessed is an error of a run that there is not, whose cookie may have been meant
// for a command.
func guessed(err error, meant string) error {
	if meant == "" || api.CodeOf(err) != api.CodeCookieNotFound {
		return err
	}
	return fmt.Errorf("%w%s", err, meant)
}

func (o *runsOptions) list(cmd *cobra.Command, r remote) error {
	for _, s := range o.states {
		state := api.State(strings.ToUpper(s))
		if !state.Valid() {
			return usageError(fmt.Errorf("--state: %q is not a state", s))
		}
		o.filter.States = append(o.filter.States, state)
	}
	var err error
	if o.filter.Since, o.filter.Until, err = o.period.times(); err != nil {
		return err
	}
	page, err := r.client.List(cmd.Context(), o.filter)
	if err != nil {
		return err
	}
	return print(o.terminal, o.output, page, func() {
		table := tabwriter.NewWriter(o.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "COOKIE\tPIPELINE\tSTATE\tATTEMPT\tWORKER\tSUBMITTED\tTOOK\tREASON")
		for _, run := range page.Runs {
			fmt.Fprintf(table, "%s\t%s\t%s\t%d/%d\t%s\t%s\t%s\t%s\n", run.Cookie, run.Pipeline, run.State, run.Attempt, mostAttempts(run),
				cmp.Or(run.Worker, "-"), run.CreatedAt.Local().Format(time.DateTime), lasted(run), reason(run))
		}
		_ = table.Flush() // a closed pipe is the reader's wish
		if page.Next != "" {
			fmt.Fprintf(o.err, "more: --cursor %s\n", page.Next)
		}
	})
}

// mostAttempts is how often a run may be started: each loss of a worker and each
// retry has one, but for the last.
func mostAttempts(run api.Run) int {
	if run.Retry == nil {
		return run.MaxAttempts
	}
	return run.MaxAttempts + run.Retry.Max
}

// askedFor shows what the submit said of the run, where it said anything.
func askedFor(row func(key, value string), run api.Run) {
	row("queue", run.Queue)
	if run.Priority != 0 {
		row("priority", strconv.Itoa(run.Priority))
	}
	row("labels", namesAndValues(run.Labels))
	row("tags", namesAndValues(run.Tags))
	if c := run.Concurrency; c != nil {
		row("key", fmt.Sprintf("%s, %d at a time, %s", c.Key, c.Limit, c.Policy))
	}
	if run.Delivery == api.AtMostOnce {
		row("delivery", string(run.Delivery))
	}
}

// cancelled shows how long each step of a cancellation took, from the request.
func cancelled(row func(key, value string), run api.Run) {
	for _, step := range []struct {
		key  string
		when *time.Time
		how  string
	}{
		{"cancel delivered", run.CancelDeliveredAt, ""},
		{"cancel stopping", run.CancelStoppingAt, ""},
		{"cancel stopped", run.CancelStoppedAt, ", " + string(run.Stop)},
	} {
		if step.when != nil && run.CancelRequestedAt != nil {
			row(step.key, "after "+took(step.when.Sub(*run.CancelRequestedAt))+step.how)
		}
	}
}

// namesAndValues is a map in one line, as flags take it.
func namesAndValues(m map[string]string) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		list = append(list, name+"="+m[name])
	}
	return strings.Join(list, ", ")
}

// ranDigest is the digest of the pipeline as its last worker had it.
func ranDigest(run api.Run) string {
	if len(run.Attempts) == 0 {
		return ""
	}
	return run.Attempts[len(run.Attempts)-1].Digest
}

// late is a result that was not accepted, in one line.
func late(l api.LateResult) string {
	line := fmt.Sprintf("%s by %s at %s", l.RC, l.Worker, l.At.Local().Format(time.DateTime+".000"))
	if l.Attempt > 0 {
		line += fmt.Sprintf(", attempt %d", l.Attempt)
	}
	if l.ResultBytes > 0 {
		line += fmt.Sprintf(", with a result of %s", counted(l.ResultBytes, "byte"))
	}
	if first, _, _ := strings.Cut(l.Error, "\n"); first != "" {
		line += ": " + first
	}
	return line
}

// attempt is what came of an attempt, in one line.
func attempt(a api.Attempt) string {
	line := fmt.Sprintf("%s by %s after %s", cmp.Or(string(a.RC), string(a.Outcome)), a.Worker, took(a.EndedAt.Sub(a.StartedAt)))
	if first, _, _ := strings.Cut(a.Reason, "\n"); first != "" {
		line += ": " + first
	}
	return line
}

// reason is the first line of why a run did not succeed, short enough for a table.
func reason(run api.Run) string {
	line, _, _ := strings.Cut(run.Error, "\n")
	if text := []rune(line); len(text) > 60 {
		line = string(text[:59]) + "…"
	}
	return line
}

func lasted(run api.Run) string {
	if run.FinishedAt == nil {
		return "-"
	}
	return took(run.FinishedAt.Sub(run.CreatedAt))
}

func (o *runsOptions) show(cmd *cobra.Command, r remote, cookie string) error {
	run, err := r.client.Get(cmd.Context(), cookie, 0)
	if err != nil {
		return guessed(err, meant(cmd, "runs "+cookie))
	}
	return print(o.terminal, o.output, run, func() {
		table := tabwriter.NewWriter(o.out, 0, 0, 2, ' ', 0)
		row := func(key, value string) {
			if value != "" {
				fmt.Fprintf(table, "%s\t%s\n", key, value)
			}
		}
		at := func(key string, when *time.Time) {
			if when != nil {
				row(key, when.Local().Format(time.DateTime+".000"))
			}
		}
		row("run", run.Cookie)
		row("pipeline", run.Pipeline)
		row("digest", cmp.Or(run.Digest, ranDigest(run)))
		row("state", string(run.State))
		if run.Waiting != nil {
			row("waits", run.Waiting.Message)
		}
		row("requeued from", run.RequeuedFrom)
		row("requeued as", run.RequeuedAs)
		askedFor(row, run)
		row("attempt", fmt.Sprintf("%d of %d", run.Attempt, mostAttempts(run)))
		for _, a := range run.Attempts {
			if len(run.Attempts) > 1 || !run.State.Final() || a.Outcome != api.OutcomeSettled { // or else it is told below
				row(fmt.Sprintf("attempt %d", a.Number), attempt(a))
			}
		}
		row("worker", run.Worker)
		at("submitted", &run.CreatedAt)
		at("not before", run.NotBefore)
		at("started", run.StartedAt)
		if p := run.Progress; p != nil {
			last := p.Tasks[len(p.Tasks)-1]
			row("at", fmt.Sprintf("%s, since %s", printable(p.Path()), last.Since.Local().Format(time.DateTime)))
		}
		at("cancel requested", run.CancelRequestedAt)
		cancelled(row, run)
		at("ended", run.FinishedAt)
		row("trace", cmp.Or(run.TraceURL, run.TraceID))
		row("code", string(run.RC))
		row("error", run.Error)
		for _, l := range run.LateResults {
			row("not accepted", late(l))
		}
		_ = table.Flush() // a closed pipe is the reader's wish
		if run.Stacktrace != "" {
			fmt.Fprintf(o.out, "%s\n", strings.TrimRight(run.Stacktrace, "\n"))
		}
		if run.Result != nil {
			fmt.Fprintln(o.out, "result")
			o.printJSON(run.Result)
		}
	})
}
