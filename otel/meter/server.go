package meter

import (
	"cmp"
	"context"
	"slices"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// mostQueues is how many queues are shown by themselves.
const mostQueues = 100

// A Queue is one reading of a queue.
type Queue struct {
	Name                               string
	Queued, Blocked, Scheduled, Leased int
	Oldest                             time.Duration // wait of the longest queued run
}

// A Server is one reading of a server.
type Server struct {
	Queues []Queue
	Parked int // polls
}

// ServerMeter measures a server.
type ServerMeter struct {
	expirations metric.Int64Counter
	cancels     metric.Float64Histogram
	stop        func() error
}

// NewServer makes the meter of a server. The reading is taken anew for each
// collection, which is told when it cannot be.
func NewServer(read func(context.Context) (Server, error)) (*ServerMeter, error) {
	s := newSet()
	expirations, err := s.Int64Counter("pullrun.lease.expirations", metric.WithUnit("{lease}"),
		metric.WithDescription("Leases that ended because their worker was not heard of."))
	if err != nil {
		return nil, err
	}
	cancels, err := s.Float64Histogram("pullrun.cancel.duration", metric.WithUnit("s"),
		metric.WithDescription("Time from the request to cancel a run that a worker has, to each step."),
		metric.WithExplicitBucketBoundaries(.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30))
	if err != nil {
		return nil, err
	}
	depth := s.gauge("pullrun.queue.depth", "{run}", "Runs that wait for a worker.")
	blocked := s.gauge("pullrun.queue.blocked", "{run}", "Runs that wait for a slot of their concurrency key.")
	scheduled := s.gauge("pullrun.queue.scheduled", "{run}", "Runs that wait for their time.")
	leased := s.gauge("pullrun.queue.leased", "{run}", "Runs that a worker has.")
	oldest := s.seconds("pullrun.queue.oldest.age", "How long the longest waiting run has waited for a worker.")
	parked := s.gauge("pullrun.polls.waiting", "{poll}", "Polls that are held here.")
	stop, err := s.observe(func(ctx context.Context, o metric.Observer) error {
		r, err := read(ctx)
		if err != nil {
			return err
		}
		for _, q := range largest(r.Queues) {
			name := with(QueueKey, q.Name)
			o.ObserveInt64(depth, int64(q.Queued), name)
			o.ObserveInt64(blocked, int64(q.Blocked), name)
			o.ObserveInt64(scheduled, int64(q.Scheduled), name)
			o.ObserveInt64(leased, int64(q.Leased), name)
			o.ObserveFloat64(oldest, q.Oldest.Seconds(), name)
		}
		o.ObserveInt64(parked, int64(r.Parked))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ServerMeter{expirations: expirations, cancels: cancels, stop: stop}, nil
}

// LeaseExpired counts a lease. Of the queues' names the SDK keeps as many apart
// as its limit says, and adds the others up.
func (m *ServerMeter) LeaseExpired(ctx context.Context, queue string) {
	m.expirations.Add(ctx, 1, with(QueueKey, queue))
}

// The steps of a cancellation.
const (
	CancelDelivered = "delivered" // the worker was told
	CancelStopped   = "stopped"   // the run has ended
)

// Cancelled counts a step of a cancellation, and how long after the request it
// came.
func (m *ServerMeter) Cancelled(ctx context.Context, step string, after time.Duration) {
	m.cancels.Record(ctx, after.Seconds(), with(StepKey, step))
}

// Stop ends the readings.
func (m *ServerMeter) Stop() error { return m.stop() }

// largest are the queues with most runs, and one more that stands for the
// others.
func largest(queues []Queue) []Queue {
	if len(queues) <= mostQueues {
		return queues
	}
	queues = slices.Clone(queues)
	size := func(q Queue) int { return q.Queued + q.Blocked + q.Scheduled + q.Leased }
	slices.SortFunc(queues, func(a, b Queue) int { return cmp.Or(size(b)-size(a), cmp.Compare(a.Name, b.Name)) })
	rest := Queue{Name: Other}
	for _, q := range queues[mostQueues:] {
		rest.Queued += q.Queued
		rest.Blocked += q.Blocked
		rest.Scheduled += q.Scheduled
		rest.Leased += q.Leased
		rest.Oldest = max(rest.Oldest, q.Oldest)
	}
	return append(queues[:mostQueues], rest)
}
