package span

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// MostKept is how many spans of a process may be below process spans and not
// have left: those that go on, and those that have ended under one that goes on.
const MostKept = 6 << 10

// A Keep keeps the spans below the process spans of a worker until the spans
// above them have ended, the process span apart, in whose place the server writes
// one if it must. So the spans of a task that pipelines and loops are in leave
// together when the outermost ends, and a worker that is killed leaves none
// without its parent.
//
// A process has one Keep. Beyond [MostKept] nothing is begun, so that what is
// missing has nothing below it either. The zero Keep is ready for use.
type Keep struct {
	used atomic.Int64
}

// take gets room for one span, if there is some.
func (k *Keep) take() bool {
	if k.used.Add(1) <= MostKept {
		return true
	}
	k.used.Add(-1)
	return false
}

// A processSpan is a span whose children, and theirs, are kept.
type processSpan struct {
	trace.Span
	keep *Keep

	mu sync.Mutex // guards what follows, and the branches
	// held is how many spans below it have not left. It is negative when nobody
	// waits for them any more.
	held    int
	refused int // requests for which there was no room
}

// TracerProvider gives the children's. They ask the span that they start under.
func (p *processSpan) TracerProvider() trace.TracerProvider {
	return branchProvider{p.Span.TracerProvider(), p, nil}
}

// End ends the span and, with it, the wait for what is below it.
func (p *processSpan) End(opts ...trace.SpanEndOption) {
	p.leave()
	p.Span.End(opts...)
}

// leave gives back the room of what has not left. Should that end after all, it
// takes no room any more.
func (p *processSpan) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held > 0 {
		p.keep.used.Add(-int64(p.held))
	}
	p.held = -1
}

// begin takes room for one span below, and reports whether there was any.
func (p *processSpan) begin() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held < 0 {
		return true
	}
	if !p.keep.take() {
		return false
	}
	p.held++
	return true
}

// Abandon says that the run of the process span in ctx is waited for no longer:
// what goes on below it takes no room of its [Keep] any more.
func Abandon(ctx context.Context) {
	if p, ok := trace.SpanFromContext(ctx).(*processSpan); ok {
		p.leave()
	}
}

// Refused is how many requests below a process span have no spans for want of
// room.
func Refused(s trace.Span) int {
	p, ok := s.(*processSpan)
	if !ok {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused
}

// A branch is a span below a process span. Its end is noted, and it ends when
// those above it have.
type branch struct {
	trace.Span
	process *processSpan
	above   *branch // nil right below the process span

	// Guarded by the process span's mu.
	at   time.Time // its end; zero while it goes on
	left bool      // it and all above it have ended
	kept []*branch // that have ended right below it, until it has left
}

// IsRecording reports false from the end on, as it does for any span.
func (b *branch) IsRecording() bool {
	b.process.mu.Lock()
	defer b.process.mu.Unlock()
	return b.at.IsZero() && b.Span.IsRecording()
}

// TracerProvider gives the children's, as that of the process span does.
func (b *branch) TracerProvider() trace.TracerProvider {
	return branchProvider{b.Span.TracerProvider(), b.process, b}
}

func (b *branch) End(opts ...trace.SpanEndOption) {
	cfg := trace.NewSpanEndConfig(opts...)
	at := cfg.Timestamp()
	if at.IsZero() {
		at = time.Now()
	}
	// The outermost first: where a queue has no room for all of them, what it
	// does not take has nothing below it that it took.
	for _, b := range b.end(at) {
		b.Span.End(trace.WithTimestamp(b.at))
	}
}

// end notes the end, and returns what leaves with it.
func (b *branch) end(at time.Time) (out []*branch) {
	p := b.process
	p.mu.Lock()
	defer p.mu.Unlock()
	if !b.at.IsZero() {
		return nil
	}
	b.at = at
	if b.above != nil && !b.above.left {
		b.above.kept = append(b.above.kept, b)
		return nil
	}
	out = []*branch{b}
	for i := 0; i < len(out); i++ {
		out[i].left = true
		out = append(out, out[i].kept...)
		out[i].kept = nil
	}
	if p.held > 0 {
		n := min(p.held, len(out))
		p.held -= n
		p.keep.used.Add(-int64(n))
	}
	return out
}

type branchProvider struct {
	trace.TracerProvider
	process *processSpan
	above   *branch
}

func (p branchProvider) Tracer(name string, opts ...trace.TracerOption) trace.Tracer {
	return branchTracer{p.TracerProvider.Tracer(name, opts...), p.process, p.above, name != scope}
}

type branchTracer struct {
	trace.Tracer
	process *processSpan
	above   *branch
	foreign bool // not of this package: it makes the spans of requests
}

func (t branchTracer) Start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	if !t.process.begin() {
		if t.foreign {
			t.process.mu.Lock()
			t.process.refused++
			t.process.mu.Unlock()
		}
		ctx = Quiet(ctx)
		return ctx, trace.SpanFromContext(ctx)
	}
	ctx, s := t.Tracer.Start(ctx, name, opts...)
	b := &branch{Span: s, process: t.process, above: t.above}
	return trace.ContextWithSpan(ctx, b), b
}
