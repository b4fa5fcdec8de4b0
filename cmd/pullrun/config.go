package main

import (
	"fmt"
	"log/slog"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pullrun/pullrun/configs"
)

// A role is something that has settings.
type role struct {
	name     string
	flags    func(*pflag.FlagSet, ...string)
	load     func(configs.LoadOptions) (configs.Sources, error)
	check    func(configs.LoadOptions) error
	search   func() []string
	defaults func() string
}

var roles = []role{
	{"worker", configs.Flags[configs.Worker], sourcesOf(configs.Load[configs.Worker]),
		checkOf(configs.Load[configs.Worker], func(w configs.Worker) error { return remoteReads(w.Server) }),
		func() []string { return workerFiles }, configs.WorkerFile},
	{"server", configs.Flags[configs.Server], sourcesOf(configs.Load[configs.Server]),
		checkOf(configs.Load[configs.Server], serverReads),
		func() []string { return serverFiles }, configs.ServerFile},
	{"client", configs.Flags[configs.Client], sourcesOf(configs.Load[configs.Client]),
		checkOf(configs.Load[configs.Client], func(c configs.Client) error { return remoteReads(c.Server) }),
		clientFiles, configs.ClientFile},
}

func sourcesOf[T any](load func(configs.LoadOptions) (T, configs.Sources, error)) func(configs.LoadOptions) (configs.Sources, error) {
	return func(o configs.LoadOptions) (configs.Sources, error) {
		_, sources, err := load(o)
		return sources, err
	}
}

// checkOf checks settings, and with reads the files that they name for the start to
// read.
func checkOf[T any](load func(configs.LoadOptions) (T, configs.Sources, error), reads func(T) error) func(configs.LoadOptions) error {
	return func(o configs.LoadOptions) error {
		cfg, _, err := load(o)
		if err != nil {
			return err
		}
		if err := reads(cfg); err != nil {
			return usageError(fmt.Errorf("settings: %w", err))
		}
		return nil
	}
}

func serverReads(s configs.Server) error {
	_, err := serverConfig(s).TLS(slog.New(slog.DiscardHandler))
	return err
}

func remoteReads(r configs.Remote) error {
	_, err := transportOf(r, nil).TLS()
	return err
}

func newConfig(t terminal) *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Show and check settings",
		Args:  exactly(),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	show := &cobra.Command{
		Use:   "print",
		Short: "Show each setting and where it comes from",
		Long: `Shows each setting of a worker or server as it would start here, or of the
commands that talk to a server (client), and where it comes from: a flag, a
variable, a line of a file, or the default. Secrets are masked.`,
	}
	validate := &cobra.Command{Use: "validate", Short: "Check settings, and report everything that is wrong"}
	for _, r := range roles {
		show.AddCommand(r.print(t))
		validate.AddCommand(r.validate(t))
	}
	for _, sub := range []*cobra.Command{show, validate} {
		sub.Args = exactly()
		sub.RunE = func(cmd *cobra.Command, _ []string) error {
			return usageError(fmt.Errorf("%s wants to know whose: worker, server or client", cmd.CommandPath()))
		}
		c.AddCommand(sub)
	}
	return c
}

func (r role) print(t terminal) *cobra.Command {
	var file, output string
	var defaults bool
	c := &cobra.Command{
		Use:   r.name,
		Short: "Show the settings of a " + r.name,
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			if defaults {
				fmt.Fprint(t.out, r.defaults())
				return nil
			}
			sources, err := r.load(configs.LoadOptions{File: file, Search: r.search(), Flags: cmd.Flags()})
			if err != nil {
				return err
			}
			return print(t, output, sources, func() {
				_ = sources.WriteTable(t.out) // a closed pipe is the reader's wish
			})
		},
	}
	configFlag(c, &file)
	outputFlag(c, &output)
	c.Flags().BoolVar(&defaults, "defaults", false, "print the defaults as a commented file to start from")
	r.flags(c.Flags())
	return c
}

func (r role) validate(t terminal) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   r.name + " [FILE]",
		Short: "Check the settings of a " + r.name,
		Args:  atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file = slices.Concat(args, []string{file})[0]
			if err := r.check(configs.LoadOptions{File: file, Search: r.search(), Flags: cmd.Flags()}); err != nil {
				return err
			}
			fmt.Fprintln(t.out, "ok")
			return nil
		},
	}
	configFlag(c, &file)
	r.flags(c.Flags())
	return c
}
