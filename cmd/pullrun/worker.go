package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/configs"
	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/manager"
	"github.com/pullrun/pullrun/poller"
)

// engineMargin is how much longer than the engine, which waits for chips, the
// manager waits for the engine.
const engineMargin = time.Second

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
The second hands it back at once.`,
		RunE: func(cmd *cobra.Command, dirs []string) error {
			cfg, _, err := configs.Load[configs.Worker](configs.LoadOptions{File: file, Search: workerFiles, Flags: cmd.Flags()})
			if err != nil {
				return err
			}
			if len(dirs) > 0 {
				cfg.Pipelines.Dirs = dirs
			}
			w, err := newWatch(cmd.Context(), t, "pullrun-worker", cfg.Log, cfg.Server.Token)
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
			return work(drain, now, cfg, pipelines, w.log)
		},
	}
	configFlag(c, &file)
	configs.Flags[configs.Worker](c.Flags())
	return c
}

// twoSignals gives a context that ends with the first SIGTERM or SIGINT and
// one that ends with the second.
func twoSignals(ctx context.Context, log *slog.Logger) (first, second context.Context, stop func()) {
	first, cancelFirst := context.WithCancel(ctx)
	second, cancelSecond := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2) // the runtime sends
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	var watching sync.WaitGroup
	watching.Go(func() {
		for _, cancel := range []func(){cancelFirst, cancelSecond} {
			select {
			case s := <-signals:
				log.Info("signal received", "signal", s.String())
				cancel()
			case <-second.Done():
				return
			}
		}
		signal.Stop(signals) // a third one kills the process
	})
	return first, second, func() {
		signal.Stop(signals)
		cancelFirst()
		cancelSecond()
		watching.Wait()
	}
}

// work is a worker from registration to the last result. It drains when drain
// ends, and hands back what is left when now does.
func work(drain, now context.Context, cfg configs.Worker, pipelines *pipelineSet, log *slog.Logger) error {
	name, err := workerName(cfg.Name)
	if err != nil {
		return err
	}
	c, err := newClient(cfg.Server, 0)
	if err != nil {
		return err
	}
	defer c.Close()
	box, closeBox, err := openOutbox(cfg.Outbox, name, log)
	if err != nil {
		return err
	}
	defer closeBox()

	drain, askToEnd := context.WithCancel(drain)
	defer askToEnd()
	var p *poller.Poller
	m := manager.New(manager.Config{
		Worker: name, Capacity: cfg.Capacity, Grace: cfg.CancelGrace + engineMargin, MaxResult: int(cfg.Limits.Result),
		Outbox: box, OnShutdown: func(string) { askToEnd() },
	}, pipelines, func(ctx context.Context, results []api.Result) ([]api.Verdict, error) {
		worker, session := p.Session()
		return c.PostResults(ctx, worker, api.Results{Session: session, Results: results})
	}, log)
	p = poller.New(poller.Config{Register: register(name, cfg, pipelines), Opened: m.Resume, Paused: m.Paused}, c, m, log)

	polling, stopPolling := context.WithCancel(context.WithoutCancel(now))
	defer stopPolling()
	polled := make(chan error, 1) // Run's
	go func() { polled <- p.Run(polling) }()

	var refused error
	select {
	case <-drain.Done():
		m.Refuse()
		if err := p.Drain(now); err != nil {
			log.Warn("the server could not be told that this worker is draining", "err", err)
		}
	case refused = <-polled:
		polled <- nil
	}
	within, cancel := context.WithTimeout(now, cfg.DrainTimeout)
	defer cancel()
	drained := m.Drain(within)
	if drained != nil {
		log.Warn("drained, but not whole", "err", drained)
	}
	if refused == nil {
		_ = p.Leave(context.WithoutCancel(now)) // the lease ends by itself otherwise
	}
	stopPolling()
	err = errors.Join(refused, <-polled)
	if err == nil {
		log.Info("worker has ended")
	}
	return err
}

// register is how the worker presents itself to the server.
func register(name string, cfg configs.Worker, pipelines *pipelineSet) api.Register {
	return api.Register{
		Name: name, Capacity: cfg.Capacity, Queues: cfg.Queues, Labels: cfg.Labels,
		Pipelines: pipelines.offered(), Version: version(),
	}
}

// workerName is the name that is set, or the host's.
func workerName(set string) (string, error) {
	if set != "" {
		return set, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("name of this worker: %w; set name", err)
	}
	name := regexp.MustCompile(`[^a-z0-9._-]+`).ReplaceAllString(strings.ToLower(host), "-")
	name = strings.TrimLeft(name, "._-")
	name = name[:min(len(name), api.MaxNameBytes)]
	if name == "" {
		return "", fmt.Errorf("the host's name %q makes no name for this worker: set name", host)
	}
	return name, nil
}

// A pipelineSet is what a worker lets the server run: the pipelines of a
// collection whose names the worker's own settings allow.
type pipelineSet struct {
	*engine.Collection
	allow []string
}

// loadPipelines reads and checks pipelines, and logs what is odd about them.
func loadPipelines(opts engine.LoadOptions, cfg configs.Worker, log *slog.Logger) (*pipelineSet, error) {
	opts.Chips = chipSet(cfg)
	opts.Limits = limitsOf(cfg)
	all, err := engine.Load(opts)
	if err != nil {
		return nil, err
	}
	for _, w := range all.Warnings() {
		log.Warn("pipelines", "err", w.String())
	}
	set := &pipelineSet{all, cfg.Pipelines.Allow}
	if len(set.offered()) == 0 {
		return nil, usageError(fmt.Errorf("no pipeline to run: there is no .yml file below %s that pipelines.allow lets through", strings.Join(opts.Dirs, ", ")))
	}
	return set, nil
}

func (s *pipelineSet) allowed(pipeline string) bool {
	for _, pattern := range s.allow {
		if ok, err := path.Match(pattern, pipeline); ok && err == nil {
			return true
		}
	}
	return len(s.allow) == 0
}

// offered are the pipelines that the server is told of.
func (s *pipelineSet) offered() []api.PipelineInfo {
	var out []api.PipelineInfo
	for _, p := range s.Pipelines() {
		if s.allowed(p.Name) {
			out = append(out, api.PipelineInfo{Name: p.Name, Digest: p.Digest})
		}
	}
	return out
}

// Run runs a pipeline that the server names, unless the settings of this
// worker do not allow it.
func (s *pipelineSet) Run(ctx context.Context, in engine.Input) (engine.Output, error) {
	if !s.allowed(in.Pipeline) {
		return engine.Output{}, &engine.Error{
			Class:   engine.NoSuchPipelineException,
			Message: fmt.Sprintf("pipeline %q is not one that this worker's settings allow", in.Pipeline),
		}
	}
	return s.Collection.Run(ctx, in)
}
