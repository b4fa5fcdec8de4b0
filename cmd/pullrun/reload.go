package main

import (
	"context"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/configs"
	"github.com/pullrun/pullrun/engine"
)

// A workerLoader reads a worker's settings.
type workerLoader func() (configs.Worker, configs.Sources, error)

// workerLive are the settings of a worker that can be changed while it runs.
// One that ends with a dot stands for all below it.
var workerLive = []string{
	"capacity", "queues", "labels", "pipelines.", "chips.", "code", "limits.", "http.", "process.", "drain_timeout", "cancel_grace", "log.level",
	"server.token", "server.token_file", "server.proxy_password", "server.proxy_password_file",
}

// lives says which settings are in a list such as workerLive.
func lives(list []string) func(key string) bool {
	return func(key string) bool {
		return slices.ContainsFunc(list, func(l string) bool {
			return l == key || strings.HasSuffix(l, ".") && strings.HasPrefix(key, l)
		})
	}
}

// reload reads the settings and the pipelines anew. What is wrong with any of
// them is said, and changes nothing, and neither does what the server refuses. Runs
// in hand go on as they began.
func (w *workplace) reload(ctx context.Context, load workerLoader, sources configs.Sources) configs.Sources {
	fresh, from, err := load()
	if err != nil {
		w.log.Error("settings are wrong, all are kept as they were", "err", err)
		return sources
	}
	live := lives(workerLive)
	next := w.settings()
	configs.Adopt(&next, fresh, live)
	set, err := loadPipelines(engine.LoadOptions{Dirs: next.Pipelines.Dirs}, next, w.log)
	if err != nil {
		w.log.Error("pipelines are wrong, all settings and pipelines are kept as they were", "err", err)
		return sources
	}
	if err := w.adopt(ctx, next, set); err != nil {
		if ctx.Err() == nil {
			w.log.Error("the server refuses what this worker would be, all settings and pipelines are kept as they were", "err", err)
		}
		return sources
	}
	now, later := changes(sources, from, func(key string) bool {
		return live(key) && (w.identity.keeper == nil || !strings.HasPrefix(key, "server.token"))
	})
	tellChanges(w.log, now, later)
	return keepOld(from, sources, later)
}

// reloading reloads a worker for each SIGHUP.
func reloading(hangups chan os.Signal, load workerLoader, sources configs.Sources) func(context.Context, *workplace) (stop func()) {
	return func(ctx context.Context, w *workplace) func() {
		return onHangup(ctx, hangups, func(ctx context.Context) {
			defer w.service.reloading()()
			sources = w.reload(ctx, load, sources)
		})
	}
}

// keepOld is the settings as they are in force: those that want a restart are
// what they were, so that they are told again the next time.
func keepOld(fresh, old configs.Sources, later []change) configs.Sources {
	out := slices.Clone(fresh)
	for i, s := range out {
		if slices.ContainsFunc(later, func(c change) bool { return c.key == s.Key }) {
			out[i] = old[slices.IndexFunc(old, func(o configs.Source) bool { return o.Key == s.Key })]
		}
	}
	return out
}

// adopt puts settings and pipelines in force, and tells the server what it has
// to know of them. It returns why the server refuses that, and then those before are
// in force again, or why ctx ended. It is called by one goroutine at a time.
func (w *workplace) adopt(ctx context.Context, next configs.Worker, set *pipelineSet) error {
	before, pipelines, token := w.settings(), w.pipelines.set.Load(), w.identity.show()
	was := register(w.name, before, w.pipelines.offered())
	w.enforce(next, set)
	is := register(w.name, next, w.pipelines.offered())
	if reflect.DeepEqual(was, is) && w.identity.show() == token {
		return nil
	}
	if w.poller.LostFor() > 0 {
		w.log.Warn("new settings are in force here, and wait for the server, which may refuse them")
	}
	return w.poller.Announce(ctx, is, func() { w.enforce(before, pipelines) })
}

// enforce puts settings and pipelines in force.
func (w *workplace) enforce(next configs.Worker, set *pipelineSet) {
	w.pipelines.set.Store(set)
	w.cfg.Store(&next)
	w.manager.Adjust(limitsFor(next))
	w.setLevel(next.Log.Level)
	w.identity.replace(next.Server)
}

// livePipelines are the pipelines of now, for runs that begin now.
type livePipelines struct{ set atomic.Pointer[pipelineSet] }

func (p *livePipelines) Run(ctx context.Context, in engine.Input) (engine.Output, error) {
	return p.set.Load().Run(ctx, in)
}

// admit says why a run is not for this worker as it is now. It takes the run that
// is named wherever that comes from.
func (p *livePipelines) admit(named string) func(api.Packet) error {
	return func(packet api.Packet) error { return p.set.Load().admit(packet, named) }
}

func (p *livePipelines) offered() []api.PipelineInfo { return p.set.Load().offered() }
