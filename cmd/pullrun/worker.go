package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/configs"
	"github.com/pullrun/pullrun/engine"
)

var workerFiles = []string{"worker.yaml", "/etc/pullrun/worker.yaml"}

func newWorker(t terminal) *cobra.Command {
	var file, run string
	var once bool
	c := &cobra.Command{
		Use:   "worker [DIR...]",
		Short: "Run what a server sends",
		Long: `Polls a server for runs, runs their pipelines, and posts the results back. It
needs one outbound connection, and serves how it stands to its own machine
("pullrun status" shows it).

The pipelines are the .yml files below the DIRs, or below pipelines.dirs of the
settings. Settings come from flags, PULLRUN_... variables and a YAML file, which
is --config or the first of worker.yaml and /etc/pullrun/worker.yaml that
exists. "pullrun config print worker --defaults" shows them all.

The first SIGTERM or Ctrl-C drains: nothing more is taken, and what is running
may finish within drain_timeout, after which it is handed back to the server.
The second hands it back at once. The third ends the process where it stands.

SIGHUP reads the settings and the pipelines anew, and the log says what has
changed and what wants a restart. Where something is wrong, nothing changes.

For batch jobs and autoscalers a worker may end by itself: after one run (--once)
or --max-runs of them, after --idle-timeout without work, after --max-uptime, or
after a certain run (--run COOKIE), whatever its queue and labels are. Its exit
code says which:

` + exitCodesOf(exitDone, exitUsage, exitUnreachable, exitRefused, exitNotFound, exitIdle, exitDrained, exitOther, exitInterrupted),
		Example: `  pullrun worker /srv/pipelines
  pullrun worker --once --idle-timeout 30s /srv/pipelines
  pullrun worker --run 0192f3a1-7c1e-7b52-9d8a-3f6f0d9a1c11 /srv/pipelines`,
		RunE: func(cmd *cobra.Command, dirs []string) error {
			ends, hangups := caughtEnds(), caughtHangups()
			started := starting(t)
			defer started()
			load := func() (configs.Worker, configs.Sources, error) {
				cfg, sources, err := configs.Load[configs.Worker](configs.LoadOptions{File: file, Search: workerFiles, Flags: cmd.Flags()})
				if len(dirs) > 0 {
					cfg.Pipelines.Dirs = dirs
				}
				if once || run != "" {
					cfg.MaxRuns = 1
				}
				return cfg, sources, err
			}
			cfg, sources, err := load()
			if err != nil {
				return err
			}
			if run != "" && !api.ValidCookie(run) {
				return usageError(fmt.Errorf("--run: %q is no cookie", run))
			}
			w, err := newMeasuredWatch(cmd.Context(), t, "pullrun-worker", cfg.Log, configs.SecretsOf(cfg)...)
			if err != nil {
				return err
			}
			defer w.flush()
			pipelines, err := loadPipelines(engine.LoadOptions{Dirs: cfg.Pipelines.Dirs}, cfg, w.log)
			if err != nil {
				return err
			}
			drain, now, stop := twoSignals(cmd.Context(), ends, w.log)
			defer stop()
			return work(drain, now, cfg, run, pipelines, w, begun(started), reloading(hangups, load, sources), resting)
		},
	}
	configFlag(c, &file)
	c.Flags().BoolVar(&once, "once", false, "take one run and end, as with --max-runs 1")
	c.Flags().StringVar(&run, "run", "", "`cookie` of the only run to take; ends when it has ended")
	configs.Flags[configs.Worker](c.Flags())
	return c
}
