package feed

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/engine"
)

// maxLabel bounds the name of a task that is told, in bytes.
const maxLabel = 200

// A place is the tasks that a run is in.
type place struct {
	mu   sync.Mutex
	open []*task // in the order in which they began; guarded by mu
}

// A task is one that is under way.
type task struct {
	parent *task // around it, nil if there is none
	info   engine.TaskInfo
	since  time.Time
}

type taskKey struct{}

// Enter notes that a task begins. The context is for what runs inside; the
// function is to be called when it is over.
func (r *Run) Enter(ctx context.Context, info engine.TaskInfo) (context.Context, func()) {
	parent, _ := ctx.Value(taskKey{}).(*task)
	t := &task{parent: parent, info: info, since: time.Now()}
	p := &r.place
	p.mu.Lock()
	p.open = append(p.open, t)
	p.mu.Unlock()
	return context.WithValue(ctx, taskKey{}, t), func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for i := len(p.open) - 1; i >= 0; i-- { // it is the last one, unless tasks run side by side
			if p.open[i] == t {
				p.open = slices.Delete(p.open, i, i+1)
				return
			}
		}
	}
}

// tasks are the one that began last and is under way, and those around it.
func (p *place) tasks(redact func(string) string) (out []api.TaskProgress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.open) == 0 {
		return nil
	}
	for t := p.open[len(p.open)-1]; t != nil && len(out) < api.MaxProgressTasks; t = t.parent {
		out = append(out, t.view(redact))
	}
	slices.Reverse(out)
	return out
}

func (t *task) view(redact func(string) string) api.TaskProgress {
	out := api.TaskProgress{
		Pipeline: t.info.Pipeline, Number: t.info.Number, Kind: string(t.info.Kind), Since: t.since.UTC(),
		Name: redact(t.info.Name),
	}
	out.Name = out.Name[:min(len(out.Name), maxLabel)]
	if t.info.Counts != nil {
		turn, of := t.info.Counts.Position()
		out.Iteration, out.Length = int64(turn), int64(of)
	}
	return out
}

// labelOf names the task that a context belongs to.
func labelOf(ctx context.Context) string {
	t, ok := ctx.Value(taskKey{}).(*task)
	if !ok {
		return ""
	}
	return api.TaskProgress{Number: t.info.Number, Name: t.info.Name, Kind: string(t.info.Kind)}.Label()
}
