package server

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/otel/forward"
	"github.com/pullrun/pullrun/otel/meter"
	"github.com/pullrun/pullrun/server/store"
)

// metrics answers a scrape.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request) error {
	if s.cfg().Metrics == nil {
		return api.Errorf(api.CodeNotFound, "this server has no metrics")
	}
	s.cfg().Metrics.ServeHTTP(w, r)
	return nil
}

// countEvery is how often the runs that have not ended are counted, however many
// ask for the metrics.
const countEvery = 5 * time.Second

// counted are the queues as they were counted last.
type counted struct {
	mu     sync.Mutex // held while they are counted, so that all who ask share it
	at     time.Time  // guarded by mu, as is what follows
	queues []store.Queue
	routes int
}

func (c *counted) get(ctx context.Context, st *store.Store) (queues []store.Queue, routes int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.at.IsZero() && time.Since(c.at) < countEvery {
		return c.queues, c.routes, nil
	}
	if queues, err = st.Queues(ctx, st.Now()); err == nil {
		routes, err = st.LiveRoutes(ctx)
	}
	if err == nil {
		c.at, c.queues, c.routes = time.Now(), queues, routes
	}
	return queues, routes, err
}

// reading is what a scrape shows.
func (s *Server) reading(ctx context.Context) (meter.Server, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout/2)
	defer cancel()
	queues, routes, err := s.counted.get(ctx, s.store)
	if err != nil {
		return meter.Server{}, err
	}
	out := meter.Server{Parked: s.hub.waiting(), Readers: s.admitted.count(), Full: s.store.Full(), Routes: routes, Dropped: make(map[string]int64)}
	for _, signal := range forward.Signals {
		out.Dropped[string(signal)] = s.cfg().Forwarder.Dropped(signal)
	}
	for _, q := range queues {
		out.Queues = append(out.Queues, meter.Queue{
			Name: q.Name, Queued: q.Queued, Blocked: q.Blocked, Scheduled: q.Scheduled, Leased: q.Leased, Oldest: q.Oldest,
		})
	}
	return out, nil
}

// count measures a move.
func (s *Server) count(m *store.Moved) {
	r := &m.Run
	if m.From == store.Offered && m.To == store.Running {
		s.meter.TakenUp(r.Queue, r.OfferedAt.Sub(r.QueuedAt))
	}
	if a := m.Attempt; a != nil {
		if m.From == store.Offered { // it was taken up and ended in one move
			s.meter.TakenUp(r.Queue, a.OfferedAt.Sub(a.QueuedAt))
		}
		if a.Outcome == store.Expired {
			s.meter.LeaseExpired(r.Queue)
		}
	}
	switch {
	case m.To.Terminal():
		s.countEnd(m)
	case m.From.Leased() && !m.To.Leased():
		s.meter.CameBack(r.Queue, cameBack(m.Attempt))
	}
}

func (s *Server) countEnd(m *store.Moved) {
	r, o := &m.Run, outcome(&m.Run)
	end := meter.End{Pipeline: r.Pipeline, Result: string(o.Result), Error: o.Type}
	var ran time.Duration
	if m.Attempt != nil {
		ran = r.FinishedAt.Sub(m.Attempt.OfferedAt)
	}
	s.meter.Ended(r.Queue, end, ran)
	if r.State == store.Dead {
		s.meter.Dead(r.Queue)
	}
	if r.State == store.Cancelled && m.From.Leased() && !r.CancelToldAt.IsZero() {
		s.meter.Cancelled(meter.CancelDelivered, r.CancelToldAt.Sub(r.CancelAt))
		s.meter.Cancelled(meter.CancelStopped, r.FinishedAt.Sub(r.CancelAt))
	}
}

// cameBack is why a run goes back to its queue. An offer that nobody took up is
// no attempt.
func cameBack(a *store.Attempt) string {
	switch {
	case a == nil:
		return meter.ReturnLapsed
	case a.Outcome == store.Settled:
		return meter.ReturnRetry
	}
	return string(a.Outcome)
}
