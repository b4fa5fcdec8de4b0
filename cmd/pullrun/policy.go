package main

import (
	"fmt"
	"path"
	"slices"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/configs"
	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/engine/chips"
)

// A policy is what the worker's own settings allow. It goes before whatever the
// server asks for.
type policy struct{ cfg configs.Worker }

// restrict has pipelines loaded as the settings allow.
func (p policy) restrict(opts engine.LoadOptions) engine.LoadOptions {
	opts.Chips, opts.Limits = chipSet(p.cfg), limitsOf(p.cfg)
	opts.ForbidChip, opts.ForbidCode = p.forbidChip, p.forbidCode()
	return opts
}

// forbidChip says why pipelines may not call a chip here, or nothing.
func (p policy) forbidChip(chip string) string {
	switch c := p.cfg.Chips; {
	case matches(c.Deny, chip):
		return "chips.deny names it"
	case len(c.Allow) > 0 && !matches(c.Allow, chip):
		return "chips.allow does not name it"
	case chip == chips.RunProgram && len(p.cfg.Process.Allow) == 0:
		return "process.allow names no program"
	}
	return ""
}

// forbidCode says why pipelines may not run code here, or nothing.
func (p policy) forbidCode() string {
	if p.cfg.Code {
		return ""
	}
	return "code is false"
}

// admit says why a run is not for this worker, or returns nil. A server sends a
// worker only what it has registered for; one that does otherwise is mistaken, or
// is not to be trusted. A run that whoever started the worker has named may have
// any queue and labels.
func (p policy) admit(packet api.Packet, named string) error {
	if named == "" || packet.Cookie != named {
		if err := p.route(packet); err != nil {
			return err
		}
	}
	if !p.pipeline(packet.Pipeline) {
		return fmt.Errorf("pipeline %q is not one that this worker's settings allow", packet.Pipeline)
	}
	return nil
}

// route says why a run's queue or labels are not this worker's, or returns nil.
func (p policy) route(packet api.Packet) error {
	queue := packet.Queue
	if queue == "" {
		queue = api.DefaultQueue
	}
	if !slices.Contains(p.cfg.Queues, queue) {
		return fmt.Errorf("this worker takes no runs from the queue %q: its settings say %q", queue, p.cfg.Queues)
	}
	for key, value := range packet.Labels {
		if has, ok := p.cfg.Labels[key]; !ok || has != value {
			return fmt.Errorf("this worker does not have the label %s=%s that the run asks for", key, value)
		}
	}
	return nil
}

// pipeline reports whether the server may ask for a pipeline.
func (p policy) pipeline(name string) bool {
	return len(p.cfg.Pipelines.Allow) == 0 || matches(p.cfg.Pipelines.Allow, name)
}

// matches reports whether one of the patterns fits.
func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, err := path.Match(pattern, name)
		return ok && err == nil
	})
}
