package main

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/configs"
	"github.com/pullrun/pullrun/engine"
)

// A pipelineSet is what a worker lets the server run: the pipelines of a
// collection whose names the worker's own settings allow.
type pipelineSet struct {
	*engine.Collection
	policy
}

// loadPipelines reads and checks pipelines, and logs what is odd about them.
func loadPipelines(opts engine.LoadOptions, cfg configs.Worker, log *slog.Logger) (*pipelineSet, error) {
	allowed := policy{cfg}
	all, err := engine.Load(allowed.restrict(opts))
	if err != nil {
		return nil, err
	}
	for _, w := range all.Warnings() {
		log.Warn("pipelines", "err", w.String())
	}
	set := &pipelineSet{all, allowed}
	if len(set.offered()) == 0 {
		return nil, usageError(fmt.Errorf("no pipeline to run: there is no .yml file below %s that pipelines.allow lets through", strings.Join(opts.Dirs, ", ")))
	}
	return set, nil
}

// offered are the pipelines that the server is told of.
func (s *pipelineSet) offered() []api.PipelineInfo {
	var out []api.PipelineInfo
	for _, p := range s.Pipelines() {
		if s.pipeline(p.Name) {
			out = append(out, api.PipelineInfo{Name: p.Name, Digest: p.Digest})
		}
	}
	return out
}
