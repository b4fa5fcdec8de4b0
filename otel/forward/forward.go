// Package forward sends on to a collector what workers export through their
// server, so that one hole in the firewall is enough.
//
// What comes in is decoded, stamped with who sent it, and put into a bounded
// queue; a goroutine per signal takes it from there to the collector. Nobody
// waits for the collector: when it is slow or gone the queue fills, and what
// finds no room is dropped and counted. The sender is told in the way OTLP
// has for it, a partial success, which is not tried again.
//
// The collector is the one that the standard OTEL_EXPORTER_OTLP_* variables of
// this process name.
package forward

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// A Signal is one of the three kinds of telemetry.
type Signal string

// The signals, as they stand in the paths of OTLP/HTTP.
const (
	Traces  Signal = "traces"
	Metrics Signal = "metrics"
	Logs    Signal = "logs"
)

// Signals are all of them.
var Signals = []Signal{Traces, Metrics, Logs}

const (
	// DefaultQueue is how many bytes of a signal may wait for the collector.
	DefaultQueue = 16 << 20

	// FlushTimeout is how long [Forwarder.Run] goes on when it is told to stop
	// while something waits.
	FlushTimeout = 3 * time.Second
)

// A Forwarder takes what others export. Its methods may be called
// concurrently. A nil Forwarder forwards nothing.
type Forwarder struct {
	lanes map[Signal]*lane
	close func()
}

// FromEnv makes a Forwarder for the signals that the environment names a
// collector for: OTEL_EXPORTER_OTLP_ENDPOINT for traces, since most collectors
// of one signal are for those, and for metrics and logs where
// OTEL_METRICS_EXPORTER or OTEL_LOGS_EXPORTER is "otlp"; and the variables of
// a signal, such as OTEL_EXPORTER_OTLP_METRICS_ENDPOINT, for that one, also
// where OTEL_METRICS_EXPORTER says that this process is scraped, "prometheus".
// It forwards nothing where the environment names none, and where
// OTEL_SDK_DISABLED is "true". A queue of zero bytes stands for
// [DefaultQueue]. It sends nothing before Run.
func FromEnv(queue int, log *slog.Logger) (*Forwarder, error) {
	if queue == 0 {
		queue = DefaultQueue
	}
	f := &Forwarder{lanes: make(map[Signal]*lane), close: func() {}}
	var transports []*http.Transport
	for _, signal := range Signals {
		to, err := collectorFromEnv(signal)
		if err != nil {
			return nil, fmt.Errorf("forward %s: %w", signal, err)
		}
		if to == nil {
			continue
		}
		transports = append(transports, to.transport)
		f.lanes[signal] = newLane(to, queue, log.With("component", "forward", "signal", string(signal)))
	}
	f.close = func() {
		for _, t := range transports {
			t.CloseIdleConnections()
		}
	}
	return f, nil
}

// Signals are those that are forwarded, in the order of [Signals].
func (f *Forwarder) Signals() []Signal {
	if f == nil {
		return nil
	}
	var out []Signal
	for _, s := range Signals {
		if f.lanes[s] != nil {
			out = append(out, s)
		}
	}
	return out
}

// Dropped is how many spans, data points and log records of the signal have
// been dropped: for want of room, because the collector refused them, or
// because it was away for too long.
func (f *Forwarder) Dropped(s Signal) int64 {
	if f == nil || f.lanes[s] == nil {
		return 0
	}
	return f.lanes[s].dropped.Load()
}

// Take puts an export request, in protobuf, into the queue, as coming from
// the one that is named. It returns how many of its items found no room, and
// an error that is an [*InvalidError] where the body is none, [ErrTooMany], or
// a [NotForwardedError].
func (f *Forwarder) Take(s Signal, body []byte, from Sender) (rejected int, err error) {
	if f == nil || f.lanes[s] == nil {
		return 0, NotForwardedError{s}
	}
	b, err := stamp(s, body, from)
	if err != nil {
		return 0, err
	}
	return f.lanes[s].put(b), nil
}

// Run sends what is taken until ctx ends, and what is left then for at most
// [FlushTimeout]. It is called once.
func (f *Forwarder) Run(ctx context.Context) {
	if f == nil {
		return
	}
	var lanes sync.WaitGroup
	for _, l := range f.lanes {
		lanes.Go(func() { l.run(ctx) })
	}
	lanes.Wait()
	f.close()
}

// A NotForwardedError says that this process has no collector for a signal.
type NotForwardedError struct{ Signal Signal }

func (e NotForwardedError) Error() string {
	return fmt.Sprintf("%s are not forwarded: the server has no collector for them", e.Signal)
}
