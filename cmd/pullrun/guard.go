package main

import (
	"context"

	"github.com/pullrun/pullrun/engine"
)

// guard takes the secrets of a local run out of what it writes. The engine does so
// with each write; this is for a secret that comes in several.
type guard struct{ watch }

// Task and Chip are there for guard to be an observer, which is told secrets.
func (guard) Task(ctx context.Context, _ engine.TaskInfo) (context.Context, func(error)) {
	return ctx, func(error) {}
}

func (guard) Chip(ctx context.Context, _ engine.ChipInfo) (context.Context, func(error)) {
	return ctx, func(error) {}
}

// Secret is told each secret that the pipeline names.
func (g guard) Secret(value string) { g.redactor.Register(value) }

// streams are s without the secrets, until close.
func (g guard) streams(s engine.Streams) (_ engine.Streams, close func()) {
	out, err := g.redactor.Writer(s.Out), g.redactor.Writer(s.Err)
	s.Out, s.Err = out, err
	return s, func() {
		_, _ = out.Close(), err.Close() // a closed pipe is the reader's wish
	}
}
