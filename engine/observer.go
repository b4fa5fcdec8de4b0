package engine

import (
	"context"
	"sync/atomic"
)

// An Observer is told of what a run does, to make spans or a live view of
// it. Its methods are called by the goroutines of the run, several at once,
// and must not block.
//
// The context a method returns is used for what runs inside; the function is
// called once when that is over, with the error that ended it or nil.
//
// Of a loop only the first 25 iterations are told, and the one that fails.
// [TaskInfo.Counts] says how many there were.
//
// An observer may have four more methods:
//
//   - Quiet(ctx context.Context) context.Context gives the context under which
//     the iterations run that are not told, to silence what observes by itself.
//   - Secret(value string) is told of each secret of a run before its first
//     task. What the engine tells has no secrets in it; what others tell may.
//   - Model(ctx context.Context, c ModelCall) is told of each answer of a
//     language model, with the context of its chip.
//   - Program(ctx context.Context, p ProgramRun) is told of each program that
//     has ended, with the context of its chip.
type Observer interface {
	Task(ctx context.Context, t TaskInfo) (context.Context, func(error))
	Chip(ctx context.Context, c ChipInfo) (context.Context, func(error))
}

// A TaskInfo describes a task that begins.
type TaskInfo struct {
	Pipeline string // the pipeline, or "<taskset>"
	Number   int    // from 1
	Name     string // "" if the task has none
	Kind     Kind
	Loop     bool

	// Counts is nil unless the task is a loop. It may be read when the
	// task has ended.
	Counts *LoopCounts
}

// LoopCounts says how much of a loop was told, and how far it is.
type LoopCounts struct {
	Iterations int // that were started
	Told       int

	position atomic.Uint64 // see Position
}

// Position is the turn that the loop has come to, from 1, and how many there
// are; both are 0 before the first. Unlike the other counts it may be asked for
// at any time, from any goroutine, also in turns that are not told.
func (c *LoopCounts) Position() (turn, of int) {
	at := c.position.Load()
	return int(at >> 32), int(uint32(at))
}

// turn notes that one more of so many iterations begins.
func (c *LoopCounts) turn(of int) {
	c.Iterations++
	c.position.Store(uint64(c.Iterations)<<32 | uint64(uint32(of)))
}

// A ChipInfo describes a call of a chip that begins.
type ChipInfo struct {
	Chip     string
	Pipeline string // where it is called
	Number   int
	Name     string
}

// loopBudget is how many iterations of a loop are told.
const loopBudget = 25

type (
	quieter interface {
		Quiet(ctx context.Context) context.Context
	}
	secretKeeper interface{ Secret(value string) }
)

func ignoreEnd(error) {}

// info describes the task that the strand is at.
func (s *strand) info(t *task) TaskInfo {
	levels := s.frames
	if len(levels) == 0 { // the body of a background task
		levels = s.prefix
	}
	return TaskInfo{
		Pipeline: levels[len(levels)-1].list, Number: t.number, Name: t.name, Kind: t.kind, Loop: t.loop != nil,
	}
}

// toldTask tells the observer that a task begins.
func (s *strand) toldTask(ctx context.Context, t *task) (context.Context, *LoopCounts, func(error)) {
	var counts *LoopCounts
	if t.loop != nil {
		counts = &LoopCounts{}
	}
	if s.observer == nil {
		return ctx, counts, ignoreEnd
	}
	info := s.info(t)
	info.Counts = counts
	ctx, end := s.observer.Task(ctx, info)
	return ctx, counts, end
}

// toldChip tells the observer that a chip is called.
func (s *strand) toldChip(ctx context.Context, t *task) (context.Context, func(error)) {
	if s.observer == nil {
		return ctx, ignoreEnd
	}
	info := s.info(t)
	return s.observer.Chip(ctx, ChipInfo{Chip: t.chip.name, Pipeline: info.Pipeline, Number: info.Number, Name: info.Name})
}

// A budget silences the observer after the first iterations of a loop.
type budget struct {
	strand   *strand
	observer Observer // the strand's own
	loud     context.Context
	quiet    context.Context // made when it is first needed
	counts   *LoopCounts
	turns    int // that the loop has
}

func (s *strand) newBudget(ctx context.Context, counts *LoopCounts, turns int) *budget {
	return &budget{strand: s, observer: s.observer, loud: ctx, counts: counts, turns: turns}
}

// next gives the context for the next iteration.
func (b *budget) next() context.Context {
	b.counts.turn(b.turns)
	if b.observer == nil {
		return b.loud
	}
	if b.counts.Iterations <= loopBudget {
		b.counts.Told++
		return b.loud
	}
	b.strand.observer = nil
	if b.quiet == nil {
		b.quiet = b.loud
		if q, ok := b.observer.(quieter); ok {
			b.quiet = q.Quiet(b.loud)
		}
	}
	return b.quiet
}

// end gives the strand its observer back and tells it of an iteration that
// failed unseen.
func (b *budget) end(t *task, err error) {
	silent := b.strand.observer == nil && b.observer != nil
	b.strand.observer = b.observer
	e, failed := err.(*Error)
	if !silent || !failed {
		return
	}
	b.counts.Told++
	b.strand.retell(b.loud, t, e)
}

// retell tells of the levels below a loop that an error came through.
func (s *strand) retell(ctx context.Context, t *task, e *Error) {
	depth := len(s.prefix) + len(s.frames)
	if depth >= len(e.tasks) {
		if t.kind == KindChip {
			_, end := s.toldChip(ctx, t)
			end(e)
		}
		return
	}
	var ends []func(error)
	for i, inner := range e.tasks[depth:] {
		info := TaskInfo{Pipeline: e.Frames[depth+i].Pipeline, Number: inner.number, Name: inner.name, Kind: inner.kind}
		if info.Loop = inner.loop != nil; info.Loop {
			info.Counts = &LoopCounts{}
		}
		var end func(error)
		ctx, end = s.observer.Task(ctx, info)
		ends = append(ends, end)
	}
	for i := len(ends) - 1; i >= 0; i-- {
		ends[i](e)
	}
}
