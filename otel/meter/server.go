package meter

import (
	"cmp"
	"context"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// A Queue is one reading of a queue.
type Queue struct {
	Name                               string
	Queued, Blocked, Scheduled, Leased int
	Oldest                             time.Duration // wait of the longest queued run
}

// A Server is one reading of a server.
type Server struct {
	Queues  []Queue
	Parked  int              // polls
	Readers int              // calls that follow a run, or wait for its end
	Full    bool             // the store's disk
	Routes  int              // that runs ask for which have not ended
	Dropped map[string]int64 // of what workers export through it, by signal
}

// ServerMeter measures a server.
type ServerMeter struct {
	accepted, ended, expirations, redeliveries, dead metric.Int64Counter
	lines                                            metric.Int64Counter
	waited, ran, cancelled                           metric.Float64Histogram

	names, pipelines, codes few // queues, and what is in End

	queue   *labels[string]
	steps   *labels[string]
	endings *labels[ending]
	runs    *labels[End]
	returns *labels[redelivery]

	stop func() error
}

// An End is how a run ended.
type End struct {
	Pipeline string
	Result   string // in the words of the CI/CD conventions
	Error    string // its code, empty unless it failed
}

type (
	ending     struct{ queue, result string }
	redelivery struct{ queue, reason string }
)

// NewServer makes the meter of a server. The reading is taken anew for each
// collection, which is told when it cannot be.
func NewServer(read func(context.Context) (Server, error)) (*ServerMeter, error) {
	s := newSet()
	m := &ServerMeter{
		accepted:     s.count("pullrun.runs.accepted", "{run}", "Runs that were submitted and committed."),
		ended:        s.count("pullrun.runs.ended", "{run}", "Runs that have ended, for good."),
		expirations:  s.count("pullrun.lease.expirations", "{lease}", "Leases that ended because their worker was not heard of."),
		redeliveries: s.count("pullrun.redeliveries", "{run}", "Runs that went back from a worker to their queue."),
		dead:         s.count("pullrun.dead_letters", "{run}", "Runs that were given up because their workers were lost."),
		lines:        s.count("pullrun.events.dropped", "{line}", "Lines that runs logged and that were dropped here, for newer ones of the same run."),
		waited:       s.spread("pullrun.queue.wait.duration", "s", "How long runs waited in their queue, until a worker had them.", runBuckets),
		ran:          s.spread("cicd.pipeline.run.duration", "s", "How long the last attempt of runs that have ended was with its worker.", runBuckets),
		cancelled:    s.spread("pullrun.cancel.duration", "s", "Time from the request to cancel a run that a worker has, to each step.", cancelBuckets),
		queue:        one(QueueKey),
		steps:        one(StepKey),
		endings: newLabels(func(e ending) []attribute.KeyValue {
			return []attribute.KeyValue{QueueKey.String(e.queue), semconv.CICDPipelineResultKey.String(e.result)}
		}),
		returns: newLabels(func(r redelivery) []attribute.KeyValue {
			return []attribute.KeyValue{QueueKey.String(r.queue), ReturnKey.String(r.reason)}
		}),
		runs: newLabels(func(e End) []attribute.KeyValue {
			return []attribute.KeyValue{
				semconv.CICDPipelineNameKey.String(e.Pipeline), semconv.CICDPipelineRunStateExecuting,
				semconv.CICDPipelineResultKey.String(e.Result), semconv.ErrorTypeKey.String(e.Error),
			}
		}),
	}
	var err error
	m.stop, err = s.observe(m.gauges(s, read))
	return m, err
}

// gauges read the figures that others hold. The counters of what is rare begin at
// 0 with their queue: to Prometheus the first figure of a counter is no increase.
func (m *ServerMeter) gauges(s *set, read func(context.Context) (Server, error)) func(context.Context, metric.Observer) error {
	depth := s.gauge("pullrun.queue.depth", "{run}", "Runs that wait for a worker.")
	blocked := s.gauge("pullrun.queue.blocked", "{run}", "Runs that wait for a slot of their concurrency key.")
	scheduled := s.gauge("pullrun.queue.scheduled", "{run}", "Runs that wait for their time.")
	leased := s.gauge("pullrun.queue.leased", "{run}", "Runs that a worker has.")
	oldest := s.seconds("pullrun.queue.oldest.age", "How long the longest waiting run has waited for a worker.")
	parked := s.gauge("pullrun.polls.waiting", "{poll}", "Polls that are held here.")
	routes := s.gauge("pullrun.routes.live", "{route}", "Combinations of queue, pipeline, digest, labels and priority of the runs that have not ended. 10,000 are the most.")
	readers := s.gauge("pullrun.readers.waiting", "{call}", "Calls here that follow a run or wait for its end.")
	full := s.gauge("pullrun.store.full", "1", "Whether the store's disk is full, 0 or 1: what is new is refused then.")
	dropped := s.counter("pullrun.forward.dropped", "{item}", "Spans, data points and log records of workers that did not reach the server's collector.")
	return func(ctx context.Context, o metric.Observer) error {
		r, err := read(ctx)
		if err != nil {
			return err
		}
		for queue, q := range m.byName(r.Queues) {
			name := with(QueueKey, queue)
			o.ObserveInt64(depth, int64(q.Queued), name)
			o.ObserveInt64(blocked, int64(q.Blocked), name)
			o.ObserveInt64(scheduled, int64(q.Scheduled), name)
			o.ObserveInt64(leased, int64(q.Leased), name)
			o.ObserveFloat64(oldest, q.Oldest.Seconds(), name)
			m.dead.Add(ctx, 0, m.queue.get(queue).add...)
			m.expirations.Add(ctx, 0, m.queue.get(queue).add...)
			for _, reason := range returnReasons {
				m.redeliveries.Add(ctx, 0, m.returns.get(redelivery{queue, reason}).add...)
			}
		}
		o.ObserveInt64(parked, int64(r.Parked))
		o.ObserveInt64(readers, int64(r.Readers))
		o.ObserveInt64(full, truth(r.Full))
		m.lines.Add(ctx, 0)
		o.ObserveInt64(routes, int64(r.Routes))
		for signal, n := range r.Dropped {
			o.ObserveInt64(dropped, n, with(SignalKey, signal))
		}
		return nil
	}
}

// LinesDropped counts lines that runs logged.
func (m *ServerMeter) LinesDropped(n int) { m.lines.Add(context.Background(), int64(n)) }

// Accepted counts a run that was submitted.
func (m *ServerMeter) Accepted(queue string) {
	m.accepted.Add(context.Background(), 1, m.queue.get(m.names.of(queue)).add...)
}

// TakenUp measures how long a run has waited when a worker has it.
func (m *ServerMeter) TakenUp(queue string, waited time.Duration) {
	m.waited.Record(context.Background(), waited.Seconds(), m.queue.get(m.names.of(queue)).record...)
}

// Ended counts a run that has ended. It was with its last worker for ran, or
// with none where that is 0.
func (m *ServerMeter) Ended(queue string, e End, ran time.Duration) {
	m.ended.Add(context.Background(), 1, m.endings.get(ending{m.names.of(queue), e.Result}).add...)
	if ran > 0 {
		e.Pipeline, e.Error = m.pipelines.of(e.Pipeline), m.codes.of(e.Error)
		m.ran.Record(context.Background(), ran.Seconds(), m.runs.get(e).record...)
	}
}

// Dead counts a run that was given up.
func (m *ServerMeter) Dead(queue string) {
	m.dead.Add(context.Background(), 1, m.queue.get(m.names.of(queue)).add...)
}

// LeaseExpired counts a lease.
func (m *ServerMeter) LeaseExpired(queue string) {
	m.expirations.Add(context.Background(), 1, m.queue.get(m.names.of(queue)).add...)
}

// Why runs go back to their queue.
const (
	ReturnExpired  = "expired" // the worker was not heard of
	ReturnReleased = "released"
	ReturnRetry    = "retry"        // the result was one after which the run is tried again
	ReturnLapsed   = "offer_lapsed" // nobody took it up
)

var returnReasons = []string{ReturnExpired, ReturnReleased, ReturnRetry, ReturnLapsed}

// CameBack counts a run that went back to its queue, for one of these reasons.
func (m *ServerMeter) CameBack(queue, reason string) {
	m.redeliveries.Add(context.Background(), 1, m.returns.get(redelivery{m.names.of(queue), reason}).add...)
}

// The steps of a cancellation.
const (
	CancelDelivered = "delivered" // the worker was told
	CancelStopped   = "stopped"   // the run has ended
)

// Cancelled counts a step of a cancellation, and how long after the request it
// came.
func (m *ServerMeter) Cancelled(step string, after time.Duration) {
	m.cancelled.Record(context.Background(), after.Seconds(), m.steps.get(step).record...)
}

// Stop ends the readings.
func (m *ServerMeter) Stop() error { return m.stop() }

// byName adds the queues up under the names that the counters have for them. A
// queue that was seen once is there from then on, empty as well. Of those that are
// seen for the first time the largest come first.
func (m *ServerMeter) byName(queues []Queue) map[string]Queue {
	out := make(map[string]Queue)
	for _, name := range m.names.all() {
		out[name] = Queue{}
	}
	queues = slices.Clone(queues)
	size := func(q Queue) int { return q.Queued + q.Blocked + q.Scheduled + q.Leased }
	slices.SortFunc(queues, func(a, b Queue) int { return cmp.Or(size(b)-size(a), cmp.Compare(a.Name, b.Name)) })
	for _, q := range queues {
		name := m.names.of(q.Name)
		sum := out[name]
		sum.Queued += q.Queued
		sum.Blocked += q.Blocked
		sum.Scheduled += q.Scheduled
		sum.Leased += q.Leased
		sum.Oldest = max(sum.Oldest, q.Oldest)
		out[name] = sum
	}
	return out
}
