package main

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/configs"
)

func newTokens(t terminal) *cobra.Command {
	c := &cobra.Command{
		Use:   "tokens",
		Short: "Issue, list and revoke tokens",
		Long: `A server knows the tokens of its settings, and those that it has issued. Of
these it keeps a digest; what they are is shown once. All of this wants a token
with the scope admin.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(newTokensCreate(t), newTokensList(t), newTokensRevoke(t))
	return c
}

// tokenFlags are what a token is asked for with.
type tokenFlags struct {
	scopes, queues []string
	labels         []string
	enrol          bool
	worker         string
	pattern        string
	ttl            string
	output         string
}

func newTokensCreate(t terminal) *cobra.Command {
	var o tokenFlags
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Issue a token",
		Long: `Issues a token, and prints it once. NAME stands for it in logs and in the audit.

With --enrol it is an enrolment: a worker that is started with it as enrol_token
exchanges it for a credential of its own, which it replaces by itself. An
enrolment is good once, and for an hour unless --ttl says otherwise.`,
		Example: `  pullrun tokens create ci --scope submit --ttl 90d
  pullrun tokens create edge --enrol --name-pattern 'edge-*' > enrol.token`,
		Args: exactly("a name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkOutput(o.output); err != nil {
				return err
			}
			in, err := o.token(args[0], cmd.Flags().Changed)
			if err != nil {
				return usageError(flagged(cmd.Flags(), err))
			}
			r, err := connect(t, cmd)
			if err != nil {
				return err
			}
			defer r.flush()
			issued, err := r.client.CreateToken(cmd.Context(), in)
			if err != nil {
				return err
			}
			return print(t, o.output, issued, func() {
				k := issued.Token
				fmt.Fprintf(t.err, "%s %s of %q, good %s; it is shown this once\n", k.Kind, k.ID, k.Name, until(k.ExpiresAt))
				fmt.Fprintln(t.out, issued.Text)
			})
		},
	}
	f := c.Flags()
	f.StringSliceVar(&o.scopes, "scope", nil, "what it is good for: submit, work, read or admin; may be repeated")
	f.BoolVar(&o.enrol, "enrol", false, "make an enrolment, for one worker to get a credential with")
	f.StringVar(&o.pattern, "name-pattern", "", "`pattern` of the names that an enrolled worker may have, with * and ?; any if not given")
	f.StringVar(&o.worker, "worker", "", "the only `worker` that may use it, with the scope work alone")
	f.StringSliceVar(&o.queues, "queue", nil, "the only `queues` that its worker may take runs from; any if not given")
	f.StringSliceVar(&o.labels, "label", nil, "the only labels that its worker may have, as `key=value`; any if not given")
	f.StringVar(&o.ttl, "ttl", "0", "how long it is good for, as a `duration` such as 1h or 90d; 0 is for ever, or an hour for an enrolment")
	outputFlag(c, &o.output)
	configs.Flags[configs.Client](f)
	return c
}

// token is what the flags ask for.
func (o tokenFlags) token(name string, given func(flag string) bool) (api.NewToken, error) {
	in := api.NewToken{Kind: api.TokenPlain, Name: name, Worker: o.worker, Queues: o.queues}
	ttl, err := configs.ParseDuration(o.ttl)
	in.TTLMS = ttl.Milliseconds()
	switch {
	case err != nil:
		return in, fmt.Errorf("--ttl: %w", err)
	case o.enrol && given("worker"):
		return in, fmt.Errorf("--worker goes with a token; an enrolment has --name-pattern")
	case !o.enrol && given("name-pattern"):
		return in, fmt.Errorf("--name-pattern goes with --enrol; a token has --worker")
	case o.enrol:
		in.Kind, in.Worker = api.TokenEnrolment, o.pattern
	}
	for _, s := range o.scopes {
		in.Scopes = append(in.Scopes, api.Scope(s))
	}
	if given("label") {
		in.Labels = make(map[string]string)
	}
	for _, l := range o.labels {
		key, value, ok := strings.Cut(l, "=")
		if !ok {
			return in, fmt.Errorf("--label wants key=value, got %q", l)
		}
		in.Labels[key] = value
	}
	return in, in.Validate()
}

func until(at time.Time) string {
	if at.IsZero() {
		return "for ever"
	}
	return "until " + at.Local().Format(time.DateTime)
}

func newTokensList(t terminal) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "list",
		Short: "List the tokens that the server has issued",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			r, err := connect(t, cmd)
			if err != nil {
				return err
			}
			defer r.flush()
			tokens, err := r.client.Tokens(cmd.Context())
			if err != nil {
				return err
			}
			return print(t, output, tokens, func() {
				table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
				fmt.Fprintln(table, "ID\tKIND\tNAME\tSCOPES\tWORKER\tQUEUES\tLABELS\tBY\tUSED\tGOOD")
				for _, k := range tokens {
					fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Kind, k.Name, joined(k.Scopes),
						cmp.Or(k.Worker, "any"), bound(k.Queues == nil, strings.Join(k.Queues, ",")), bound(k.Labels == nil, namesAndValues(k.Labels)), k.CreatedBy, used(k.UsedAt), good(k, time.Now()))
				}
				_ = table.Flush() // a closed pipe is the reader's wish
			})
		},
	}
	outputFlag(c, &output)
	configs.Flags[configs.Client](c.Flags())
	return c
}

// bound says what a token is good for.
func bound(any bool, only string) string {
	if any {
		return "any"
	}
	return cmp.Or(only, "none")
}

func joined(scopes []api.Scope) string {
	text := make([]string, len(scopes))
	for i, s := range scopes {
		text[i] = string(s)
	}
	return strings.Join(text, ",")
}

// used says, to the hour, when a token was used last.
func used(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return at.Local().Format("2006-01-02 15h")
}

// good says what may still come of a token.
func good(k api.Token, now time.Time) string {
	switch {
	case k.Kind == api.TokenEnrolment && k.Successor != "":
		return "exchanged for " + k.Successor
	case !k.ExpiresAt.IsZero() && now.After(k.ExpiresAt):
		return "expired " + k.ExpiresAt.Local().Format(time.DateTime)
	}
	return until(k.ExpiresAt)
}

func newTokensRevoke(t terminal) *cobra.Command {
	c := &cobra.Command{
		Use:   "revoke ID",
		Short: "Revoke a token",
		Long: `Revokes the token with this ID, which is in the list and is the middle part of
the token. Who waits with it is refused. A worker whose credential is revoked
ends, and its runs are given to others when their leases are over.`,
		Args: exactly("a token's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id := cmp.Or(api.TokenID(args[0]), args[0])
			r, err := connect(t, cmd)
			if err != nil {
				return err
			}
			defer r.flush()
			if err := r.client.RevokeToken(cmd.Context(), id); err != nil {
				return err
			}
			fmt.Fprintf(t.err, "token %s is revoked\n", id)
			return nil
		},
	}
	configs.Flags[configs.Client](c.Flags())
	return c
}
