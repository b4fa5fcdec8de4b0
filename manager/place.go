package manager

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/engine"
)

// mostTasks is how many tasks of a run are shown.
const mostTasks = 50

// A teller is what the engine tells of a run.
type teller interface {
	engine.Observer
	Quiet(context.Context) context.Context
	Secret(string)
	Model(context.Context, engine.ModelCall)
	Program(context.Context, engine.ProgramRun)
}

// A place knows which tasks of a run are under way, and tells another of them.
type place struct {
	teller // set before the run starts

	mu   sync.Mutex
	open []*openTask // in the order they began; guarded by mu
}

// An openTask has begun and not ended.
type openTask struct {
	around *openTask // nil if none is
	info   engine.TaskInfo
	since  time.Time
	chip   string // that it calls; guarded by the place's mu
}

// openTaskKey is where the context of what runs inside a task holds it.
type openTaskKey struct{}

// telling has the place tell t from now on.
func (p *place) telling(t teller) *place {
	p.teller = t
	return p
}

func (p *place) Task(ctx context.Context, t engine.TaskInfo) (context.Context, func(error)) {
	around, _ := ctx.Value(openTaskKey{}).(*openTask)
	begun := &openTask{around: around, info: t, since: time.Now()}
	p.mu.Lock()
	p.open = append(p.open, begun)
	p.mu.Unlock()
	ctx, end := p.teller.Task(context.WithValue(ctx, openTaskKey{}, begun), t)
	return ctx, func(err error) {
		p.end(begun)
		end(err)
	}
}

func (p *place) Chip(ctx context.Context, c engine.ChipInfo) (context.Context, func(error)) {
	p.calls(c)
	return p.teller.Chip(ctx, c)
}

// calls notes the chip that a task calls.
func (p *place) calls(c engine.ChipInfo) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.open) - 1; i >= 0; i-- {
		if t := p.open[i]; t.info.Pipeline == c.Pipeline && t.info.Number == c.Number && t.chip == "" {
			t.chip = c.Chip
			return
		}
	}
}

// end notes that a task has ended, which is mostly the last that began.
func (p *place) end(t *openTask) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.open) - 1; i >= 0; i-- {
		if p.open[i] == t {
			p.open = slices.Delete(p.open, i, i+1)
			return
		}
	}
}

// tasks are those that have begun and not ended.
func (p *place) tasks() []api.TaskInHand {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []api.TaskInHand
	for _, t := range p.open[:min(len(p.open), mostTasks)] {
		out = append(out, t.view())
	}
	return out
}

// path is the task that began last and is under way, after those around it.
func (p *place) path() (out []api.TaskInHand) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.open) == 0 {
		return nil
	}
	for t := p.open[len(p.open)-1]; t != nil && len(out) < api.MaxProgressTasks; t = t.around {
		out = append(out, t.view())
	}
	slices.Reverse(out)
	return out
}

// view is the task as others see it. The caller has locked the place.
func (t *openTask) view() api.TaskInHand {
	out := api.TaskInHand{
		Pipeline: t.info.Pipeline, Number: t.info.Number, Name: t.info.Name, Kind: string(t.info.Kind), Chip: t.chip, Since: t.since,
	}
	if t.info.Counts != nil {
		out.Turn, out.Turns = t.info.Counts.Position()
	}
	return out
}

// taskOf names the task that a context belongs to, "" for none.
func taskOf(ctx context.Context) string {
	t, ok := ctx.Value(openTaskKey{}).(*openTask)
	if !ok {
		return ""
	}
	return api.TaskInHand{Number: t.info.Number, Name: t.info.Name, Kind: string(t.info.Kind)}.Label()
}
