package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
	"github.com/pullrun/pullrun/configs"
	"github.com/pullrun/pullrun/manager"
	"github.com/pullrun/pullrun/manager/feed"
	"github.com/pullrun/pullrun/manager/status"
	"github.com/pullrun/pullrun/otel"
	"github.com/pullrun/pullrun/otel/meter"
	"github.com/pullrun/pullrun/poller"
)

// engineMargin is how much longer than the engine, which waits for chips, the
// manager waits for the engine.
const engineMargin = time.Second

// work is a worker from registration to the last result. It drains when drain
// ends, and hands back what is left when now does. Where run is not empty, it
// takes the run with this cookie and no other. Beside are called with it when it
// lives, and what they return when it ends.
func work(drain, now context.Context, cfg configs.Worker, run string, pipelines *pipelineSet, of watch, beside ...func(context.Context, *workplace) (stop func())) error {
	w, err := assemble(cfg, run, pipelines, of)
	if err != nil {
		return err
	}
	defer w.close()
	hide, err := w.show(now)
	if err != nil {
		return err
	}
	defer hide()
	for _, start := range beside {
		defer start(now, w)()
	}
	return w.live(drain, now)
}

// A workplace is the parts of one worker, introduced to each other. The
// packets go from the poller to the manager, and the results from the manager
// to the client.
type workplace struct {
	watch
	name      string
	started   time.Time
	cfg       atomic.Pointer[configs.Worker] // replaced by adopt
	pipelines livePipelines
	identity  *identity
	client    *client.Client
	feed      *feed.Feed
	manager   *manager.Manager
	poller    *poller.Poller
	surface   *status.Surface // nil where nothing is served
	service   *supervisor
	toEnd     chan struct{} // closed when the server asks this worker to end
	close     func()        // closes what was opened, after live
}

// settings are those of now.
func (w *workplace) settings() configs.Worker { return *w.cfg.Load() }

