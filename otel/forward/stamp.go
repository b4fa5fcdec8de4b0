package forward

import (
	"fmt"
	"slices"

	logspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	metricpb "go.opentelemetry.io/proto/otlp/metrics/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/proto"
)

// A Sender is who exports, as the server knows it. What the export says of
// itself under the same names is replaced, so that nobody can write into
// somebody else's service.
type Sender struct {
	Service  string // service.name
	Instance string // service.instance.id
}

// An InvalidError is about a body that is not what it should be.
type InvalidError struct{ Err error }

func (e *InvalidError) Error() string { return "export request: " + e.Err.Error() }

func (e *InvalidError) Unwrap() error { return e.Err }

// A batch is an export request and how many items it holds: spans, data
// points or log records.
type batch struct {
	body  []byte
	items int
	from  string // the worker; empty where there are several
}

// join makes one of several: export requests that stand one behind the other
// are one export request, for that is how protobuf writes repeated fields.
func join(all []batch) batch {
	b := all[0]
	b.body = slices.Clip(b.body) // it is not to be written behind
	for _, next := range all[1:] {
		b.body = append(b.body, next.body...)
		b.items += next.items
		if next.from != b.from {
			b.from = ""
		}
	}
	return b
}

// stamp decodes an export request, which keeps garbage from the collector,
// and writes the sender into each of its resources.
func stamp(s Signal, body []byte, from Sender) (batch, error) {
	var request export
	switch s {
	case Traces:
		request = &traces{}
	case Metrics:
		request = &metrics{}
	case Logs:
		request = &logs{}
	}
	if err := countable(body, request.message().ProtoReflect().Descriptor()); err != nil {
		return batch{}, err
	}
	if err := proto.Unmarshal(body, request.message()); err != nil {
		return batch{}, &InvalidError{err}
	}
	items := request.stamp(from)
	out, err := proto.Marshal(request.message())
	if err != nil {
		return batch{}, fmt.Errorf("stamp %s: %w", s, err)
	}
	return batch{out, items, from.Instance}, nil
}

// An export is an export request of one of the signals.
type export interface {
	message() proto.Message
	stamp(Sender) (items int)
}

type traces struct {
	tracepb.ExportTraceServiceRequest
}

func (t *traces) message() proto.Message { return &t.ExportTraceServiceRequest }

func (t *traces) stamp(from Sender) (items int) {
	for _, r := range t.ResourceSpans {
		r.Resource = from.resource(r.Resource)
		for _, scope := range r.ScopeSpans {
			items += len(scope.Spans)
		}
	}
	return items
}

type metrics struct {
	metricspb.ExportMetricsServiceRequest
}

func (m *metrics) message() proto.Message { return &m.ExportMetricsServiceRequest }

func (m *metrics) stamp(from Sender) (items int) {
	for _, r := range m.ResourceMetrics {
		r.Resource = from.resource(r.Resource)
		for _, scope := range r.ScopeMetrics {
			for _, metric := range scope.Metrics {
				items += points(metric)
			}
		}
	}
	return items
}

func points(m *metricpb.Metric) int {
	return len(m.GetGauge().GetDataPoints()) + len(m.GetSum().GetDataPoints()) + len(m.GetHistogram().GetDataPoints()) +
		len(m.GetExponentialHistogram().GetDataPoints()) + len(m.GetSummary().GetDataPoints())
}

type logs struct {
	logspb.ExportLogsServiceRequest
}

func (l *logs) message() proto.Message { return &l.ExportLogsServiceRequest }

func (l *logs) stamp(from Sender) (items int) {
	for _, r := range l.ResourceLogs {
		r.Resource = from.resource(r.Resource)
		for _, scope := range r.ScopeLogs {
			items += len(scope.LogRecords)
		}
	}
	return items
}

// resource returns r with the sender's names in place of its own.
func (from Sender) resource(r *resourcepb.Resource) *resourcepb.Resource {
	if r == nil {
		r = &resourcepb.Resource{}
	}
	r.Attributes = slices.DeleteFunc(r.Attributes, func(kv *commonpb.KeyValue) bool {
		switch kv.GetKey() {
		case "service.name", "service.instance.id", "service.namespace":
			return true
		}
		return false
	})
	r.Attributes = append(r.Attributes, text("service.name", from.Service), text("service.instance.id", from.Instance))
	return r
}

func text(key, value string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}}
}
