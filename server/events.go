package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/server/store"
)

const (
	eventsInPage = 256
	// keepAlive is how often a silent stream sends a comment, so that nothing
	// on the way takes it for dead.
	keepAlive = 15 * time.Second
)

// runEvents streams a run's history as server-sent events until it has ended.
func (s *Server) runEvents(w http.ResponseWriter, r *http.Request) error {
	id, err := cookie(r)
	if err != nil {
		return err
	}
	after, err := number(r.Header.Get("Last-Event-ID"), 0, 0, 1<<62)
	if err != nil {
		return api.Errorf(api.CodeInvalidRequest, "Last-Event-ID: %w", err)
	}
	changes, leave := s.hub.watch(id)
	defer leave()
	if _, err := s.store.Get(r.Context(), id); err != nil {
		return err // while the answer can still be a problem
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	stream := &stream{Server: s, w: w, cookie: id, after: after}
	idle := time.NewTicker(keepAlive)
	defer idle.Stop()
	for s.tokens.still(r.Context(), caller(r)) == nil {
		ended, err := stream.catchUp(r.Context())
		if err != nil || ended {
			return nil // the reader goes on where it was, or is through
		}
		select {
		case <-changes:
		case <-idle.C:
			stream.send(": still here\n\n")
		case <-s.ending:
			return nil
		case <-r.Context().Done():
			return nil
		}
	}
	return nil // it was revoked, and the reader is told so when it comes again
}

// A stream is one reader of one run's history.
type stream struct {
	*Server
	w      http.ResponseWriter
	cookie string
	after  int64       // number of the last event that was sent
	state  store.State // that was sent last
	told   bool        // a state has been sent
}

// catchUp sends what has happened since the last time, and reports whether
// the run has ended.
func (s *stream) catchUp(ctx context.Context) (ended bool, err error) {
	run, err := s.store.Get(ctx, s.cookie)
	if err != nil {
		return false, err
	}
	for {
		events, err := s.store.Events(ctx, s.cookie, s.after, eventsInPage)
		if err != nil {
			return false, err
		}
		for _, e := range events {
			s.event(strconv.FormatInt(e.N, 10), e.Kind, api.Event{N: e.N, At: e.At, Kind: e.Kind, Data: e.Data})
			s.after = e.N
		}
		if len(events) < eventsInPage {
			break
		}
	}
	if !s.told || run.State != s.state {
		s.told, s.state = true, run.State
		s.event("", api.EventState, s.viewRun(run))
	}
	return run.State.Terminal(), ctx.Err()
}

func (s *stream) event(id, kind string, data any) {
	raw, err := json.Marshal(data)
	if err != nil {
		return // the worker's data was not JSON; nobody can read it
	}
	if id != "" {
		id = "id: " + id + "\n"
	}
	s.send(fmt.Sprintf("%sevent: %s\ndata: %s\n\n", id, kind, raw))
}

func (s *stream) send(text string) {
	extend(s.w, 0)
	_, _ = s.w.Write([]byte(text)) // a reader that has gone ends its request
	_ = http.NewResponseController(s.w).Flush()
}
