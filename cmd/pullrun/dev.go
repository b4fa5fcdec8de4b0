package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun"
	"github.com/pullrun/pullrun/configs"
	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/server"
)

func newDev(t terminal) *cobra.Command {
	o := devOptions{terminal: t}
	c := &cobra.Command{
		Use:   "dev [DIR...]",
		Short: "Server and worker in one, to try things out",
		Long: `Runs a server and a worker in one process, on this machine only, with a token
of its own. Commands that are told of no other server talk to this one.

The pipelines are the .yml files below the DIRs, or the working directory's, or
the built-in examples where there are none. Nothing is kept unless --data says
where.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, dirs []string) error {
			o.dirs = dirs
			return o.run(cmd.Context())
		},
	}
	c.Flags().StringVar(&o.listen, "listen", "127.0.0.1:8080", "`address` to listen on; where the port is taken, another is used")
	c.Flags().StringVar(&o.data, "data", "", "`directory` that keeps the runs; a temporary one when it is not set")
	c.Flags().IntVar(&o.capacity, "capacity", 4, "how many runs are worked on at once")
	c.Flags().StringVar(&o.level, "log-level", "info", "least important level that is logged: debug, info, warn or error")
	return c
}

type devOptions struct {
	terminal
	dirs                []string
	listen, data, level string
	capacity            int
}

func (o devOptions) run(ctx context.Context) (err error) {
	ends := caughtEnds()
	started := starting(o.terminal)
	defer started()
	srv, wrk, err := o.settings()
	if err != nil {
		return err
	}
	w, err := newMeasuredWatch(ctx, o.terminal, "pullrun-dev", wrk.Log, wrk.Server.Token)
	if err != nil {
		return err
	}
	defer w.flush()
	pipelines, from, err := o.pipelines(wrk, w.log)
	if err != nil {
		return err
	}
	clean, err := o.place(&srv, &wrk)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, clean()) }()

	drain, now, stop := twoSignals(ctx, ends, w.log)
	defer stop()
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()
	url := make(chan string, 1)   // serve sends the server's URL
	served := make(chan error, 1) // serve's end
	go func() {
		served <- serve(serving, srv, w, func(s *server.Server, _ *tokenFiles) func() {
			url <- s.URL()
			return func() {}
		})
	}()
	select {
	case err := <-served:
		return err
	case u := <-url:
		wrk.Server.URL = configs.NewURL(u)
	}
	remove, err := devFile{URL: wrk.Server.URL.Reveal(), Token: wrk.Server.Token.Reveal()}.write()
	if err != nil {
		w.log.Warn("other commands must be told how to reach this server", "err", err)
		remove = func() {}
	}
	defer remove()
	o.welcome(wrk, pipelines, from)

	// A server that cannot go on takes the worker with it.
	drain, serverGone := context.WithCancel(drain)
	var both sync.WaitGroup
	var failure error
	both.Go(func() {
		failure = <-served
		serverGone()
	})
	err = work(drain, now, wrk, "", pipelines, w, begun(started))
	stopServing()
	both.Wait()
	return errors.Join(err, failure)
}

// settings are the defaults, with what makes it a playground: one token that
// may do everything, on this machine only.
func (o devOptions) settings() (configs.Server, configs.Worker, error) {
	srv, wrk := configs.DefaultServer(), configs.DefaultWorker()
	srv.Listen = freeAddress(o.listen)
	raw := make([]byte, 24)
	rand.Read(raw) // never fails
	token := configs.NewSecret("dev-" + hex.EncodeToString(raw))
	srv.Tokens = []configs.Token{{Name: "dev", Token: token, Scopes: []string{"admin"}}}
	srv.Log.Level, srv.StoreReserve = o.level, 0
	wrk.Name, wrk.Capacity, wrk.Log.Level = "dev", o.capacity, o.level
	wrk.Server.Token = token
	return srv, wrk, errors.Join(srv.Validate(), wrk.Validate())
}

// place puts the store and the outbox into the data directory, or into a temporary
// one, which clean removes.
func (o devOptions) place(srv *configs.Server, wrk *configs.Worker) (clean func() error, err error) {
	dir, clean := o.data, func() error { return nil }
	if dir != "" {
		err = os.MkdirAll(dir, 0o700)
	} else if dir, err = os.MkdirTemp("", "pullrun-dev-"); err == nil {
		clean = func() error { return os.RemoveAll(dir) }
	}
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	srv.Store = configs.NewURL("sqlite://" + filepath.Join(dir, "pullrun.db"))
	wrk.Outbox.Dir = filepath.Join(dir, "outbox")
	return clean, err
}

// freeAddress is addr, or another port where somebody listens there already.
func freeAddress(addr string) string {
	l, err := net.Listen("tcp", addr)
	if err == nil {
		_ = l.Close() // the server takes it next
		return addr
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr // the server says what is wrong with it
	}
	return net.JoinHostPort(host, "0")
}

// pipelines are those of the directories, or the built-in ones.
func (o devOptions) pipelines(cfg configs.Worker, log *slog.Logger) (*pipelineSet, string, error) {
	dirs := o.dirs
	if len(dirs) == 0 {
		if found, err := filepath.Glob("*.yml"); err == nil && len(found) == 0 {
			set, err := loadPipelines(engine.LoadOptions{FS: pullrun.Examples()}, cfg, log)
			return set, "built in; start it in a directory with .yml files to use those", err
		}
		dirs = []string{"."}
	}
	set, err := loadPipelines(engine.LoadOptions{Dirs: dirs}, cfg, log)
	return set, "from " + strings.Join(dirs, ", "), err
}

func (o devOptions) welcome(cfg configs.Worker, pipelines *pipelineSet, from string) {
	names := pipelines.offered()
	fmt.Fprintf(o.err, "pullrun dev · %s · 1 worker, %d slots · %d pipelines (%s)\n", cfg.Server.URL, cfg.Capacity, len(names), from)
	for _, p := range names[:min(len(names), 5)] {
		fmt.Fprintf(o.err, "  pullrun run %s\n", p.Name)
	}
	fmt.Fprintln(o.err, "Ctrl-C ends it.")
}
