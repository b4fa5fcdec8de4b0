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

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/configs"
	"github.com/pullrun/pullrun/otel/span"
)

func newRun(t terminal) *cobra.Command {
	o := runOptions{terminal: t}
	c := &cobra.Command{
		Use:        "run PIPELINE",
		SuggestFor: []string{"submit", "start", "exec", "runs submit", "runs start"},
		Short:      "Submit a run and wait for its result",
		Long: `Submits a run to the server, waits until it has ended, and prints the result as
JSON on standard output. What is said about it goes to standard error, so

  pullrun run url_check | jq .

works. On a terminal a line shows where the run is, or why it waits; elsewhere
a line is written now and then. The exit code says how the run ended: see
"pullrun exit-codes". Ctrl-C stops waiting and lets the run go on: "pullrun
cancel" stops the run, and "pullrun logs -f" goes on watching it.

The same --cookie with the same pipeline, variables and flags is the same run,
however often it is submitted.`,
		Example: `  pullrun run url_check
  pullrun run transform --set currency=EUR --vars orders.yaml
  pullrun run nightly --detach --cookie nightly-2026-11-25 --not-before 2026-11-25T01:00:00Z`,
		Args: exactly("a pipeline"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0]) },
	}
	o.vars.flags(c)
	f := c.Flags()
	f.StringVar(&o.submit.Cookie, "cookie", "", "`name` of the run; made up when it is not set")
	f.StringVar(&o.submit.Digest, "digest", "", "only a worker that has the pipeline with this `digest`, as \"pullrun workers --pipelines\" lists them")
	f.BoolVar(&o.submit.Detach, "detach", false, "do not wait: print the run's cookie and end")
	f.StringVar(&o.submit.Queue, "queue", "", "`queue` to put the run into")
	pairsFlag(f, &o.submit.Labels, "label", "label that the worker must have")
	pairsFlag(f, &o.submit.Tags, "tag", "tag to find the run by")
	f.IntVar(&o.submit.Priority, "priority", 0, "runs of a higher `number` go first, from -100 to 100")
	f.StringVar(&o.notBefore, "not-before", "", "start it at this `time` or later, such as 2026-11-25T10:00:00Z, or so long from now, such as 2h")
	f.DurationVar(&o.queueTimeout, "queue-timeout", 0, "how long the run may wait for a worker; 0 is for ever")
	f.DurationVar(&o.runTimeout, "run-timeout", 0, "how long one attempt at it may take; 0 is what the worker allows")
	f.IntVar(&o.submit.MaxAttempts, "max-attempts", 0, "how many workers may be lost over it; 0 is the server's default")
	f.BoolVar(&o.atMostOnce, "at-most-once", false, "never start it a second time, even if its worker is lost")
	f.IntVar(&o.retry.Max, "retries", 0, "how often to try again when an attempt fails or takes too long, up to 100")
	f.DurationVar(&o.backoff, "retry-backoff", time.Second, "how long to wait before the first retry; twice as long before each that follows")
	f.DurationVar(&o.maxBackoff, "retry-max-backoff", 5*time.Minute, "the longest wait between retries")
	f.StringSliceVar(&o.retryOn, "retry-on", nil, "result `code` to try again after, such as TIMEOUT; may be repeated")
	f.StringVar(&o.concurrency.Key, "concurrency-key", "", "`key` of which only so many runs are worked on at the same time")
	f.IntVar(&o.concurrency.Limit, "concurrency-limit", 1, "how many runs of the key that are, from 1 to 1000")
	f.StringVar(&o.policy, "concurrency-policy", "queue", "what to do when they are there already: queue, reject or cancel_older")
	f.DurationVar(&o.timeout, "timeout", 0, "how long to wait for the result once the run is accepted; 0 is for ever")
	f.StringVar(&o.progress, "progress", progressAuto, "how to show how the run gets on: auto, which is a line that changes on a terminal and plain elsewhere, plain, which is a line when the task changes and every few seconds within, or none")
	outputFlag(c, &o.output)
	configs.Flags[configs.Client](f)
	return c
}

type runOptions struct {
	terminal
	vars                              variables
	submit                            api.Submit
	queueTimeout, runTimeout, timeout time.Duration
	atMostOnce                        bool
	concurrency                       api.Concurrency
	policy                            string
	retry                             api.Retry
	backoff, maxBackoff               time.Duration
	retryOn                           []string
	notBefore                         string
	output, progress                  string
}

func (o *runOptions) run(cmd *cobra.Command, pipeline string) error {
	if err := checkOutput(o.output); err != nil {
		return err
	}
	switch o.progress {
	case progressAuto, progressPlain, progressNone:
	default:
		return usageError(fmt.Errorf("--progress must be auto, plain or none, got %q", o.progress))
	}
	var err error
	if o.submit.Variables, err = o.vars.read(o.terminal); err != nil {
		return err
	}
	o.submit.Pipeline = pipeline
	o.submit.QueueTimeoutMS, o.submit.RunTimeoutMS = o.queueTimeout.Milliseconds(), o.runTimeout.Milliseconds()
	if o.atMostOnce {
		o.submit.Delivery = api.AtMostOnce
	}
	if err := o.conditions(cmd.Flags()); err != nil {
		return err
	}
	if o.submit.Cookie == "" {
		o.submit.Cookie = uuid.Must(uuid.NewV7()).String()
	}
	if err := o.submit.Validate(); err != nil {
		return flagged(cmd.Flags(), err)
	}
	r, err := connect(o.terminal, cmd)
	if err != nil {
		return err
	}
	defer r.flush()
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ctx, submit := span.Submit(ctx, span.Run{Cookie: o.submit.Cookie, Pipeline: pipeline, Queue: o.submit.Queue})
	defer submit.End()

	run, err := r.client.Submit(ctx, o.submit, 0)
	if err != nil {
		span.Fail(submit, err, string(api.CodeOf(err)))
		return err
	}
	if o.submit.Detach {
		return print(o.terminal, o.output, run, func() { fmt.Fprintln(o.out, run.Cookie) })
	}
	if run, err = o.wait(ctx, r, run); err != nil {
		return err
	}
	span.EndRun(submit, outcomeOf(run))
	return o.show(run)
}