// assemble opens what a worker needs and puts its parts together. Nothing
// moves before live.
func assemble(cfg configs.Worker, run string, pipelines *pipelineSet, of watch) (*workplace, error) {
	name, err := workerName(cfg.Name)
	if err != nil {
		return nil, err
	}
	id, err := openIdentity(cfg, name, of.hiding, of.log)
	if err != nil {
		return nil, err
	}
	w := &workplace{watch: of, name: name, started: time.Now(), identity: id, service: newSupervisor(of.log), toEnd: make(chan struct{})}
	w.cfg.Store(&cfg)
	w.pipelines.set.Store(pipelines)
	runs, err := meter.NewRuns()
	if err != nil {
		return nil, fmt.Errorf("measure this worker: %w", err)
	}
	c, err := id.client(id.show, id.replacing)
	if err != nil {
		return nil, err
	}
	box, closeBox, err := openOutbox(cfg.Outbox, name, w.log)
	if err != nil {
		c.Close()
		return nil, err
	}
	w.client = c
	w.close = func() {
		closeBox()
		c.Close()
	}
	w.feed = feed.New(w.tell, of.redactor.String, w.log)
	w.manager = manager.New(manager.Config{
		Worker: name, Capacity: cfg.Capacity, MaxRuns: cfg.MaxRuns, Grace: cfg.CancelGrace + engineMargin, MaxResult: int(cfg.Limits.Result),
		Outbox: box, Redactor: of.redactor, Admit: w.pipelines.admit(run),
		Tight: newMachineMemory(func() int { return w.settings().Limits.MachineMemory }, w.log).tight,
		Feed:  w.feed, Meter: runs, OnShutdown: func(string) { close(w.toEnd) },
	}, &w.pipelines, w.post, w.log)
	w.poller = poller.New(poller.Config{
		Register: register(name, cfg, pipelines.offered()), Opened: w.opened, Paused: w.manager.Paused,
		Room: w.manager.Room, Run: run, Judged: w.manager.Judged,
	}, c, w.manager, w.log)
	if w.surface, err = w.openSurface(); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

// begun calls started when a worker lives.
func begun(started func()) func(context.Context, *workplace) (stop func()) {
	return func(context.Context, *workplace) func() {
		started()
		return func() {}
	}
}

// limitsFor are the manager's limits by the settings.
func limitsFor(cfg configs.Worker) manager.Limits {
	return manager.Limits{Capacity: cfg.Capacity, Grace: cfg.CancelGrace + engineMargin, MaxResult: int(cfg.Limits.Result)}
}

// register is how the worker presents itself to the server.
func register(name string, cfg configs.Worker, pipelines []api.PipelineInfo) api.Register {
	capacity := cfg.Capacity
	if cfg.MaxRuns > 0 {
		capacity = min(capacity, cfg.MaxRuns)
	}
	return api.Register{
		Name: name, Capacity: capacity, Queues: cfg.Queues, Labels: cfg.Labels,
		Pipelines: pipelines, Version: version(),
	}
}

// opened follows each registration, and comes before the first poll.
func (w *workplace) opened(r api.Registered) {
	endpoint, through := w.client.Exports(r.WorkerID)
	to := otel.Through{Endpoint: endpoint, Client: through}
	if slices.Contains(r.OTLP, api.SignalTraces) {
		w.traces.exportThrough(context.Background(), to)
	}
	if slices.Contains(r.OTLP, api.SignalMetrics) && w.metrics != nil {
		w.exportMetrics(to)
	}
	if slices.Contains(r.OTLP, api.SignalLogs) {
		w.exportLog(to)
	}
	w.manager.Registered(r)
	w.manager.Resume()
	w.service.look()
}

// post sends results under the session of now.
func (w *workplace) post(ctx context.Context, results []api.Result) ([]api.Verdict, error) {
	worker, session := w.poller.Session()
	return w.client.PostResults(ctx, worker, api.Results{Session: session, Results: results})
}

// tell sends what runs log, and where they are.
func (w *workplace) tell(ctx context.Context, events []api.RunEvent) (api.EventsTaken, error) {
	worker, session := w.poller.Session()
	return w.client.PostEvents(ctx, worker, api.Events{Session: session, Events: events})
}

// startTelling posts what runs log until stop is called, and then what is left.
func (w *workplace) startTelling(now context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(now))
	ended := make(chan error, 1) // the feed's end
	go func() { ended <- w.feed.Run(ctx) }()
	return func() {
		cancel()
		<-ended // nothing that it drops is an error
	}
}

// live polls until something ends that, and drains. It hands back what is left
// when now ends.
func (w *workplace) live(drain, now context.Context) error {
	ctx, stopPolling := context.WithCancel(context.WithoutCancel(now))
	defer stopPolling()
	polling := &pollerEnd{over: make(chan struct{})}
	go func() {
		defer close(polling.over)
		polling.err = w.poll(ctx)
	}()
	stopTelling := w.startTelling(now)

	why := w.lives(drain, polling)
	w.service.tell("STOPPING=1", "STATUS=draining")
	var left error
	switch {
	case why.refused != nil: // there is nobody to tell, and the first signal is the last
		left = w.finish(drain, w.settings().DrainTimeout, polling)
	case why.code == exitUnreachable:
		left = w.finish(now, 0, polling)
	default:
		leave := w.announce(now)
		left = w.finish(now, w.settings().DrainTimeout, polling)
		leave()
	}
	if left != nil {
		w.log.Warn("drained, but not whole", "err", left)
	}
	stopTelling()
	stopPolling()
	<-polling.over
	if why.refused == nil {
		why.refused = polling.refusal()
	}
	if why.refused == nil {
		w.log.Info("worker has ended", "reason", why.reason)
	}
	return why.err(w.manager.Room())
}

// poll keeps what the worker shows the server good, and polls. The first of the
// two to be refused ends the other.
func (w *workplace) poll(ctx context.Context) error {
	if err := w.identity.enrol(ctx); ctx.Err() != nil {
		return nil
	} else if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	kept := make(chan error, 1) // the keeper's end
	go func() {
		err := w.identity.keep(ctx)
		if err != nil {
			stop()
		}
		kept <- err
	}()
	err := w.poller.Run(ctx)
	stop()
	return w.identity.explain(errors.Join(err, <-kept))
}
