package server

import (
	"net/http"
	"time"

	"github.com/pullrun/pullrun/api"
)

// maxPings is how many pings may wait at the same time.
const maxPings = 64

// ping tells a caller who it is, after the silence that it asks for.
func (s *Server) ping(w http.ResponseWriter, r *http.Request) error {
	wait, err := preferredWait(r, api.MaxPingSeconds)
	if err != nil {
		return err
	}
	who := caller(r)
	out := api.Ping{Version: s.cfg().Version, Token: who.Name, Scopes: append([]Scope{}, who.Scopes...), Worker: who.worker(), Full: s.store.Full()}
	if wait <= 0 {
		return reply(w, http.StatusOK, out)
	}
	defer s.pings.Add(-1)
	if s.pings.Add(1) > maxPings {
		return api.Errorf(api.CodeTooManyRequests, "%d pings wait here, which is this server's limit", maxPings)
	}
	applied(w, wait)
	over := time.NewTimer(wait)
	defer over.Stop()
	select {
	case <-over.C:
	case <-s.ending:
		return api.Errorf(api.CodeUnavailable, "the server is ending: try again")
	case <-r.Context().Done():
		return r.Context().Err()
	}
	return reply(w, http.StatusOK, out)
}
