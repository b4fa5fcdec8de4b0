package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/configs"
	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/otel"
)

// terminal is where a command reads and writes. What it produces goes to out,
// what it has to say about it to err.
type terminal struct {
	in       io.Reader
	out, err io.Writer

	redactor *otel.Redactor // knows the secrets of the settings once they are read
}

// streams gives the streams of a run that has the terminal for itself. Where
// programs read what the command puts out, what the run writes goes to err.
func (t terminal) streams(output string) engine.Streams {
	s := engine.Streams{In: engine.NewSource(t.in), Out: t.out, Err: t.err}
	if output == "json" {
		s.Out = t.err
	}
	return s
}

// interactive reports whether somebody is watching err.
func (t terminal) interactive() bool {
	f, ok := t.err.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// colour reports whether err may be coloured. See https://no-color.org.
func (t terminal) colour() bool {
	return t.interactive() && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// execute runs one command line and returns the exit code.
func execute(ctx context.Context, args []string, t terminal) int {
	t.redactor = &otel.Redactor{}
	root := newRoot(t)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	code := exitCode(err)
	if err != nil && !errors.Is(err, errSaid) {
		var problems configs.Problems
		if errors.As(err, &problems) {
			fmt.Fprintf(t.err, "pullrun: settings:\n  %s\n", strings.ReplaceAll(t.redactor.Known(err.Error()), "\n", "\n  "))
		} else {
			fmt.Fprintf(t.err, "pullrun: %s\n", t.redactor.Known(err.Error()))
		}
		if api.CodeOf(err) == api.CodeUnauthorized && !errors.Is(err, errEnrolAgain) {
			fmt.Fprintln(t.err, "name the file that holds the token with --server-token-file or PULLRUN_SERVER_TOKEN_FILE")
		}
	}
	return code
}

const (
	groupRun     = "run"
	groupOperate = "operate"
)

func newRoot(t terminal) *cobra.Command {
	root := &cobra.Command{
		SuggestionsMinimumDistance: 2,

		Use:   "pullrun",
		Short: "Run pipelines on machines that nobody can reach",
		Long: `pullrun runs pipelines on machines behind firewalls. A worker there polls a
server over outbound HTTP, runs what it is sent and posts the results back.

Try it on this machine, in two terminals:

  pullrun dev                      a server and a worker, nothing to set up
  pullrun run url_check            run one of the built-in pipelines`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version(),
		Args:          knownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	// No template is set for what cobra prints: one of them, and the linker keeps
	// every exported method of the program, a sixth of its size.
	root.SetOut(t.out)
	root.SetErr(t.err)
	root.SetIn(t.in)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if unknown := knownCommand(cmd, cmd.Flags().Args()); cmd == root && unknown != nil {
			return unknown // which explains why it does not know the flag
		}
		return usageError(fmt.Errorf("%w; see %q", err, cmd.CommandPath()+" --help"))
	})
	root.AddGroup(
		&cobra.Group{ID: groupRun, Title: "Run pipelines:"},
		&cobra.Group{ID: groupOperate, Title: "Operate:"},
	)
	for _, c := range []*cobra.Command{newRun(t), newRunLocal(t), newRuns(t), newLogs(t), newCancel(t), newValidate(t), newChips(t), newSchema(t), newGraph(t), newTest(t)} {
		c.GroupID = groupRun
		root.AddCommand(c)
	}
	for _, c := range []*cobra.Command{roomy(newDev(t)), roomy(profiled(newServer(t))), roomy(profiled(newWorker(t))), newWorkers(t), newStatus(t), newTokens(t), newAudit(t), newQueues(t), newHealth(t), newDoctor(t), newBackup(t), newRestore(t), newConfig(t)} {
		c.GroupID = groupOperate
		root.AddCommand(c)
	}
	root.AddCommand(newVersion(t), newExitCodes())
	return root
}

// knownCommand refuses what is no command, and names the ones that look like it.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usageError(fmt.Errorf("unknown command %q%s", args[0], meant(cmd, args[0])))
}

// meant names the commands that somebody may have meant by words that are none: those
// that say so, or are called so below another command, or else those that look like
// the words.
func meant(cmd *cobra.Command, words string) string {
	var near []string
	var search func(*cobra.Command)
	search = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			if sub.Name() == words || slices.Contains(sub.SuggestFor, words) {
				near = append(near, strconv.Quote(sub.CommandPath()))
			}
			search(sub)
		}
	}
	search(cmd.Root())
	if len(near) == 0 {
		for _, name := range cmd.SuggestionsFor(words) {
			near = append(near, strconv.Quote(cmd.CommandPath()+" "+name))
		}
	}
	if len(near) == 0 {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", strings.Join(near, " or "))
}

// usageError marks an error as one of the command line.
func usageError(err error) error { return withCode(exitUsage, err) }

// exactly wants these arguments, and says which ones when they are not there.
func exactly(names ...string) cobra.PositionalArgs {
	return cobra.MatchAll(atLeast(names...), atMost(len(names)))
}

// atLeast wants these arguments, and takes more.
func atLeast(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return usageError(fmt.Errorf("%s wants %s; see %q", cmd.CommandPath(), strings.Join(names[len(args):], " and "), cmd.CommandPath()+" --help"))
		}
		return nil
	}
}

// atMost takes up to n arguments.
func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return usageError(fmt.Errorf("%s does not know what to do with %q; see %q", cmd.CommandPath(), args[n], cmd.CommandPath()+" --help"))
		}
		return nil
	}
}
