package main

import (
	"github.com/pullrun/pullrun/configs"
	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/engine/chips"
	"github.com/pullrun/pullrun/otel"
)

// chipSet is what pipelines can call on this worker.
func chipSet(cfg configs.Worker) *engine.Chips {
	return engine.NewChips(chips.Standard(chips.Options{
		HTTP: chips.HTTPOptions{
			RefusePrivate: !cfg.HTTP.AllowPrivate,
			Timeout:       cfg.HTTP.Timeout,
			MaxBody:       int64(cfg.HTTP.MaxBody),
			Wrap:          otel.Transport,
		},
		Process: chips.ProcessOptions{
			Allow: cfg.Process.Allow,
			Grace: cfg.CancelGrace / 2, // the other half is for the end of what was killed
			Trace: otel.Environ,
		},
	})...)
}

// limitsOf are the bounds of each run. The engine waits the whole grace period
// for a chip that was told to stop.
func limitsOf(cfg configs.Worker) engine.Limits {
	return engine.Limits{
		Time:       cfg.Limits.Timeout,
		Grace:      cfg.CancelGrace,
		Tasks:      int64(cfg.Limits.Tasks),
		Steps:      int64(cfg.Limits.Steps),
		Depth:      cfg.Limits.Depth,
		EvalMemory: int64(cfg.Limits.Memory),
		Variables:  int64(cfg.Limits.Variables),
		Result:     int64(cfg.Limits.Result),
	}
}
