package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
	"github.com/pullrun/pullrun/configs"
)

func newAudit(t terminal) *cobra.Command {
	var filter client.AuditFilter
	var action, since, output string
	c := &cobra.Command{
		Use:   "audit",
		Short: "List who changed what",
		Long: `Lists submits, cancellations, requeues, shutdowns of workers, backups, enrolments and
changes of tokens with the name of the token that asked for them, newest first.
It wants a token with the scope admin.`,
		Example: `  pullrun audit --actor ci
  pullrun audit --action cancel --since 24h
  pullrun audit --target nightly-2026-11-25`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			var err error
			if filter.Since, err = timeOf(since, ago); err != nil {
				return usageError(fmt.Errorf("--since: %w", err))
			}
			if filter.Action = api.AuditAction(action); action != "" && !filter.Action.Valid() {
				return usageError(fmt.Errorf("--action must be submit, cancel, requeue, shutdown, backup, token_create, token_revoke or enrol, got %q", action))
			}
			r, err := connect(t, cmd)
			if err != nil {
				return err
			}
			defer r.flush()
			page, err := r.client.Audit(cmd.Context(), filter)
			if err != nil {
				return err
			}
			return print(t, output, page, func() {
				table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
				fmt.Fprintln(table, "AT\tACTOR\tACTION\tTARGET\tDETAIL")
				for _, e := range page.Entries {
					fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", e.At.Local().Format(time.DateTime), e.Actor, e.Action, e.Target, e.Detail)
				}
				_ = table.Flush() // a closed pipe is the reader's wish
				if page.Next != "" {
					fmt.Fprintf(t.err, "more: --cursor %s\n", page.Next)
				}
			})
		},
	}
	f := c.Flags()
	f.StringVar(&filter.Actor, "actor", "", "only what this `token` did, by its name")
	f.StringVar(&filter.Target, "target", "", "only what was done to this `run, worker or token`, or to the database")
	f.StringVar(&action, "action", "", "only this `action`: submit, cancel, requeue, shutdown, backup, token_create, token_revoke or enrol")
	f.StringVar(&since, "since", "", "only since this `time`, such as 2026-11-25T10:00:00Z, or so long ago, such as 24h")
	limitFlag(c, &filter.Limit, 20, "entries")
	f.StringVar(&filter.Cursor, "cursor", "", "go on after the `page` that named this cursor")
	outputFlag(c, &output)
	configs.Flags[configs.Client](f)
	return c
}
