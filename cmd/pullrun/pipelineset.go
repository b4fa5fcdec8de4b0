package main

import (
	"context"
	"fmt"
	"log/slog"
	"path"
	"strings"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/configs"
	"github.com/pullrun/pullrun/engine"
)

// A pipelineSet is what a worker lets the server run: the pipelines of a
// collection whose names the worker's own settings allow.
type pipelineSet struct {
	*engine.Collection
	allow []string
}

// loadPipelines reads and checks pipelines, and logs what is odd about them.
func loadPipelines(opts engine.LoadOptions, cfg configs.Worker, log *slog.Logger) (*pipelineSet, error) {
	opts.Chips = chipSet(cfg)
	opts.Limits = limitsOf(cfg)
	all, err := engine.Load(opts)
	if err != nil {
		return nil, err
	}
	for _, w := range all.Warnings() {
		log.Warn("pipelines", "err", w.String())
	}
	set := &pipelineSet{all, cfg.Pipelines.Allow}
	if len(set.offered()) == 0 {
		return nil, usageError(fmt.Errorf("no pipeline to run: there is no .yml file below %s that pipelines.allow lets through", strings.Join(opts.Dirs, ", ")))
	}
	return set, nil
}

func (s *pipelineSet) allowed(pipeline string) bool {
	for _, pattern := range s.allow {
		if ok, err := path.Match(pattern, pipeline); ok && err == nil {
			return true
		}
	}
	return len(s.allow) == 0
}

// offered are the pipelines that the server is told of.
func (s *pipelineSet) offered() []api.PipelineInfo {
	var out []api.PipelineInfo
	for _, p := range s.Pipelines() {
		if s.allowed(p.Name) {
			out = append(out, api.PipelineInfo{Name: p.Name, Digest: p.Digest})
		}
	}
	return out
}

// Run runs a pipeline that the server names, unless the settings of this
// worker do not allow it.
func (s *pipelineSet) Run(ctx context.Context, in engine.Input) (engine.Output, error) {
	if !s.allowed(in.Pipeline) {
		return engine.Output{}, &engine.Error{
			Class:   engine.NoSuchPipelineException,
			Message: fmt.Sprintf("pipeline %q is not one that this worker's settings allow", in.Pipeline),
		}
	}
	return s.Collection.Run(ctx, in)
}