// conditions puts into the submit when the run may start, when it is tried
// again, and beside which others it may run.
func (o *runOptions) conditions(f *pflag.FlagSet) error {
	start, err := timeOf(o.notBefore, fromNow)
	if err != nil {
		return usageError(fmt.Errorf("--not-before: %w", err))
	}
	if !start.IsZero() {
		o.submit.NotBefore = &start
	}
	if o.retry.Max != 0 {
		o.retry.BackoffMS, o.retry.MaxBackoffMS = o.backoff.Milliseconds(), o.maxBackoff.Milliseconds()
		for _, code := range o.retryOn {
			o.retry.On = append(o.retry.On, api.RetryCode(strings.ToUpper(code)))
		}
		o.submit.Retry = &o.retry
	} else if f.Changed("retry-backoff") || f.Changed("retry-max-backoff") || f.Changed("retry-on") {
		return usageError(errors.New("--retry-backoff, --retry-max-backoff and --retry-on want --retries"))
	}
	if o.concurrency.Key != "" {
		o.concurrency.Policy = api.ConcurrencyPolicy(o.policy)
		o.submit.Concurrency = &o.concurrency
	} else if f.Changed("concurrency-limit") || f.Changed("concurrency-policy") {
		return usageError(errors.New("--concurrency-limit and --concurrency-policy want a --concurrency-key"))
	}
	return nil
}

// wait waits for the run's end, and says what goes on where somebody watches.
func (o *runOptions) wait(ctx context.Context, r remote, run api.Run) (api.Run, error) {
	if o.timeout > 0 {
		timed, cancel := context.WithTimeout(ctx, o.timeout)
		defer cancel()
		ctx = timed
	}
	progress := newProgress(ctx, o.terminal, o.progress, r.client, run)
	ended, err := r.client.Watch(ctx, run.Cookie, progress.watch())
	progress.clear()
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return r.late(ctx, run, o.timeout)
	case ctx.Err() != nil:
		return run, withCode(exitInterrupted, fmt.Errorf("stopped waiting; run %s goes on: \"pullrun runs %[1]s\" shows it, \"pullrun cancel %[1]s\" stops it", run.Cookie))
	}
	return ended, err
}

// show prints what a run has come to.
func (o *runOptions) show(run api.Run) error {
	err := print(o.terminal, o.output, run, func() {
		fmt.Fprintln(o.err, summary(run))
		if run.State == api.StateSucceeded {
			o.printJSON(run.Result)
			return
		}
		fmt.Fprintf(o.err, "%s: %s\n", run.RC, run.Error)
		if run.Stacktrace != "" {
			fmt.Fprintf(o.err, "%s\n", strings.TrimRight(run.Stacktrace, "\n"))
		}
	})
	if err != nil || run.State == api.StateSucceeded {
		return err
	}
	return withCode(runCode(run.State), errSaid)
}

// printJSON prints JSON so that people can read it and programs too.
func (t terminal) printJSON(raw json.RawMessage) {
	e := json.NewEncoder(t.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	_ = e.Encode(raw) // it came as JSON; a closed pipe is the reader's wish
}

// summary is one line about a run that has ended.
func summary(run api.Run) string {
	line := fmt.Sprintf("%s %s", run.Pipeline, run.State)
	if run.FinishedAt != nil {
		line += " in " + took(run.FinishedAt.Sub(run.CreatedAt))
	}
	line += " · run " + run.Cookie
	if run.TraceID != "" {
		line += " · trace " + run.TraceID
	}
	if run.TraceURL != "" {
		line += " · " + run.TraceURL
	}
	return line
}

// outcomeOf is how a run ended, for the client's span.
func outcomeOf(run api.Run) span.Outcome {
	o := span.Outcome{Type: string(run.RC), Message: run.Error}
	switch run.State {
	case api.StateSucceeded:
		return span.Outcome{Result: span.Success}
	case api.StateCancelled:
		return span.Outcome{Result: span.Cancelled}
	case api.StateTimedOut:
		o.Result = span.Timeout
	case api.StateDead:
		o.Result = span.Error
	default:
		o.Result = span.Failure
	}
	return o
}

// late says of a run that is waited for no more what it does, or why it waits, if
// the server says so soon. It may have ended just now.
func (r remote) late(ctx context.Context, run api.Run, waited time.Duration) (api.Run, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), explainEvery)
	defer cancel()
	doing := ""
	if now, err := r.client.Get(ctx, run.Cookie, 0); err == nil {
		run = now
		doing = ", " + strings.ToLower(string(run.State)) + (&sight{run: run}).where()
	}
	if run.State.Final() {
		return run, nil
	}
	if run.Waiting != nil {
		doing += ": " + run.Waiting.Message
	}
	return run, withCode(exitWaited, fmt.Errorf("run %s has not ended within %s and goes on%s; \"pullrun runs %[1]s\" shows it", run.Cookie, waited, doing))
}
