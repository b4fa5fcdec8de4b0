package manager

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/manager/feed"
	"github.com/pullrun/pullrun/otel/span"
)

// A run is a RUN packet and what has become of it.
type run struct {
	stop    context.CancelCauseFunc
	claimed chan struct{} // closed when an at-most-once run may start
	ended   chan struct{} // closed when it has a result
	over    chan struct{} // closed when it is held no more
	prior   *run          // an earlier lease's, which must have ended before it starts, or nil
	place   *place        // where it is; nil for a run of an earlier process

	// Guarded by the manager's mu.
	store      string            // that gave its lease; empty if that is not known
	packet     api.Packet        // its fence and attempt are the latest lease's
	process    trace.Span        // nil when it was an earlier process's
	at         trace.SpanContext // of it
	trace      string            // the same, as a traceparent
	began      time.Time         // as it did
	told       <-chan struct{}   // closed when it was told to stop
	waiting    bool              // for claimed
	cancelling bool              // CANCEL has arrived
	slot       bool              // it has one
	result     *api.Result       // when it has ended
	since      time.Time         // when it was taken up, or has ended
	kept       bool              // the result is in the outbox
	judged     bool              // the server has seen it
	feed       *feed.Run         // nil without a feed, or before it has started
}

// run obeys a RUN packet, or answers why not. It reports whether the packet has
// told of a lease.
func (m *Manager) run(p api.Packet) bool {
	m.mu.Lock()
	known := m.held(p.Cookie, p.Fence) != nil
	m.mu.Unlock()
	ctx, r, refused := m.takeUp(p)
	switch {
	case refused != nil:
		m.answer(p, refused.RC, refused.Message)
	case r != nil:
		go m.work(ctx, r, p)
	}
	return !known && refused == nil
}

// takeUp gives a packet a slot. It returns no run where there is nothing to
// start: the run is here already, and under way or done.
func (m *Manager) takeUp(p api.Packet) (context.Context, *run, *api.PacketError) {
	m.mu.Lock()
	defer m.mu.Unlock()
	prior := m.runs[p.Cookie]
	if prior != nil {
		known, refused := m.leasedAgain(prior, p)
		if known || refused != nil {
			return nil, nil, refused
		}
	} else if late := m.late.of(p, time.Now()); late != nil && m.answerAgain(late, p) {
		return nil, nil, nil
	}
	switch paused := m.paused(); {
	case m.early.has(m.lease(p), time.Now()):
		return nil, nil, refusal(api.RCCancelled, "cancelled before it arrived")
	case m.draining:
		return nil, nil, refusal(api.RCNoCapacity, "this worker is draining")
	case prior == nil && m.room() == 0:
		return nil, nil, refusal(api.RCNoCapacity, "this worker has begun all %d runs that it takes", m.cfg.MaxRuns)
	case paused != "":
		return nil, nil, refusal(api.RCNoCapacity, "this worker takes nothing for the time being: %s", paused)
	case prior != nil && prior.slot:
		m.free(prior) // the slot goes on to the new lease
	case m.busy >= m.limits.Load().Capacity:
		return nil, nil, refusal(api.RCNoCapacity, "all %d slots of this worker are in use", m.limits.Load().Capacity)
	}
	ctx, stop := context.WithCancelCause(m.running)
	r := &run{
		store: m.store, packet: p, prior: prior, stop: stop, told: ctx.Done(),
		claimed: make(chan struct{}), ended: make(chan struct{}), over: make(chan struct{}),
		waiting: p.Delivery == api.AtMostOnce, slot: true, place: new(place), since: time.Now(),
	}
	ctx = m.beginProcess(ctx, r)
	if !r.waiting {
		close(r.claimed)
	}
	m.runs[p.Cookie] = r
	m.busy++
	m.idle = time.Time{}
	if prior == nil {
		m.begun++
	}
	return ctx, r, nil
}

// lease names the run's lease. The caller has locked mu.
func (r *run) lease() api.Held {
	return api.Held{Cookie: r.packet.Cookie, Fence: r.packet.Fence, Store: r.store}
}

func refusal(rc api.RC, format string, args ...any) *api.PacketError {
	return &api.PacketError{RC: rc, Message: fmt.Sprintf(format, args...)}
}

// work runs one pipeline from start to the result that is ready to post.
func (m *Manager) work(ctx context.Context, r *run, p api.Packet) {
	defer r.stop(nil)
	if prior := r.prior; prior != nil {
		r.prior = nil
		if result := m.outcomeOf(prior); result != nil {
			m.log.InfoContext(ctx, "run has succeeded here before, its result is sent again", "cookie", p.Cookie, "pipeline", p.Pipeline, "fence", p.Fence)
			m.keep(m.conclude(r, *result))
			return
		}
	}
	if p.TimeoutMS > 0 {
		timed, cancel := context.WithTimeoutCause(ctx, api.Milliseconds(p.TimeoutMS), errTimeout)
		defer cancel()
		ctx = timed
		m.mu.Lock()
		r.told = ctx.Done()
		m.mu.Unlock()
	}
	m.log.InfoContext(ctx, "run started", "cookie", p.Cookie, "pipeline", p.Pipeline, "attempt", p.Attempt)

	out, err := m.execute(ctx, r)
	a := m.conclude(r, m.resultOf(ctx, p, out, err))
	m.measure(a, time.Since(r.began))
	said := []any{
		"cookie", p.Cookie, "pipeline", p.Pipeline,
		"attempt", a.packet.Attempt, "rc", a.result.RC, "took", time.Since(r.began).Round(time.Microsecond),
	}
	if a.result.Error != "" {
		said = append(said, "err", a.result.Error)
	}
	m.log.InfoContext(ctx, "run ended", said...)

	m.keep(a)
}

