// Package meter names the metrics of a process: what they count, their units
// and their labels, so that the server and the worker cannot disagree on them.
// docs/metrics.md is made from them.
//
// The one idea: figures that somebody holds anyway are read when they are asked
// for, from one reading of the whole; what is over in a moment is told as it
// happens. A label has few values, which come from this program or are bounded:
// never a run, a URL or a text of a user. Names follow the conventions of
// OpenTelemetry; what those have no word for begins with "pullrun.".
//
// The package needs the OpenTelemetry API only. Without an SDK nothing is
// measured. All functions and methods may be called concurrently. The methods of
// a nil meter do nothing.
package meter

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const scope = "github.com/pullrun/pullrun/otel/meter"

// The labels that the semantic conventions have no name for.
const (
	QueueKey       = attribute.Key("pullrun.queue")
	RunStateKey    = attribute.Key("pullrun.run.state")
	OutcomeKey     = attribute.Key("pullrun.poll.outcome")
	ReturnKey      = attribute.Key("pullrun.redelivery.reason")
	StepKey        = attribute.Key("pullrun.cancel.step")
	SignalKey      = attribute.Key("pullrun.signal")
	TaskKindKey    = attribute.Key("pullrun.task.kind")
	ChipKindKey    = attribute.Key("pullrun.chip.kind")
	PostOutcomeKey = attribute.Key("pullrun.post.outcome")
	VerdictKey     = attribute.Key("pullrun.result.verdict")
	DropReasonKey  = attribute.Key("pullrun.drop.reason")
)

// Other is the queue, pipeline or error that stands for all that are not shown
// by themselves.
const Other = "(other)"

// The bounds of histograms, in seconds. Runs take between milliseconds and days,
// tasks begin at a tenth of that, and a disk syncs in between.
var (
	runBuckets    = []float64{.01, .05, .1, .5, 1, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400}
	taskBuckets   = []float64{.001, .01, .05, .1, .5, 1, 5, 30, 60, 300, 3600}
	cancelBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30, 60}
	commitBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}
	batchBuckets  = []float64{1, 2, 4, 8, 16, 32, 64, 128, 256}
	tokenBuckets  = []float64{1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864} // the convention's
)

// a set makes instruments, and remembers what went wrong.
type set struct {
	metric.Meter
	all []metric.Observable
	err error
}

func newSet() *set { return &set{Meter: otel.GetMeterProvider().Meter(scope)} }

func (s *set) gauge(name, unit, about string) metric.Int64ObservableGauge {
	g, err := s.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(about))
	s.add(g, err)
	return g
}

func (s *set) seconds(name, about string) metric.Float64ObservableGauge {
	g, err := s.Float64ObservableGauge(name, metric.WithUnit("s"), metric.WithDescription(about))
	s.add(g, err)
	return g
}

func (s *set) counter(name, unit, about string) metric.Int64ObservableCounter {
	c, err := s.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(about))
	s.add(c, err)
	return c
}

// count makes a counter of what is told as it happens.
func (s *set) count(name, unit, about string) metric.Int64Counter {
	c, err := s.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(about))
	s.err = errors.Join(s.err, err)
	return c
}

// spread makes a histogram.
func (s *set) spread(name, unit, about string, bounds []float64) metric.Float64Histogram {
	h, err := s.Float64Histogram(name, metric.WithUnit(unit), metric.WithDescription(about), metric.WithExplicitBucketBoundaries(bounds...))
	s.err = errors.Join(s.err, err)
	return h
}

func (s *set) add(o metric.Observable, err error) {
	s.err = errors.Join(s.err, err)
	s.all = append(s.all, o)
}

// observe has the figures read by each collection until stop is called.
func (s *set) observe(read func(context.Context, metric.Observer) error) (stop func() error, err error) {
	if s.err != nil {
		return nil, s.err
	}
	r, err := s.RegisterCallback(read, s.all...)
	if err != nil {
		return nil, err
	}
	return r.Unregister, nil
}

func with(key attribute.Key, value string) metric.MeasurementOption {
	return metric.WithAttributes(key.String(value))
}

// since is the time that has passed, in seconds; 0 for a time that is not set.
func since(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return time.Since(t).Seconds()
}
