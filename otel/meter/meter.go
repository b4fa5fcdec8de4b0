// Package meter names the metrics of a process: what they count, their units
// and their labels, so that the server and the worker cannot disagree on them.
//
// The one idea: figures that somebody holds anyway are read when they are asked
// for, from one reading of the whole. A label has few values, which come from
// this program or are bounded: never a run, a URL or a text of a user. Names
// follow the conventions of OpenTelemetry; what those have no word for begins
// with "pullrun.".
//
// The package needs the OpenTelemetry API only. Without an SDK nothing is
// measured. All functions may be called concurrently.
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

// The labels.
const (
	QueueKey    = attribute.Key("pullrun.queue")
	RunStateKey = attribute.Key("pullrun.run.state")
	OutcomeKey  = attribute.Key("pullrun.poll.outcome")
	StepKey     = attribute.Key("pullrun.cancel.step")
)

// Other is the queue that stands for all that are not shown by themselves.
const Other = "(other)"

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
