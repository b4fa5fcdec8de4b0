package otel

import (
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/pullrun/pullrun/otel/meter"
	"github.com/pullrun/pullrun/otel/span"
)

// counted is a processor that drops, and counts, what the next one would drop
// without a word: what ends while as many spans wait as have room in its queue.
type counted struct {
	sdktrace.SpanProcessor
	exporter *exporter
}

func (c counted) OnEnd(s sdktrace.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return
	}
	e := c.exporter
	if e.waiting.Add(1) > int64(e.room) {
		e.waiting.Add(-1)
		e.meter.Dropped(1, meter.QueueFull)
		return
	}
	c.SpanProcessor.OnEnd(s)
}

// queueSize is how many spans may wait: as many as the SDK has it, and what may
// come at once.
func queueSize(bursts bool) int {
	room := sdktrace.DefaultMaxQueueSize
	if bursts {
		room += span.MostKept
	}
	return positive("OTEL_BSP_MAX_QUEUE_SIZE", room)
}
