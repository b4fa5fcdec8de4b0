package server

import (
	"context"
	"log/slog"
	"time"

	"github.com/pullrun/pullrun/otel"
	"github.com/pullrun/pullrun/otel/span"
	"github.com/pullrun/pullrun/server/store"
)

// lastTimeout is how long the store may take to say where runs were that have moved
// together. Others wait meanwhile.
const lastTimeout = time.Second

// moved acts on what has happened to runs: it wakes who waits for it, and
// writes the spans that the move has completed. Each move is reported once.
func (s *Server) moved(moves []store.Moved) {
	within, cancel := context.WithTimeout(context.Background(), lastTimeout)
	defer cancel()
	for i := range moves {
		m := &moves[i]
		s.writeSpans(within, m)
		s.count(m)
		if s.log.Enabled(context.Background(), slog.LevelDebug) {
			s.log.DebugContext(traceOf(m), "run moved", "cookie", m.Run.Cookie, "pipeline", m.Run.Pipeline, "from", m.From.String(), "state", m.To.String(), "worker", m.Run.Worker, "rc", m.Run.RC)
		}
		if m.To == store.Dead {
			s.log.WarnContext(traceOf(m), "run is dead, nobody tries it again", "cookie", m.Run.Cookie, "pipeline", m.Run.Pipeline, "attempt", m.Run.Attempts, "err", m.Run.Error)
		}
		if m.To.Terminal() {
			s.ended(&m.Run)
		} else {
			s.changed(m.Run.Cookie)
		}
		if m.To == store.Queued && !m.Run.Blocked {
			s.hub.queued(&news{run: &m.Run})
		}
		if m.Worker != "" && (!m.To.Leased() || m.From == m.To) {
			s.tell(m.Worker) // it has a free slot, or is to cancel the run
		}
	}
}

// traceOf is a context in the trace of a run, for its lines in the log.
func traceOf(m *store.Moved) context.Context {
	return carrier(m.Run.Trace.Send).Context(context.Background())
}

// writeSpans writes the queue, lease and RUN spans from the times that the
// store keeps, so that a server that restarts in between loses none.
func (s *Server) writeSpans(ctx context.Context, m *store.Moved) {
	if !otel.Enabled() {
		return
	}
	run := span.Run{Cookie: m.Run.Cookie, Pipeline: m.Run.Pipeline, Queue: m.Run.Queue}
	send := carrier(m.Run.Trace.Send)
	writeWait(m, send, run)
	if m.From == store.Offered && m.To == store.Running {
		span.WriteQueue(span.Stored{Parent: send, Start: m.Run.QueuedAt, End: m.Run.OfferedAt}, run,
			span.Attempt{Number: m.Run.Attempts, Worker: m.Run.Worker})
	}
	if a := m.Attempt; a != nil {
		attempt := span.Attempt{Number: a.Number, Worker: a.Worker}
		if m.From == store.Offered { // it was taken up and ended in one move
			span.WriteQueue(span.Stored{Parent: send, Start: a.QueuedAt, End: a.OfferedAt}, run, attempt)
		}
		end, lease := leaseEnd(a.Outcome), span.Stored{Parent: send, Self: span.Lease(send, a.Fence), Start: a.OfferedAt, End: a.EndedAt}
		span.WriteLease(lease, run, attempt, end)
		process := lease
		process.Self = span.Carrier{TraceParent: a.Span}
		span.WriteTombstone(process, run, attempt, end, func() span.Last { return s.last(ctx, m) })
	}
	if m.To.Terminal() {
		span.WriteRun(span.Stored{Parent: carrier(m.Run.Trace.Request), Start: m.Run.SubmittedAt, End: m.Run.FinishedAt},
			run, span.Whole{
				Submitter: m.Run.Submitter, CancelBy: m.Run.CancelBy, CancelReason: m.Run.CancelReason,
				Attempts: m.Run.Attempts, Outcome: outcome(&m.Run),
			})
	}
}

// writeWait writes the span of a wait that was not for a worker, or that no worker
// has ended.
func writeWait(m *store.Moved, send span.Carrier, run span.Run) {
	if m.From == store.Running || m.Attempt != nil { // a worker had it
		return
	}
	var ended *span.Outcome
	if m.To.Terminal() {
		o := outcome(&m.Run)
		ended = &o
	}
	wait, next := span.Stored{Parent: send, Start: m.Since, End: m.At}, span.Attempt{Number: m.Run.Attempts + 1}
	switch {
	case m.From == store.Scheduled && m.Run.Attempts > 0:
		span.WriteWait(wait, run, next, string(store.WaitsForRetry), ended)
	case m.From == store.Scheduled:
		wait.Start = m.Run.SubmittedAt
		span.WriteWait(wait, run, next, string(store.WaitsForTime), ended)
	case m.Blocked && !m.Run.Blocked:
		span.WriteWait(wait, run, next, string(store.WaitsForSlot), ended)
	}
	if ended != nil && m.From != store.Scheduled {
		span.WriteUnserved(wait, run, next, *ended)
	}
}

// last is where the worker of an attempt that has ended last said that the run
// was.
func (s *Server) last(ctx context.Context, m *store.Moved) span.Last {
	activity, err := s.store.Activity(ctx, m.Run.Cookie)
	p := progressOf(activity)
	if err != nil || p == nil || activity.Fence != m.Attempt.Fence {
		return span.Last{} // a trace is not worth more
	}
	return span.Last{Task: p.Path(), At: p.At}
}

func leaseEnd(o store.Outcome) span.LeaseEnd {
	switch o {
	case store.Settled:
		return span.LeaseSettled
	case store.Released:
		return span.LeaseReleased
	case store.Abandoned:
		return span.LeaseAbandoned
	}
	return span.LeaseExpired
}

func outcome(r *store.Run) span.Outcome {
	o := span.Outcome{Type: r.RC, Message: r.Error}
	switch r.State {
	case store.Succeeded:
		return span.Outcome{Result: span.Success}
	case store.Cancelled:
		return span.Outcome{Result: span.Cancelled}
	case store.TimedOut:
		o.Result = span.Timeout
	case store.Dead:
		o.Result = span.Error
	default:
		o.Result = span.Failure
	}
	return o
}

func carrier(c store.SpanContext) span.Carrier {
	return span.Carrier{TraceParent: c.TraceParent, TraceState: c.TraceState}
}

func spanContext(c span.Carrier) store.SpanContext {
	return store.SpanContext{TraceParent: c.TraceParent, TraceState: c.TraceState}
}

// optional is nil for a time that has not come.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
