package oteltest

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// Span is a span as it was received, with everything as text. Ids are in hex.
type Span struct {
	TraceID, SpanID string
	ParentID        string // "" for a root

	Service    string
	Name       string
	Kind       string // internal, server, client, producer or consumer
	Start, End time.Time

	Status  string // "", ok or error
	Message string // of the status

	Attributes map[string]string
	Resource   map[string]string
	Events     []Event
	Links      []Link

	Warnings []string // of the backend that the span was read back from
}

// Event is an event of a span.
type Event struct {
	Name       string
	Attributes map[string]string
}

// Link is a link from a span to another.
type Link struct {
	TraceID, SpanID string
}

// FromOTLP returns the spans of an OTLP message.
func FromOTLP(resources []*tracepb.ResourceSpans) []Span {
	var spans []Span
	for _, rs := range resources {
		resource := attributes(rs.GetResource().GetAttributes())
		for _, ss := range rs.GetScopeSpans() {
			for _, s := range ss.GetSpans() {
				spans = append(spans, fromOTLP(s, resource))
			}
		}
	}
	return spans
}

func fromOTLP(s *tracepb.Span, resource map[string]string) Span {
	out := Span{
		TraceID:    hex.EncodeToString(s.GetTraceId()),
		SpanID:     hex.EncodeToString(s.GetSpanId()),
		ParentID:   hex.EncodeToString(s.GetParentSpanId()),
		Service:    resource["service.name"],
		Name:       s.GetName(),
		Kind:       enum(s.GetKind().String(), "SPAN_KIND_"),
		Start:      time.Unix(0, int64(s.GetStartTimeUnixNano())),
		End:        time.Unix(0, int64(s.GetEndTimeUnixNano())),
		Status:     enum(s.GetStatus().GetCode().String(), "STATUS_CODE_"),
		Message:    s.GetStatus().GetMessage(),
		Attributes: attributes(s.GetAttributes()),
		Resource:   resource,
	}
	for _, e := range s.GetEvents() {
		out.Events = append(out.Events, Event{Name: e.GetName(), Attributes: attributes(e.GetAttributes())})
	}
	for _, l := range s.GetLinks() {
		out.Links = append(out.Links, Link{
			TraceID: hex.EncodeToString(l.GetTraceId()),
			SpanID:  hex.EncodeToString(l.GetSpanId()),
		})
	}
	return out
}

func enum(name, prefix string) string {
	name = strings.ToLower(strings.TrimPrefix(name, prefix))
	if name == "unset" || name == "unspecified" {
		return ""
	}
	return name
}

func attributes(kvs []*commonpb.KeyValue) map[string]string {
	out := make(map[string]string, len(kvs))
	for _, kv := range kvs {
		out[kv.GetKey()] = text(kv.GetValue())
	}
	return out
}

func text(v *commonpb.AnyValue) string {
	switch v := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return v.StringValue
	case *commonpb.AnyValue_BoolValue:
		return strconv.FormatBool(v.BoolValue)
	case *commonpb.AnyValue_IntValue:
		return strconv.FormatInt(v.IntValue, 10)
	case *commonpb.AnyValue_DoubleValue:
		return strconv.FormatFloat(v.DoubleValue, 'g', -1, 64)
	case *commonpb.AnyValue_BytesValue:
		return base64.StdEncoding.EncodeToString(v.BytesValue)
	case *commonpb.AnyValue_ArrayValue:
		var items []string
		for _, item := range v.ArrayValue.GetValues() {
			items = append(items, text(item))
		}
		return "[" + strings.Join(items, " ") + "]"
	case *commonpb.AnyValue_KvlistValue:
		var items []string
		for _, kv := range v.KvlistValue.GetValues() {
			items = append(items, kv.GetKey()+"="+text(kv.GetValue()))
		}
		return "{" + strings.Join(items, " ") + "}"
	}
	return ""
}
