package meter

import (
	"maps"
	"slices"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// mostValues is how many values of a label that users choose are kept apart:
// the first that come.
const mostValues = 100

// few bounds the values of a label. The zero few knows none yet.
type few struct {
	mu    sync.RWMutex
	known map[string]bool // guarded by mu
}

// of is the value itself, or [Other].
func (f *few) of(value string) string {
	f.mu.RLock()
	known, full := f.known[value], len(f.known) >= mostValues
	f.mu.RUnlock()
	if known {
		return value
	}
	if full {
		return Other
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.known) >= mostValues && !f.known[value] {
		return Other
	}
	if f.known == nil {
		f.known = make(map[string]bool)
	}
	f.known[value] = true
	return value
}

// all are the values that are kept apart.
func (f *few) all() []string {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return slices.Collect(maps.Keys(f.known))
}

// labels keeps the labels of each series of a metric, since making them costs
// more than counting does. The values in K are few.
type labels[K comparable] struct {
	of func(K) []attribute.KeyValue // an empty value is left out

	mu   sync.RWMutex
	made map[K]option // guarded by mu
}

// An option is labels as instruments take them.
type option struct {
	add    []metric.AddOption
	record []metric.RecordOption
}

func newLabels[K comparable](of func(K) []attribute.KeyValue) *labels[K] {
	return &labels[K]{of: of, made: make(map[K]option)}
}

func (l *labels[K]) get(k K) option {
	l.mu.RLock()
	o, ok := l.made[k]
	l.mu.RUnlock()
	if ok {
		return o
	}
	var all []attribute.KeyValue
	for _, kv := range l.of(k) {
		if kv.Value.AsString() != "" {
			all = append(all, kv)
		}
	}
	set := metric.WithAttributeSet(attribute.NewSet(all...))
	o = option{add: []metric.AddOption{set}, record: []metric.RecordOption{set}}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made[k] = o
	return o
}

// one is the labels of a metric that has a single one.
func one(key attribute.Key) *labels[string] {
	return newLabels(func(value string) []attribute.KeyValue { return []attribute.KeyValue{key.String(value)} })
}
