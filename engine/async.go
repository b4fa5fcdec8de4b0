package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/pullrun/pullrun/engine/expr"
)

// A Handle stands for a background task. Scripts call its done(),
// cancelled(), cancel() and result(); pipelines wait with
// reasonchip.async.wait_for.
type Handle struct {
	at   string
	over chan struct{} // closed by the task's goroutine when it ends
	stop context.CancelCauseFunc
	held *charge // of the value, until somebody has it or nobody has the handle

	mu        sync.Mutex // guards what follows
	value     expr.Value
	err       error
	cancelled bool // it ended because it was told to
	told      bool // to end
	awaited   bool // somebody has seen how it ended, or will
}

var errHandleCancelled = errors.New("the background task was cancelled")

// spawn runs the body of a task in the background and gives its handle.
func (s *strand) spawn(ctx context.Context, t *task, inner *scope, run bodyFunc) (outcome, error) {
	r := s.run
	if r.live.Add(1) > r.limits.Handles {
		r.live.Add(-1)
		return outcome{}, s.limit("background tasks", "of %d at once", r.limits.Handles)
	}
	// It lives as long as the run, whatever task started it.
	ctx, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	follow := context.AfterFunc(r.ctx, func() { stop(context.Cause(r.ctx)) })
	h := &Handle{at: position(s.stack()), over: make(chan struct{}), stop: stop, held: &charge{meter: &r.meter}}
	runtime.AddCleanup(h, (*charge).release, h.held)
	b := &strand{run: r, observer: s.observer, prefix: s.stack()}
	var sc *scope
	if t.kind != KindChip || t.guard != nil {
		sc = inner.snapshot()
	}
	r.strands.Go(func() {
		defer stop(nil)
		defer follow()
		out, err := b.safely(func() (outcome, error) {
			if t.guard != nil {
				return b.guarded(ctx, t, sc, run)
			}
			return run(b, ctx, sc)
		})
		var term *terminated
		if errors.As(err, &term) {
			r.terminate(term.value)
			err = nil
		}
		if sc != nil {
			sc.release()
		}
		if t.keepsResult() {
			h.held.set(out.value)
		}
		h.finish(out.value, err)
		if err != nil && r.ctx.Err() == nil {
			r.noteFailure(h)
		}
		r.live.Add(-1)
	})
	return outcome{value: h, data: true}, nil
}

func (h *Handle) finish(v expr.Value, err error) {
	h.mu.Lock()
	h.value, h.err = v, err
	h.cancelled = err != nil && h.told
	h.mu.Unlock()
	close(h.over)
}

// cancel tells the task to end.
func (h *Handle) cancel() {
	h.mu.Lock()
	h.told = true
	h.mu.Unlock()
	h.stop(errHandleCancelled)
}

// outcome gives how the task ended, once it has.
func (h *Handle) outcome() (v expr.Value, cancelled bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.awaited = true
	h.held.release()
	return h.value, h.cancelled, h.err
}

func (h *Handle) done() bool {
	select {
	case <-h.over:
		return true
	default:
		return false
	}
}

// TypeName implements [expr.Host].
func (h *Handle) TypeName() string { return "Task" }

// Attr implements [expr.Host].
func (h *Handle) Attr(name string) (expr.Value, bool) {
	f, ok := handleMethods[name]
	if !ok {
		return nil, false
	}
	return expr.NewFunc(name, func(_ context.Context, args []expr.Value, kwargs *expr.Dict) (expr.Value, error) {
		if len(args) > 0 || kwargs != nil {
			return nil, expr.NewExc("TypeError", name+"() takes no arguments")
		}
		return f(h)
	}), true
}

var handleMethods = map[string]func(*Handle) (expr.Value, error){
	"done": func(h *Handle) (expr.Value, error) { return h.done(), nil },
	"cancelled": func(h *Handle) (expr.Value, error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.cancelled, nil
	},
	"cancel": func(h *Handle) (expr.Value, error) {
		if h.done() {
			return false, nil
		}
		h.cancel()
		return true, nil
	},
	"result": func(h *Handle) (expr.Value, error) {
		if !h.done() {
			return nil, expr.NewExc("InvalidStateError", "the background task is not done")
		}
		v, cancelled, err := h.outcome()
		switch {
		case cancelled:
			return nil, expr.NewExc("CancelledError", "the background task was cancelled")
		case err != nil:
			return nil, expr.WrapExc("Exception", err)
		}
		return v, nil
	},
}

type waitForRequest struct {
	Task    *Handle  `doc:"What a task with run_async gave." required:"true"`
	Timeout *float64 `doc:"How many seconds to wait. Null waits for as long as it takes."`
}

type waitForResponse struct {
	Status string `doc:"OK, or TIMEOUT if the task was not done in time and was cancelled." enum:"OK,TIMEOUT"`
	Resp   any    `doc:"What the task gave."`
}

func waitForChip() Chip {
	return NewChip("reasonchip.async.wait_for", "Waits for a background task and gives its result.", waitFor)
}

func waitFor(ctx context.Context, req waitForRequest) (waitForResponse, error) {
	h := req.Task
	var timeout <-chan time.Time
	if req.Timeout != nil {
		timer := time.NewTimer(time.Duration(*req.Timeout * float64(time.Second)))
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case <-h.over:
	case <-ctx.Done():
		return waitForResponse{}, context.Cause(ctx)
	case <-timeout:
		if !h.done() {
			return waitForResponse{Status: "TIMEOUT"}, h.end(ctx)
		}
	}
	v, cancelled, err := h.outcome()
	switch {
	case cancelled:
		return waitForResponse{}, &Raised{Class: "CancelledError", Message: fmt.Sprintf("the background task %s was cancelled", h.at)}
	case err != nil:
		return waitForResponse{}, err
	}
	return waitForResponse{Status: "OK", Resp: v}, nil
}

// end cancels the task and waits until it has stopped.
func (h *Handle) end(ctx context.Context) error {
	h.cancel()
	select {
	case <-h.over:
		h.outcome()
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// terminate ends the run with a value, from a background task.
func (r *run) terminate(v expr.Value) {
	r.mu.Lock()
	if !r.terminated {
		r.terminated, r.final = true, v
	}
	r.mu.Unlock()
	r.stop(errTerminated)
}

func (r *run) terminatedWith() (expr.Value, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.final, r.terminated
}

// maxFailed is how many failures of background tasks are told.
const maxFailed = 20

func (r *run) noteFailure(h *Handle) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = slices.DeleteFunc(r.failed, (*Handle).seen)
	if len(r.failed) < maxFailed {
		r.failed = append(r.failed, h)
		return
	}
	r.failures++
}

// seen reports whether somebody has seen how the task ended.
func (h *Handle) seen() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.awaited || h.cancelled
}

// warnings tells of the failures that nobody saw.
func (r *run) warnings() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []string
	for _, h := range r.failed {
		if !h.seen() {
			list = append(list, fmt.Sprintf("the background task %s failed: %v", h.at, h.err))
		}
	}
	if r.failures > 0 {
		list = append(list, fmt.Sprintf("%d more background tasks failed", r.failures))
	}
	return list
}
