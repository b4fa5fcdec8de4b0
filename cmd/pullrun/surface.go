package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/manager/status"
	"github.com/pullrun/pullrun/otel/meter"
)

// openSurface listens where the settings say. It is nil where they want
// nothing, or no port of those that auto tries is free: a worker works without.
func (w *workplace) openSurface() (*status.Surface, error) {
	if w.settings().Listen == "" || w.metrics == nil {
		return nil, nil
	}
	s, err := status.New(status.Config{Listen: w.settings().Listen, Read: w.status, Metrics: w.metrics}, w.log)
	if errors.Is(err, status.ErrNoPort) {
		w.log.Warn("the status of this worker is not served", "err", err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	w.log.Info("status is served", "addr", s.Addr().String())
	return s, nil
}

// show measures the worker, serves how it stands, and tells the service
// manager, until the function that it returns is called.
func (w *workplace) show(ctx context.Context) (hide func(), err error) {
	unmeter, err := meter.ObserveWorker(func() meter.Worker {
		out := measured(w.status())
		out.LinesWaiting, out.LinesDropped = w.feed.Lines()
		return out
	})
	if err != nil {
		return nil, fmt.Errorf("measure this worker: %w", err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	var showing sync.WaitGroup
	showing.Go(func() { w.service.attend(ctx, w.vitals) })
	if w.surface != nil {
		showing.Go(func() {
			if err := w.surface.Run(ctx); err != nil {
				w.log.Error("the status of this worker is not served any more", "err", err)
			}
		})
	}
	return func() {
		stop()
		showing.Wait()
		_ = unmeter() // a second time is none
	}, nil
}

// status takes a reading of the worker.
func (w *workplace) status() api.WorkerStatus {
	p, m, cfg := w.poller.Status(), w.manager.Status(), w.settings()
	out := api.WorkerStatus{
		Worker: w.name, Version: version(), StartedAt: w.started, Stalled: w.poller.Stalled(),
		Draining: p.Draining || m.Draining, Paused: m.Paused, Slots: m.Slots, Runs: m.Runs,
		Contact: api.Contact{
			Registered: p.Registered, LastAt: optional(p.Heard), LostAt: optional(p.LostAt), LimitMS: p.Limit.Milliseconds(),
			HoldMS: p.Hold.Milliseconds(), LeaseMS: p.Lease.Milliseconds(), RenewMS: p.Renew.Milliseconds(), Polls: p.Polls,
		},
		Policy: api.WorkerPolicy{Queues: cfg.Queues, Labels: cfg.Labels, Allow: cfg.Pipelines.Allow, Pipelines: len(w.pipelines.offered())},
	}
	if m.Outbox != nil {
		out.Outbox = &api.OutboxStatus{Entries: m.Outbox.Entries, Bytes: m.Outbox.Bytes, OldestAt: optional(m.Outbox.Oldest)}
	}
	out.Ready, out.NotReady = status.Judge(out, time.Now())
	return out
}

// measured is a reading as the metrics show it.
func measured(s api.WorkerStatus) meter.Worker {
	out := meter.Worker{
		SlotsUsed: s.Slots.Used, SlotsLimit: s.Slots.Limit, Ready: s.Ready, Paused: s.Paused != "", Hold: time.Duration(s.Contact.HoldMS) * time.Millisecond,
		Polls: map[string]int64{"runs": s.Contact.Polls.Runs, "empty": s.Contact.Polls.Empty, "cut": s.Contact.Polls.Cut, "failed": s.Contact.Polls.Failed},
		Runs:  make(map[string]int),
	}
	for _, state := range api.HandStates {
		out.Runs[string(state)] = 0
	}
	for _, r := range s.Runs {
		out.Runs[string(r.State)]++
	}
	if s.Contact.LastAt != nil {
		out.Heard = *s.Contact.LastAt
	}
	if o := s.Outbox; o != nil {
		out.OutboxEntries, out.OutboxBytes = o.Entries, o.Bytes
		if o.OldestAt != nil {
			out.OutboxOldest = *o.OldestAt
		}
	}
	return out
}

// optional is nil for a time that has not come.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
