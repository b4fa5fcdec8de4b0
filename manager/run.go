package manager

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/otel/span"
)

// A run is one lease: a RUN packet and what has become of it.
type run struct {
	packet  api.Packet
	process trace.Span
	at      trace.SpanContext // of process, which may be an earlier one's
	trace   string            // the same, as a traceparent
	stop    context.CancelCauseFunc
	claimed chan struct{} // closed when an at-most-once run may start
	over    chan struct{} // closed when it is held no more

	// Guarded by the manager's mu.
	waiting    bool        // for claimed
	cancelling bool        // CANCEL has arrived
	slot       bool        // it has one
	result     *api.Result // when it has ended
	kept       bool        // the result is in the outbox
	judged     bool        // the server has seen it
}

// run obeys a RUN packet, or answers why not.
func (m *Manager) run(p api.Packet) {
	ctx, r, refused := m.takeUp(p)
	switch {
	case refused != nil:
		m.answer(p, refused.RC, refused.Message)
	case r != nil:
		go m.work(ctx, r)
	}
}

// takeUp gives a packet a slot. It returns no run where there is nothing to
// do: the same lease once more means that its acknowledgement has not arrived
// yet, and the run that is under way is the answer.
func (m *Manager) takeUp(p api.Packet) (context.Context, *run, *api.PacketError) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.runs[p.Cookie]; known != nil {
		if known.packet.Fence == p.Fence || m.answerAgain(known, p) {
			return nil, nil, nil
		}
		return nil, nil, refusal(api.RCCookieCollision, "this worker still holds fence %d of the run", known.packet.Fence)
	}
	if late := m.late.of(p, time.Now()); late != nil && m.answerAgain(late, p) {
		return nil, nil, nil
	}
	switch {
	case m.early.has(p.Cookie, p.Fence, time.Now()):
		return nil, nil, refusal(api.RCCancelled, "cancelled before it arrived")
	case m.draining:
		return nil, nil, refusal(api.RCNoCapacity, "this worker is draining")
	case m.paused():
		return nil, nil, refusal(api.RCNoCapacity, "this worker takes nothing more until there is room for results in its outbox")
	case m.busy >= m.cfg.Capacity:
		return nil, nil, refusal(api.RCNoCapacity, "all %d slots of this worker are in use", m.cfg.Capacity)
	}
	ctx, stop := context.WithCancelCause(m.running)
	// The span begins here, so that the very next poll can name it.
	ctx, process := span.Process(ctx, span.Carrier{TraceParent: p.TraceParent, TraceState: p.TraceState}, spanRun(p), m.spanAttempt(p))
	r := &run{
		packet: p, process: process, at: process.SpanContext(), trace: span.Inject(ctx).TraceParent,
		stop: stop, claimed: make(chan struct{}), over: make(chan struct{}),
		waiting: p.Delivery == api.AtMostOnce, slot: true,
	}
	if !r.waiting {
		close(r.claimed)
	}
	m.runs[p.Cookie] = r
	m.busy++
	return ctx, r, nil
}

func refusal(rc api.RC, format string, args ...any) *api.PacketError {
	return &api.PacketError{RC: rc, Message: fmt.Sprintf(format, args...)}
}

// work runs one pipeline from start to the result that is ready to post.
func (m *Manager) work(ctx context.Context, r *run) {
	p := r.packet
	defer r.stop(nil)
	if p.TimeoutMS > 0 {
		timed, cancel := context.WithTimeoutCause(ctx, time.Duration(p.TimeoutMS)*time.Millisecond, errTimeout)
		defer cancel()
		ctx = timed
	}
	log := m.log.With("cookie", p.Cookie, "pipeline", p.Pipeline, "attempt", p.Attempt)
	log.InfoContext(ctx, "run started")

	began := time.Now()
	out, err := m.execute(ctx, r)
	result := m.resultOf(ctx, p, out, err)
	a := answer{run: r, packet: p, result: result, trace: r.at}
	if errors.Is(context.Cause(ctx), errLeaseLost) {
		a.process = r.process // the server may have closed it in our place
	} else {
		endProcess(r.process, result)
	}
	log = log.With("rc", result.RC, "took", time.Since(began).Round(time.Microsecond))
	if result.Error != "" {
		log = log.With("err", result.Error)
	}
	log.InfoContext(ctx, "run ended")

	m.keep(a)
}

// execute runs the pipeline, and waits for it no longer than the grace period
// once it has been told to stop.
func (m *Manager) execute(ctx context.Context, r *run) (engine.Output, error) {
	select {
	case <-r.claimed:
	case <-ctx.Done():
		return engine.Output{}, context.Cause(ctx)
	}
	type outcome struct {
		out engine.Output
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			if p := recover(); p != nil {
				m.log.ErrorContext(ctx, "panic in the engine", "cookie", r.packet.Cookie, "err", p, "stack", string(debug.Stack()))
				o.err = fmt.Errorf("panic in the engine: %v", p)
			}
			done <- o
		}()
		o.out, o.err = m.engine.Run(ctx, engine.Input{
			Pipeline: r.packet.Pipeline, Variables: r.packet.Variables, Observer: new(observer),
			Log: m.log.With("cookie", r.packet.Cookie),
		})
	}()
	select {
	case o := <-done:
		return o.out, o.err
	case <-ctx.Done():
	}
	grace := time.NewTimer(m.cfg.Grace)
	defer grace.Stop()
	select {
	case o := <-done:
		return o.out, o.err
	case <-grace.C:
		m.log.ErrorContext(ctx, "run did not stop in time and is abandoned", "cookie", r.packet.Cookie, "pipeline", r.packet.Pipeline, "grace", m.cfg.Grace)
		return engine.Output{}, fmt.Errorf("abandoned: it did not stop within %s: %w", m.cfg.Grace, context.Cause(ctx))
	}
}

// resultOf turns the end of a run into the result that answers its packet.
// When the run was told to stop, the cause says how it ended, not the error's
// text; a run that finished all the same has finished.
func (m *Manager) resultOf(ctx context.Context, p api.Packet, out engine.Output, err error) api.Result {
	result := api.Result{Cookie: p.Cookie, Fence: p.Fence}
	if err == nil {
		result.RC, result.Result = api.RCOK, out.Result
		if max := m.cfg.MaxResult; max > 0 && len(out.Result) > max {
			result.RC, result.Result = api.RCProcessorException, nil
			result.Error = fmt.Sprintf("the result has %d bytes, the limit is %d", len(out.Result), max)
		}
		return result
	}
	var failed *engine.Error
	result.RC, result.Error = api.RCException, err.Error()
	if errors.As(err, &failed) {
		result.RC, result.Stacktrace = api.RCProcessorException, failed.Stack()
	}
	if errors.Is(err, engine.ErrTimeLimit) {
		result.RC = api.RCTimeout
	}
	if cause := context.Cause(ctx); cause != nil {
		result.RC = codeOf(cause)
	}
	return result
}
