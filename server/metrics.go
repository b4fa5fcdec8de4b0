package server

import (
	"context"
	"net/http"

	"github.com/pullrun/pullrun/api"
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

// reading is what a scrape shows. It counts the runs that have not ended.
func (s *Server) reading(ctx context.Context) (meter.Server, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout/2)
	defer cancel()
	queues, err := s.store.Queues(ctx, s.store.Now())
	if err != nil {
		return meter.Server{}, err
	}
	out := meter.Server{Parked: s.hub.waiting()}
	for _, q := range queues {
		out.Queues = append(out.Queues, meter.Queue{
			Name: q.Name, Queued: q.Queued, Blocked: q.Blocked, Scheduled: q.Scheduled, Leased: q.Leased, Oldest: q.Oldest,
		})
	}
	return out, nil
}

// count measures a move.
func (s *Server) count(m *store.Moved) {
	if m.Attempt != nil && m.Attempt.Outcome == store.Expired {
		s.meter.LeaseExpired(context.Background(), m.Run.Queue)
	}
	if r := &m.Run; m.To == store.Cancelled && m.From.Leased() && !r.CancelToldAt.IsZero() {
		s.meter.Cancelled(context.Background(), meter.CancelDelivered, r.CancelToldAt.Sub(r.CancelAt))
		s.meter.Cancelled(context.Background(), meter.CancelStopped, r.FinishedAt.Sub(r.CancelAt))
	}
}
