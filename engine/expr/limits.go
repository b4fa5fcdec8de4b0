package expr

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Limits bound one evaluation. Zero fields take the value of
// [DefaultLimits].
type Limits struct {
	// Steps bounds the work: loop rounds, calls, statements, and the items
	// that builtin functions go through. Defaults to 10 million.
	Steps int64
	// Memory bounds, in bytes, what the evaluation allocates in all. It is
	// an estimate, made before the allocation. Defaults to 64 MiB.
	Memory int64
	// Depth bounds how deep functions may call each other. Defaults to 200.
	Depth int
}

// DefaultLimits gives the limits that hold where none are set.
func DefaultLimits() Limits {
	return Limits{Steps: 10_000_000, Memory: 64 << 20, Depth: 200}
}

func (l Limits) orDefault() Limits {
	d := DefaultLimits()
	if l.Steps <= 0 {
		l.Steps = d.Steps
	}
	if l.Memory <= 0 {
		l.Memory = d.Memory
	}
	if l.Depth <= 0 {
		l.Depth = d.Depth
	}
	return l
}

// Fixed bounds, on the nesting of values and source and the digits of an
// integer as text; the last is CPython's.
const (
	maxValueDepth  = 1000
	maxParserDepth = 200
	maxIntDigits   = 4300
)

// Estimated costs of parts of values, in bytes.
const (
	itemCost  = 16 // an item of a list
	entryCost = 64 // an entry of a dictionary or set
)

// A Budget bounds the steps of several evaluations together, one after the
// other or at once. To the step: they fail if together they take more than
// there are, and not otherwise.
type Budget struct {
	limit int64
	used  atomic.Int64
}

// NewBudget gives a budget of so many steps.
func NewBudget(steps int64) *Budget { return &Budget{limit: steps} }

// Used gives how many steps the evaluations that are over have taken.
func (b *Budget) Used() int64 { return b.used.Load() }

// A LimitError says which limit an evaluation went beyond. Scripts cannot
// catch it.
type LimitError struct {
	What   string // steps, memory, call depth, value depth
	Limit  int64
	Line   int  // where known
	Budget bool // the steps are those of a [Budget]
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("evaluation exceeds its %s limit of %d", e.What, e.Limit)
}

// errStop ends an iteration early; it never leaves the package.
var errStop = errors.New("stop")

// An eval is one evaluation under way: what it may see and how much it may
// still use. It belongs to one goroutine.
type eval struct {
	ctx     context.Context
	scope   Scope
	limits  Limits
	steps   int64
	pollAt  int64   // at so many steps
	budget  *Budget // may be nil
	settled int64   // steps that the budget knows of
	memory  int64
	depth   int
	bare    bool // builtin names are hidden
	print   func(string)
	now     func() time.Time
	random  *mersenne
	regexes map[regexKey]*regex // compiled by this evaluation

	texts    []textIndex // at most keptTexts
	nextText int         // the one to be replaced

	home     *homeMark
	mutating bool    // the program says that it changes what it is given
	atEnd    []*Iter // generators that were started
}

const pollEvery = 1024

func newEval(ctx context.Context, s Scope, o Options) *eval {
	ev := &eval{
		ctx: ctx, scope: s, limits: o.Limits.orDefault(), bare: o.NoBuiltins, print: o.Print, now: o.Now, budget: o.Budget,
	}
	ev.schedule()
	return ev
}

// detached gives an evaluation for the exported functions on values, which
// have neither a scope nor a context.
func detached() *eval { return newEval(context.Background(), nil, Options{}) }

// step counts one unit of work.
func (ev *eval) step() error {
	ev.steps++
	if ev.steps < ev.pollAt {
		return nil
	}
	return ev.poll()
}

// spend counts the work of going through n items at once.
func (ev *eval) spend(n int) error {
	if int64(n) > ev.limits.Steps-ev.steps {
		return &LimitError{What: "steps", Limit: ev.limits.Steps}
	}
	ev.steps += int64(n)
	if ev.steps < ev.pollAt {
		return nil
	}
	return ev.poll()
}

func (ev *eval) poll() error {
	if ev.steps > ev.limits.Steps {
		return &LimitError{What: "steps", Limit: ev.limits.Steps}
	}
	if err := ev.settle(); err != nil {
		return err
	}
	if ev.ctx.Err() != nil {
		return context.Cause(ev.ctx)
	}
	ev.schedule()
	return nil
}

// schedule sets when to poll next: soon, and before a limit is passed.
func (ev *eval) schedule() {
	ev.pollAt = min(ev.steps+pollEvery, ev.limits.Steps+1)
	if b := ev.budget; b != nil {
		ev.pollAt = min(ev.pollAt, ev.steps+max(b.limit-b.used.Load(), 0)+1)
	}
}

// finish stops what the evaluation has left running and settles. It gives
// the error that the evaluation ends with.
func (ev *eval) finish(err error) error {
	for _, it := range ev.atEnd {
		it.end(ev)
	}
	if over := ev.settle(); err == nil {
		err = over
	}
	return err
}

// settle tells the budget what was taken since it was last told.
func (ev *eval) settle() error {
	b, taken := ev.budget, ev.steps-ev.settled
	if b == nil || taken == 0 {
		return nil
	}
	ev.settled = ev.steps
	if b.used.Add(taken) > b.limit {
		return &LimitError{What: "steps", Limit: b.limit, Budget: true}
	}
	return nil
}

// grow accounts for n bytes that are about to be allocated.
func (ev *eval) grow(n int) error {
	if n < 0 || int64(n) > ev.limits.Memory-ev.memory {
		return &LimitError{What: "memory", Limit: ev.limits.Memory}
	}
	ev.memory += int64(n)
	return nil
}

// growTimes accounts for count things of n bytes each; the product may be
// beyond int64.
func (ev *eval) growTimes(count int64, n int) error {
	if count > 0 && n > 0 && count > ev.limits.Memory/int64(n) {
		return &LimitError{What: "memory", Limit: ev.limits.Memory}
	}
	return ev.grow(int(count) * n)
}

func errDepth() error { return &LimitError{What: "value depth", Limit: maxValueDepth} }
