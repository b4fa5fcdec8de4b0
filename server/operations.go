package server

import (
	"context"
	"net/http"
	"time"

	"github.com/pullrun/pullrun/api"
)

func (s *Server) listQueues(w http.ResponseWriter, r *http.Request) error {
	queues, err := s.store.Queues(r.Context(), s.store.Now())
	if err != nil {
		return err
	}
	out := api.QueueList{Queues: make([]api.QueueStats, len(queues))}
	for i, q := range queues {
		out.Queues[i] = viewQueue(q)
	}
	return reply(w, http.StatusOK, out)
}

func (s *Server) getQueue(w http.ResponseWriter, r *http.Request) error {
	queue, err := name(r, "queue")
	if err != nil {
		return err
	}
	q, err := s.store.Queue(r.Context(), s.store.Now(), queue)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, viewQueue(q))
}

// readyTimeout is how long the database may take to show that it is there.
const readyTimeout = 2 * time.Second

type health struct {
	Status  string `json:"status"`
	Version string `json:"version"`
}

func (s *Server) livez(w http.ResponseWriter, _ *http.Request) error {
	return reply(w, http.StatusOK, health{"ok", s.cfg().Version})
}

func (s *Server) readyz(w http.ResponseWriter, r *http.Request) error {
	if err := s.store.Err(); err != nil {
		return api.Errorf(api.CodeUnavailable, "the store takes no writes: %w", err)
	}
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := s.store.Ping(ctx); err != nil {
		s.log.WarnContext(r.Context(), "database does not answer", "err", err)
		return api.Errorf(api.CodeUnavailable, "the database does not answer")
	}
	return reply(w, http.StatusOK, health{"ok", s.cfg().Version})
}

func (s *Server) openapi(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/yaml")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(s.cfg().OpenAPI) // the caller has gone
	return nil
}
