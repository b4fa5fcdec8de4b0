package server

import (
	"context"
	"sync"
	"time"

	"github.com/pullrun/pullrun/api"
)

// exportsAfter is for how long a worker may export that had a session here. Its
// last spans come when it has left, and those of an outage before it has
// registered again.
const exportsAfter = 5 * time.Minute

// maxExporters bounds the workers that are remembered.
const maxExporters = 20_000

// exporters are the workers that are known to have had a session.
type exporters struct {
	mu   sync.Mutex
	seen map[string]time.Time // guarded by mu
}

func (e *exporters) note(worker string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.seen == nil || len(e.seen) >= maxExporters { // they are found in the store again
		e.seen = make(map[string]time.Time)
	}
	e.seen[worker] = time.Now()
}

func (e *exporters) has(worker string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return time.Since(e.seen[worker]) < exportsAfter
}

// errNoExporter is one after which OTLP has the sender try again.
var errNoExporter = api.Errorf(api.CodeUnavailable, "no worker of this name has a session: register first")

// mayExport returns an error if the token is good for any worker and none of the
// name is there: else its owner could make up as many as a collector can bear.
func (s *Server) mayExport(ctx context.Context, who Token, worker string) error {
	if who.worker() == worker || s.exporters.has(worker) {
		return nil
	}
	live, err := s.store.HasSession(ctx, s.store.Now(), worker)
	if err != nil {
		return err
	}
	if !live {
		return errNoExporter
	}
	s.exporters.note(worker)
	return nil
}
