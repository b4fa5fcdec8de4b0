package server

import (
	"net/http"

	"github.com/pullrun/pullrun/api"
)

func (s *Server) listQueues(w http.ResponseWriter, r *http.Request) error {
	queues, err := s.store.Queues(r.Context(), s.store.Now())
	if err != nil {
		return err
	}
	out := api.QueueList{Queues: []api.QueueStats{}}
	for _, q := range queues {
		if q.Demand+q.Blocked+q.Scheduled > 0 { // the store has those of the past too
			out.Queues = append(out.Queues, viewQueue(q))
		}
	}
	return reply(w, http.StatusOK, out)
}

func (s *Server) getQueue(w http.ResponseWriter, r *http.Request) error {
	queue, err := name(r, "queue")
	if err != nil {
		return err
	}
	queues, err := s.store.Queues(r.Context(), s.store.Now())
	if err != nil {
		return err
	}
	for _, q := range queues {
		if q.Name == queue {
			return reply(w, http.StatusOK, viewQueue(q))
		}
	}
	return reply(w, http.StatusOK, api.QueueStats{Queue: queue})
}

type health struct {
	Status  string `json:"status"`
	Version string `json:"version"`
}

func (s *Server) livez(w http.ResponseWriter, _ *http.Request) error {
	return reply(w, http.StatusOK, health{"ok", s.cfg.Version})
}

func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) error {
	if err := s.store.Err(); err != nil {
		return api.Errorf(api.CodeUnavailable, "the store takes no writes: %w", err)
	}
	return reply(w, http.StatusOK, health{"ok", s.cfg.Version})
}

func (s *Server) openapi(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/yaml")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(s.cfg.OpenAPI) // the caller has gone
	return nil
}
