package main

import (
	"context"
	"time"
)

type latencyFigures struct {
	Machine   string       `json:"machine"`
	Runs      int          `json:"runs"`
	StartP50  milliseconds `json:"start_p50_ms"` // submitted to accepted by the worker, by the server's clock
	StartP99  milliseconds `json:"start_p99_ms"`
	ResultP50 milliseconds `json:"result_p50_ms"` // submit to result, as the client sees it
	ResultP99 milliseconds `json:"result_p99_ms"`
}

// measureLatency submits one run after the other to an idle system.
func measureLatency(ctx context.Context, o options) (any, error) {
	s, err := start(ctx, o, o.capacity)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	var started, ended []time.Duration
	for began := time.Now(); time.Since(began) < o.warm+o.measure; {
		submitted := time.Now()
		run, err := s.run(ctx)
		if err != nil {
			return nil, err
		}
		if time.Since(began) < o.warm {
			continue
		}
		started = append(started, run.StartedAt.Sub(run.CreatedAt))
		ended = append(ended, time.Since(submitted))
	}
	f := latencyFigures{Machine: machine(), Runs: len(started)}
	f.StartP50, f.StartP99 = quantiles(started)
	f.ResultP50, f.ResultP99 = quantiles(ended)
	return f, nil
}
