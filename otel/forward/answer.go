package forward

import (
	logspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Answer is the export response, in protobuf, that says how many items of a
// request were rejected: where any were, a partial success, after which OTLP
// has the sender not try again.
func Answer(s Signal, rejected int) []byte {
	const full = "the server's queue of telemetry is full"
	var answer proto.Message
	switch n := int64(rejected); {
	case n == 0:
		return nil // the empty response is no bytes
	case s == Traces:
		answer = &tracepb.ExportTraceServiceResponse{PartialSuccess: &tracepb.ExportTracePartialSuccess{RejectedSpans: n, ErrorMessage: full}}
	case s == Metrics:
		answer = &metricspb.ExportMetricsServiceResponse{PartialSuccess: &metricspb.ExportMetricsPartialSuccess{RejectedDataPoints: n, ErrorMessage: full}}
	default:
		answer = &logspb.ExportLogsServiceResponse{PartialSuccess: &logspb.ExportLogsPartialSuccess{RejectedLogRecords: n, ErrorMessage: full}}
	}
	raw, err := proto.Marshal(answer)
	if err != nil {
		panic(err) // a number and a text always encode
	}
	return raw
}
