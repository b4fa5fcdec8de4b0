package server

import (
	"net/http"
	"slices"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/server/store"
)

// postEvents takes what a worker's runs logged and where they are. Posts are
// recorded one after the other, so that however many workers have much to say,
// what moves runs waits for one of them at most.
func (s *Server) postEvents(w http.ResponseWriter, r *http.Request) error {
	worker, err := name(r, "id")
	if err != nil {
		return err
	}
	var in api.Events
	if err := s.read(w, r, s.cfg().MaxBody, &in); err != nil {
		return err
	}
	select {
	case s.recording <- struct{}{}:
		defer func() { <-s.recording }()
	case <-r.Context().Done():
		return r.Context().Err()
	}
	var lines, progress []store.Event
	var cookies []string
	for _, e := range in.Events {
		if s.another(e.Store) {
			continue
		}
		event := store.Event{Cookie: e.Cookie, Fence: e.Fence, No: e.N, At: e.At, Kind: e.Kind, Data: e.Data}
		if e.Kind == api.EventProgress {
			progress = append(progress, event)
		} else {
			lines = append(lines, event)
		}
		cookies = append(cookies, e.Cookie)
	}
	if len(lines) > 0 {
		appended, err := s.store.AppendEvents(r.Context(), s.store.Now(), worker, lines)
		if err != nil {
			return err
		}
		s.meter.LinesDropped(appended.Trimmed)
	}
	if len(progress) > 0 {
		if err := s.store.Advance(r.Context(), s.store.Now(), worker, progress); err != nil {
			return err
		}
	}
	slices.Sort(cookies)
	for _, cookie := range slices.Compact(cookies) {
		s.changed(cookie)
	}
	return reply(w, http.StatusAccepted, api.EventsTaken{Watched: s.attended(progress)})
}

// attended gives the runs that somebody is looking at.
func (s *Server) attended(progress []store.Event) []string {
	watched := []string{}
	now := time.Now()
	for _, e := range progress {
		if s.hub.attended(e.Cookie, now) {
			watched = append(watched, e.Cookie)
		}
	}
	return watched
}
