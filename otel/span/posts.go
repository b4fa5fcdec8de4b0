package span

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// maxPosts is how many requests of one settle span become spans, besides the
// last. An outage of hours has thousands, which say nothing that the count of
// them does not.
const maxPosts = 5

// A settleSpan is a span whose children, made by whoever sends requests, are
// held back until it ends. Only then is it known which is the last, and a worker
// that is killed in the middle leaves none without its parent.
type settleSpan struct {
	trace.Span

	mu    sync.Mutex
	posts []*postSpan // the first maxPosts, and the last; guarded by mu
}

func (s *settleSpan) End(opts ...trace.SpanEndOption) {
	s.mu.Lock()
	posts := s.posts
	s.posts = nil
	s.mu.Unlock()
	for _, p := range posts {
		p.Span.End(trace.WithTimestamp(p.ended()))
	}
	s.Span.End(opts...)
}

// TracerProvider gives the children's. They ask the span that they start under.
func (s *settleSpan) TracerProvider() trace.TracerProvider {
	return postProvider{s.Span.TracerProvider(), s}
}

// hold keeps a child. Those in the middle are never ended, and so not exported;
// nor is what the server does about them, for they go out as unsampled.
func (s *settleSpan) hold(child trace.Span) *postSpan {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &postSpan{Span: child, quiet: len(s.posts) >= maxPosts}
	if len(s.posts) > maxPosts {
		s.posts[maxPosts] = p
	} else {
		s.posts = append(s.posts, p)
	}
	return p
}

type postProvider struct {
	trace.TracerProvider
	settle *settleSpan
}

func (p postProvider) Tracer(name string, opts ...trace.TracerOption) trace.Tracer {
	return postTracer{p.TracerProvider.Tracer(name, opts...), p.settle}
}

type postTracer struct {
	trace.Tracer
	settle *settleSpan
}

func (t postTracer) Start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	ctx, s := t.Tracer.Start(ctx, name, opts...)
	p := t.settle.hold(s)
	return trace.ContextWithSpan(ctx, p), p
}

// A postSpan notes its end, and ends with the settle span.
type postSpan struct {
	trace.Span
	quiet bool

	mu sync.Mutex
	at time.Time // its end; guarded by mu
}

func (p *postSpan) End(...trace.SpanEndOption) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at.IsZero() {
		p.at = time.Now()
	}
}

// ended is when the span ended, which is now if it has not.
func (p *postSpan) ended() time.Time {
	p.End()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at
}

func (p *postSpan) SpanContext() trace.SpanContext {
	sc := p.Span.SpanContext()
	if p.quiet {
		sc = sc.WithTraceFlags(sc.TraceFlags().WithSampled(false))
	}
	return sc
}
