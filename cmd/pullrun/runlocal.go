package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun/configs"
	"github.com/pullrun/pullrun/engine"
)

func newRunLocal(t terminal) *cobra.Command {
	var vars variables
	var output, file string
	c := &cobra.Command{
		Use:   "run-local PIPELINE [DIR...]",
		Short: "Run a pipeline here, without a server",
		Long: `Runs one of the pipelines below the DIRs, or below pipelines.dirs of the
worker's settings, in this process, and prints the result as JSON.

The variables count as written by the pipeline's author: var() renders templates
in them, which it never does for a run that came from a server. What the chips
reasonchip.streams.* read and write are the standard streams of this command,
where --output json leaves standard output to the result.`,
		Args: atLeast("a pipeline"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			cfg, _, err := configs.Load[configs.Worker](configs.LoadOptions{File: file, Search: workerFiles, Flags: cmd.Flags()})
			if err != nil {
				return err
			}
			if len(args) > 1 {
				cfg.Pipelines.Dirs = args[1:]
			}
			input, err := vars.read(t)
			if err != nil {
				return err
			}
			w, err := newWatch(cmd.Context(), t, "pullrun-local", cfg.Log, configs.SecretsOf(cfg)...)
			if err != nil {
				return err
			}
			defer w.flush()
			pipelines, err := loadPipelines(engine.LoadOptions{Dirs: cfg.Pipelines.Dirs}, cfg, w.log)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			g := guard{w}
			streams, closeStreams := g.streams(t.streams(output))
			out, err := pipelines.Run(ctx, engine.Input{
				Pipeline: args[0], Variables: input, Trusted: true, Log: w.log, Streams: streams, Observer: g,
			})
			closeStreams()
			for _, warning := range out.Warnings {
				fmt.Fprintf(t.err, "warning: %s\n", warning)
			}
			return showLocal(t, output, out, err)
		},
	}
	vars.flags(c)
	configFlag(c, &file)
	outputFlag(c, &output)
	configs.Flags[configs.Worker](c.Flags())
	return c
}

// showLocal prints what a local run has come to.
func showLocal(t terminal, output string, out engine.Output, err error) error {
	if err == nil {
		if output == "json" {
			return print(t, output, struct {
				Result json.RawMessage `json:"result"`
			}{out.Result}, nil)
		}
		t.printJSON(out.Result)
		return nil
	}
	var failed *engine.Error
	if !errors.As(err, &failed) {
		return err
	}
	code := exitFailed
	switch {
	case failed.Class == engine.NoSuchPipelineException:
		code = exitNotFound
	case failed.Class == engine.CancelledException:
		code = exitInterrupted
	case errors.Is(failed, engine.ErrTimeLimit):
		code = exitLost
	}
	said := print(t, output, struct {
		Error      string `json:"error"`
		Class      string `json:"class"`
		Stacktrace string `json:"stacktrace"`
	}{failed.Error(), failed.Class, failed.Stack()}, func() {
		fmt.Fprintln(t.err, failed.Error())
		if stack := failed.Stack(); stack != "" {
			fmt.Fprintln(t.err, stack)
		}
	})
	return errors.Join(said, withCode(code, errSaid))
}
