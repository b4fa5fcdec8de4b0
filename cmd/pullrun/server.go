package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/signal"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun"
	"github.com/pullrun/pullrun/configs"
	"github.com/pullrun/pullrun/otel/forward"
	"github.com/pullrun/pullrun/otel/meter"
	"github.com/pullrun/pullrun/server"
	"github.com/pullrun/pullrun/server/store"
)

var serverFiles = []string{"server.yaml", "/etc/pullrun/server.yaml"}

func newServer(t terminal) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "server",
		Short: "Serve the queue that workers poll",
		Long: `Serves the queue: clients submit runs to it, workers poll it for them and post
the results back.

Settings come from flags, PULLRUN_... variables and a YAML file, which is
--config or the first of server.yaml and /etc/pullrun/server.yaml that exists.
"pullrun config print server --defaults" shows them all.

SIGTERM and Ctrl-C answer the parked polls, finish the calls under way and end
the server. What is running goes on: the workers report to the server that
comes next.

SIGHUP reads the settings anew, and the log says what has changed and what
wants a restart. Where something is wrong, nothing changes.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			started := starting(t)
			defer started()
			hangups := caughtHangups()
			load := func() (configs.Server, configs.Sources, error) {
				return configs.Load[configs.Server](configs.LoadOptions{File: file, Search: serverFiles, Flags: cmd.Flags()})
			}
			cfg, sources, err := load()
			if err != nil {
				return err
			}
			w, err := newMeasuredWatch(ctx, t, "pullrun-server", cfg.Log, configs.SecretsOf(cfg)...)
			if err != nil {
				return err
			}
			defer w.flush()
			tend := tending(ctx, w, hangups, sources, load)
			return serve(ctx, cfg, w, func(s *server.Server, tokens *tokenFiles) (stop func()) {
				started()
				return tend(s, tokens)
			})
		},
	}
	configFlag(c, &file)
	configs.Flags[configs.Server](c.Flags())
	return c
}

func configFlag(c *cobra.Command, file *string) {
	c.Flags().StringVar(file, "config", "", "settings `file` in YAML, which must exist")
}

// serve opens the store and serves it until ctx ends. ready is told of the
// server when it can be called; what it returns is called at the end.
func serve(ctx context.Context, cfg configs.Server, w watch, ready func(*server.Server, *tokenFiles) (stop func())) (err error) {
	commits, err := meter.NewStore()
	if err != nil {
		return fmt.Errorf("measure the store: %w", err)
	}
	st, err := store.Open(ctx, cfg.Store.Reveal(), store.Options{Log: w.log, Aging: cfg.Dispatch.Aging, MaxQueued: cfg.Limits.Queued, Reserve: int64(cfg.StoreReserve), Committed: commits.Committed, Timing: store.Timing{
		Offer: cfg.OfferTimeout, Cancel: cfg.CancelTimeout, Grace: cfg.CancelTimeout,
	}})
	if ctx.Err() != nil && err != nil {
		return fmt.Errorf("%w while the store was being opened", context.Cause(ctx))
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	tokens := newTokenFiles(cfg.Tokens, w.hiding, w.log)
	config := serverConfig(cfg)
	config.Tokens = tokens.now()
	if config.Forwarder, err = forward.FromEnv(forward.DefaultQueue, w.log); err != nil {
		return usageError(err)
	}
	w.forwards.begin(config.Forwarder)
	if w.metrics != nil {
		config.Metrics = w.metrics
	}
	s, err := server.New(config, st, w.log)
	if op := new(net.OpError); err != nil && !errors.As(err, &op) { // else the address is in use
		return usageError(err)
	} else if err != nil {
		return err
	}
	following, stop := context.WithCancel(ctx)
	var background sync.WaitGroup
	defer background.Wait()
	defer stop()
	background.Go(func() { tokens.follow(following, s.SetTokens, w.log) })
	defer ready(s, tokens)()
	return s.Run(ctx)
}

// serverConfig is what a server keeps to by the settings, but for its tokens.
func serverConfig(cfg configs.Server) server.Config {
	return server.Config{
		Listen: cfg.Listen, CertFile: cfg.TLS.CertFile, KeyFile: cfg.TLS.KeyFile, ClientCAFile: cfg.TLS.ClientCAFile, Anonymous: cfg.Anonymous,
		Credential: cfg.CredentialLifetime, Hold: cfg.Hold, Lease: cfg.Lease, Renew: cfg.Renew, MaxAttempts: cfg.MaxAttempts,
		MaxBody: int64(cfg.Limits.Body), MaxResult: int64(cfg.Limits.Result), MaxPolls: cfg.Limits.Polls, MaxReaders: cfg.Limits.Readers, Rate: cfg.Limits.Rate,
		Retention:       retention(cfg.Retention),
		ShutdownTimeout: cfg.ShutdownTimeout, TraceURL: cfg.TraceURL, IgnoreUnsampledParent: cfg.Traces.IgnoreUnsampledParent,
		Version: version(), OpenAPI: pullrun.OpenAPI,
	}
}

func retention(r configs.Retention) store.Retention {
	return store.Retention{Audit: r.Audit, Runs: map[store.State]store.Keep{
		store.Succeeded: {Age: r.SucceededAge, Count: r.SucceededCount},
		store.Failed:    {Age: r.FailedAge, Count: r.FailedCount},
		store.Cancelled: {Age: r.CancelledAge, Count: r.CancelledCount},
		store.TimedOut:  {Age: r.TimedOutAge, Count: r.TimedOutCount},
		store.Dead:      {Age: r.DeadAge, Count: r.DeadCount},
	}}
}
