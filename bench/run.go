package main

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

type runFigures struct {
	Machine    string             `json:"machine"`
	Clients    int                `json:"clients"`
	Seconds    float64            `json:"seconds"`
	Runs       int64              `json:"runs"`
	RunsPerSec float64            `json:"runs_per_second"`
	P50, P99   milliseconds       // submit to result
	CPU        map[string]float64 `json:"cpu_us_per_run"` // microseconds, by process and in all
}

type milliseconds float64

func ms(d time.Duration) milliseconds { return milliseconds(d.Seconds() * 1000) }

// measureRuns has every client submit a run and read its result, over and
// over.
func measureRuns(ctx context.Context, o options) (any, error) {
	s, err := start(ctx, o, o.capacity)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var done atomic.Int64
	var measuring atomic.Bool
	took := make([][]time.Duration, o.clients)
	failures := make(chan error, o.clients) // each client sends at most one
	var clients sync.WaitGroup
	for i := range o.clients {
		clients.Go(func() {
			for ctx.Err() == nil {
				began := time.Now()
				if _, err := s.run(ctx); err != nil {
					if ctx.Err() == nil {
						failures <- err
					}
					return
				}
				done.Add(1)
				if measuring.Load() {
					took[i] = append(took[i], time.Since(began))
				}
			}
		})
	}
	wait := func(d time.Duration) error {
		select {
		case <-time.After(d):
			return nil
		case err := <-failures:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := wait(o.warm); err != nil {
		return nil, err
	}
	before, err := s.usage()
	if err != nil {
		return nil, err
	}
	runs, began := done.Load(), time.Now()
	measuring.Store(true)
	if err := wait(o.measure); err != nil {
		return nil, err
	}
	measuring.Store(false)
	after, err := s.usage()
	runs, elapsed := done.Load()-runs, time.Since(began)
	cancel()
	clients.Wait()
	if err != nil {
		return nil, err
	}
	f := runFigures{
		Machine: machine(), Clients: o.clients, Seconds: elapsed.Seconds(), Runs: runs,
		RunsPerSec: float64(runs) / elapsed.Seconds(), CPU: map[string]float64{},
	}
	for role := range after.cpu {
		us := float64((after.cpu[role] - before.cpu[role]).Microseconds()) / float64(max(runs, 1))
		f.CPU[role] = us
		f.CPU["all"] += us
	}
	f.P50, f.P99 = quantiles(slices.Concat(took...))
	return f, nil
}

func quantiles(all []time.Duration) (p50, p99 milliseconds) {
	if len(all) == 0 {
		return 0, 0
	}
	slices.Sort(all)
	return ms(all[len(all)/2]), ms(all[len(all)*99/100])
}
