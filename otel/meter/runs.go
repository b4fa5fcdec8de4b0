package meter

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// RunMeter measures what a worker does with its runs. Unlike what
// [ObserveWorker] shows, it is told as it happens.
type RunMeter struct {
	attempts, tasks, chips, tokens metric.Float64Histogram
	posts, results                 metric.Int64Counter

	pipelines, codes, chipNames, models few

	ends     *labels[End]
	kinds    *labels[part]
	calls    *labels[part]
	outcomes *labels[string]
	verdicts *labels[string]
	usages   *labels[usage]
}

// A part is a task of a kind, or a chip.
type part struct{ kind, result string }

// A Model is a language model, and what it was asked for.
type Model struct{ Operation, Provider, Name string }

// A usage is the tokens of one kind that a model has used.
type usage struct {
	Model
	kind string
}

// NewRuns makes the meter of a worker's runs.
func NewRuns() (*RunMeter, error) {
	s := newSet()
	return &RunMeter{
		attempts: s.spread("pullrun.attempt.duration", "s", "How long runs took on this worker, without the delivery of their results.", runBuckets),
		tasks:    s.spread("pullrun.task.duration", "s", "How long tasks took. Of a loop the first 25 turns count.", taskBuckets),
		chips:    s.spread("pullrun.chip.duration", "s", "How long calls of chips took. Of a loop the first 25 turns count.", taskBuckets),
		tokens:   s.spread("gen_ai.client.token.usage", "{token}", "Tokens of each call of a language model, as its answer says.", tokenBuckets),
		posts:    s.count("pullrun.result.post.attempts", "{request}", "Requests that were made to deliver results, counted when those are delivered or given up."),
		results:  s.count("pullrun.results", "{result}", "Results that the server has judged, or that were lost."),
		ends: newLabels(func(e End) []attribute.KeyValue {
			return []attribute.KeyValue{
				semconv.CICDPipelineNameKey.String(e.Pipeline), semconv.CICDPipelineResultKey.String(e.Result), semconv.ErrorTypeKey.String(e.Error),
			}
		}),
		kinds:    parts(TaskKindKey),
		calls:    parts(ChipKindKey),
		outcomes: one(PostOutcomeKey),
		verdicts: one(VerdictKey),
		usages: newLabels(func(u usage) []attribute.KeyValue {
			return []attribute.KeyValue{
				attribute.String("gen_ai.operation.name", u.Operation), attribute.String("gen_ai.provider.name", u.Provider),
				attribute.String("gen_ai.response.model", u.Name), attribute.String("gen_ai.token.type", u.kind),
			}
		}),
	}, s.err
}

func parts(kind attribute.Key) *labels[part] {
	return newLabels(func(p part) []attribute.KeyValue {
		return []attribute.KeyValue{kind.String(p.kind), semconv.CICDPipelineTaskRunResultKey.String(p.result)}
	})
}

// Attempt measures a run that has ended here.
func (m *RunMeter) Attempt(e End, took time.Duration) {
	if m == nil {
		return
	}
	e.Pipeline, e.Error = m.pipelines.of(e.Pipeline), m.codes.of(e.Error)
	m.attempts.Record(context.Background(), took.Seconds(), m.ends.get(e).record...)
}

// Task measures a task. Its kind and its result are of few.
func (m *RunMeter) Task(kind, result string, took time.Duration) {
	if m == nil {
		return
	}
	m.tasks.Record(context.Background(), took.Seconds(), m.kinds.get(part{kind, result}).record...)
}

// Chip measures a call of a chip.
func (m *RunMeter) Chip(name, result string, took time.Duration) {
	if m == nil {
		return
	}
	m.chips.Record(context.Background(), took.Seconds(), m.calls.get(part{m.chipNames.of(name), result}).record...)
}

// Tokens measures a call of a language model.
func (m *RunMeter) Tokens(model Model, input, output int) {
	if m == nil {
		return
	}
	model.Name = m.models.of(model.Name)
	m.tokens.Record(context.Background(), float64(input), m.usages.get(usage{model, "input"}).record...)
	if output > 0 { // embeddings write none
		m.tokens.Record(context.Background(), float64(output), m.usages.get(usage{model, "output"}).record...)
	}
}

// Posted counts the requests that one delivery took, of which the last was
// answered or not.
func (m *RunMeter) Posted(requests int, answered bool) {
	if m == nil {
		return
	}
	failed := requests
	if answered {
		failed--
		m.posts.Add(context.Background(), 1, m.outcomes.get("answered").add...)
	}
	if failed > 0 {
		m.posts.Add(context.Background(), int64(failed), m.outcomes.get("failed").add...)
	}
}

// Judged counts a result. The verdict is one of few.
func (m *RunMeter) Judged(verdict string) {
	if m == nil {
		return
	}
	m.results.Add(context.Background(), 1, m.verdicts.get(verdict).add...)
}
