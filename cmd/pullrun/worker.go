package main

import (
	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun/configs"
	"github.com/pullrun/pullrun/engine"
)

var workerFiles = []string{"worker.yaml", "/etc/pullrun/worker.yaml"}

func newWorker(t terminal) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "worker [DIR...]",
		Short: "Run what a server sends",
		Long: `Polls a server for runs, runs their pipelines, and posts the results back. It
needs one outbound connection and listens on nothing.

The pipelines are the .yml files below the DIRs, or below pipelines.dirs of the
settings. Settings come from flags, PULLRUN_... variables and a YAML file, which
is --config or the first of worker.yaml and /etc/pullrun/worker.yaml that
exists. "pullrun config print worker --defaults" shows them all.

The first SIGTERM or Ctrl-C drains: nothing more is taken, and what is running
may finish within drain_timeout, after which it is handed back to the server.
The second hands it back at once. The third ends the process where it stands.`,
		RunE: func(cmd *cobra.Command, dirs []string) error {
			cfg, _, err := configs.Load[configs.Worker](configs.LoadOptions{File: file, Search: workerFiles, Flags: cmd.Flags()})
			if err != nil {
				return err
			}
			if len(dirs) > 0 {
				cfg.Pipelines.Dirs = dirs
			}
			w, err := newWatch(cmd.Context(), t, "pullrun-worker", cfg.Log, cfg.Server.Token, cfg.EnrolToken)
			if err != nil {
				return err
			}
			defer w.flush()
			pipelines, err := loadPipelines(engine.LoadOptions{Dirs: cfg.Pipelines.Dirs}, cfg, w.log)
			if err != nil {
				return err
			}
			drain, now, stop := twoSignals(cmd.Context(), w.log)
			defer stop()
			return work(drain, now, cfg, pipelines, w)
		},
	}
	configFlag(c, &file)
	configs.Flags[configs.Worker](c.Flags())
	return c
}