// conclude gives a run its result. From here on it takes no further lease.
func (m *Manager) conclude(r *run, result api.Result) answer {
	m.mu.Lock()
	defer m.mu.Unlock()
	result.Fence, result.Store, result.LastEvent = r.packet.Fence, r.store, 0
	if r.feed != nil {
		result.LastEvent = r.feed.End()
	}
	if m.draining && result.RC == api.RCWorkerWentAway && m.runs[r.packet.Cookie] == r {
		m.begun-- // it is handed back, and not done; nor is it counted for an earlier lease as well
	}
	r.result, r.since = &result, time.Now()
	close(r.ended)
	return answer{run: r, packet: r.packet, result: result, trace: r.at}
}

// execute runs the pipeline, and waits for it no longer than the grace period
// once it has been told to stop.
func (m *Manager) execute(ctx context.Context, r *run) (engine.Output, error) {
	select {
	case <-r.claimed:
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
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
		spans := &observer{redactor: m.cfg.Redactor, meter: m.cfg.Meter, process: trace.SpanFromContext(ctx)}
		defer func() { spans.over(r, &m.mu) }()
		o.out, o.err = m.engine.Run(ctx, m.input(r, spans))
	}()
	select {
	case o := <-done:
		return o.out, o.err
	case <-ctx.Done():
	}
	grace := m.limits.Load().Grace
	over := time.NewTimer(grace)
	defer over.Stop()
	select {
	case o := <-done:
		return o.out, o.err
	case <-over.C:
		span.Abandon(ctx)
		m.log.ErrorContext(ctx, "run did not stop in time and is abandoned", "cookie", r.packet.Cookie, "pipeline", r.packet.Pipeline, "grace", grace)
		return engine.Output{}, fmt.Errorf("%w: it did not stop within %s: %w", errAbandoned, grace, context.Cause(ctx))
	}
}

// input is what the engine is given of a run.
func (m *Manager) input(r *run, spans *observer) engine.Input {
	m.mu.Lock()
	defer m.mu.Unlock()
	in := engine.Input{
		Pipeline: r.packet.Pipeline, Variables: r.packet.Variables, Log: m.log.With("cookie", r.packet.Cookie),
	}
	if m.cfg.Feed != nil {
		r.feed = m.cfg.Feed.Begin(r.lease(), r.place.path)
		in.Log = r.feed.Log(in.Log, taskOf)
	}
	in.Observer = r.place.telling(spans)
	return in
}

// resultOf turns the end of a run into the result that answers its packet.
// When the run was told to stop, the cause says how it ended, not the error's
// text; a run that finished all the same has finished.
func (m *Manager) resultOf(ctx context.Context, p api.Packet, out engine.Output, err error) api.Result {
	result := api.Result{Cookie: p.Cookie}
	if err == nil {
		result.RC, result.Result = api.RCOK, m.withoutSecrets(out.Result)
		if why := m.excess(result.Result); why != "" {
			result.RC, result.Result, result.Error = api.RCProcessorException, nil, why
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
		if result.RC == api.RCCancelled {
			result.Stop = howItStopped(out, err, cause)
		}
		if errors.Is(cause, errStopping) && failed != nil { // which says no more than that it was told to stop
			result.Error, result.Stacktrace = cause.Error(), ""
		}
	}
	if r := m.cfg.Redactor; r != nil {
		result.Error, result.Stacktrace = r.String(result.Error), r.String(result.Stacktrace)
	}
	return result
}

// excess says in which way a result is beyond what this worker or its server
// takes, or nothing. The server would end the run as failed, and the worker
// would tell of a success.
func (m *Manager) excess(result json.RawMessage) string {
	n, limit, whose := int64(len(result)), int64(m.limits.Load().MaxResult), "this worker"
	if server := m.takes.Load(); server > 0 && (limit <= 0 || server < limit) {
		limit, whose = server, "the server"
	}
	switch {
	case limit > 0 && n > limit:
		return fmt.Sprintf("the result has %d bytes, the limit of %s is %d (limits.result)", n, whose, limit)
	case api.Nesting(result) > api.MaxNesting:
		return fmt.Sprintf("the result is nested deeper than %d levels", api.MaxNesting)
	}
	return ""
}

// withoutSecrets is a pipeline's result as the server gets it.
func (m *Manager) withoutSecrets(result json.RawMessage) json.RawMessage {
	if m.cfg.Redactor == nil {
		return result
	}
	return m.cfg.Redactor.JSON(result)
}
