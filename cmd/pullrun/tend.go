package main

import (
	"context"
	"os"
	"sync"

	"github.com/pullrun/pullrun/configs"
	"github.com/pullrun/pullrun/server"
)

// serverLive are the settings of a server that can be changed while it runs.
// One that ends with a dot stands for all below it.
var serverLive = []string{
	"tokens", "hold", "lease", "renew", "max_attempts", "credential_lifetime", "traces.", "limits.body", "limits.result", "limits.rate", "limits.polls", "limits.readers",
	"retention.", "shutdown_timeout", "trace_url", "log.level",
}

// tending tells the service manager how a server stands, and reloads it for
// each SIGHUP.
func tending(ctx context.Context, w watch, hangups chan os.Signal, sources configs.Sources, load func() (configs.Server, configs.Sources, error)) func(*server.Server, *tokenFiles) (stop func()) {
	return func(s *server.Server, tokens *tokenFiles) func() {
		service := newSupervisor(w.log)
		var attending sync.WaitGroup
		ctx, stop := context.WithCancel(ctx)
		attending.Go(func() {
			service.attend(ctx, func() vitals { return vitals{ready: true, line: "serving " + s.URL(), stalled: s.Stalled()} })
		})
		unhang := onHangup(ctx, hangups, func(context.Context) {
			defer service.reloading()()
			sources = reloadServer(w, s, tokens, sources, load)
		})
		return func() {
			unhang()
			stop()
			attending.Wait()
		}
	}
}

// reloadServer reads a server's settings anew. What is wrong with any of them
// is said, and changes nothing.
func reloadServer(w watch, s *server.Server, tokens *tokenFiles, sources configs.Sources, load func() (configs.Server, configs.Sources, error)) configs.Sources {
	fresh, from, err := load()
	if err != nil {
		w.log.Error("settings are wrong, all are kept as they were", "err", err)
		return sources
	}
	next := serverConfig(fresh)
	next.Tokens = newTokenFiles(fresh.Tokens, w.hiding, w.log).now()
	if err := s.Adjust(next); err != nil {
		w.log.Error("settings are wrong, all are kept as they were", "err", err)
		return sources
	}
	tokens.replace(fresh.Tokens)
	now, later := changes(sources, from, lives(serverLive))
	w.setLevel(fresh.Log.Level)
	tellChanges(w.log, now, later)
	return keepOld(from, sources, later)
}
