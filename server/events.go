package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/server/store"
)

const (
	eventsInPage = 256
	// keepAlive is how often a silent stream sends a comment, so that nothing
	// on the way takes it for dead.
	keepAlive = 15 * time.Second
	// lastLines is how long a stream waits for lines that a run's worker has
	// said are on their way when the run has ended.
	lastLines = 3 * time.Second
)

// runEvents answers with a run's history: as a stream until it has ended, or as
// one page of it.
func (s *Server) runEvents(w http.ResponseWriter, r *http.Request) error {
	id, err := cookie(r)
	if err != nil {
		return err
	}
	kinds := r.URL.Query()["kind"]
	for _, kind := range kinds {
		if !api.ValidName(kind) {
			return api.Errorf(api.CodeInvalidRequest, "kind: %q is not a kind of event", kind)
		}
	}
	after, err := s.eventsAfter(r, id)
	if err != nil {
		return err
	}
	if wantsJSON(r.Header.Get("Accept")) {
		return s.eventPage(w, r, id, after)
	}
	return s.eventStream(w, r, &stream{Server: s, w: w, cookie: id, after: after, kinds: kinds})
}

// eventsAfter is the number after which a reader wants events.
func (s *Server) eventsAfter(r *http.Request, cookie string) (int64, error) {
	q := r.URL.Query()
	name, text := "Last-Event-ID", r.Header.Get("Last-Event-ID")
	if text == "" {
		name, text = "after", q.Get("after")
	}
	after, err := number(text, 0, 0, 1<<62)
	if err != nil {
		return 0, api.Errorf(api.CodeInvalidRequest, "%s: %w", name, err)
	}
	if !q.Has("tail") || text != "" {
		return after, nil
	}
	tail, err := number(q.Get("tail"), 0, 0, api.MaxEventsListed)
	if err != nil {
		return 0, api.Errorf(api.CodeInvalidRequest, "tail: %w", err)
	}
	return s.store.BeforeLast(r.Context(), cookie, int(tail))
}

// wantsJSON reports whether a reader takes a page and no stream.
func wantsJSON(accept string) bool {
	return strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/event-stream")
}

func (s *Server) eventPage(w http.ResponseWriter, r *http.Request, cookie string, after int64) error {
	limit, err := number(r.URL.Query().Get("limit"), api.MaxEventsListed, 1, api.MaxEventsListed)
	if err != nil {
		return api.Errorf(api.CodeInvalidRequest, "limit: %w", err)
	}
	run, err := s.store.Get(r.Context(), cookie) // before its events, so that one that has ended has them all
	if err != nil {
		return err
	}
	events, err := s.store.Events(r.Context(), cookie, after, int(limit))
	if err != nil {
		return err
	}
	out := api.EventList{Events: make([]api.Event, len(events)), Next: after, State: api.State(run.State.String())}
	for i, e := range events {
		out.Events[i] = viewEvent(e, out.Next)
		out.Next = e.N
	}
	nameTrace(w, &run)
	return reply(w, http.StatusOK, out)
}

func viewEvent(e store.Event, before int64) api.Event {
	return api.Event{N: e.N, At: e.At, Kind: e.Kind, Dropped: e.Missing(before), Data: e.Data}
}

// eventStream streams a run's history as server-sent events until it has ended.
func (s *Server) eventStream(w http.ResponseWriter, r *http.Request, stream *stream) error {
	leaveReaders, err := s.admit(r)
	if err != nil {
		return err
	}
	defer leaveReaders()
	id := stream.cookie
	changes, leave := s.hub.watch(id)
	defer leave()
	run, err := s.store.Get(r.Context(), id)
	if err != nil {
		return err // while the answer can still be a problem
	}
	nameTrace(w, &run)
	if stream.wants(api.EventProgress) {
		defer s.attend(id)()
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy that gathers what it passes on would hold events back
	w.WriteHeader(http.StatusOK)
	idle := time.NewTicker(keepAlive)
	defer idle.Stop()
	var over <-chan time.Time
	for s.tokens.still(r.Context(), caller(r)) == nil {
		switch end, err := stream.catchUp(r.Context()); {
		case err != nil || end == complete:
			return nil // the reader goes on where it was, or is through
		case end == linesMissing && over == nil:
			over = time.After(lastLines)
		}
		select {
		case <-changes:
		case <-over:
			return nil
		case <-idle.C:
			stream.send(": still here\n\n")
			if stream.wants(api.EventProgress) {
				s.store.Publish(store.Signal{Kind: store.RunWatched, Name: id})
			}
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
	w        http.ResponseWriter
	cookie   string
	kinds    []string    // that are wanted; nil is all
	after    int64       // number of the last event that was sent
	state    store.State // that was sent last
	told     bool        // a state has been sent
	progress int64       // number of the progress that was sent last
}

func (s *stream) wants(kind string) bool {
	return s.kinds == nil || slices.Contains(s.kinds, kind)
}

// wantsLines reports whether any numbered event is wanted.
func (s *stream) wantsLines() bool {
	return s.kinds == nil || slices.ContainsFunc(s.kinds, func(kind string) bool {
		return kind != api.EventState && kind != api.EventProgress
	})
}

// An ending is how far a stream has come.
type ending int

const (
	goesOn       ending = iota
	linesMissing        // the run has ended, and lines of it are on their way
	complete
)

// catchUp sends what has happened since the last time.
func (s *stream) catchUp(ctx context.Context) (ending, error) {
	run, err := s.store.Get(ctx, s.cookie)
	if err != nil {
		return goesOn, err
	}
	if s.wantsLines() {
		err = s.lines(ctx)
	}
	var activity store.Activity
	if err == nil && (s.wantsLines() || s.wants(api.EventProgress)) {
		activity, err = s.store.Activity(ctx, s.cookie)
	}
	if err != nil {
		return goesOn, err
	}
	if !s.told || run.State != s.state {
		s.told, s.state = true, run.State
		s.event("", api.EventState, s.viewRun(run))
	}
	if p := viewProgress(&run, activity); p != nil && activity.N > s.progress && s.wants(api.EventProgress) {
		s.progress = activity.N
		s.event("", api.EventProgress, p)
	}
	switch {
	case !run.State.Terminal():
		return goesOn, ctx.Err()
	case s.after < activity.Last && s.wantsLines():
		return linesMissing, ctx.Err()
	}
	return complete, nil
}

// lines sends the numbered events.
func (s *stream) lines(ctx context.Context) error {
	for {
		events, err := s.store.Events(ctx, s.cookie, s.after, eventsInPage)
		if err != nil {
			return err
		}
		for _, e := range events {
			if s.wants(e.Kind) {
				s.event(strconv.FormatInt(e.N, 10), e.Kind, viewEvent(e, s.after))
			}
			s.after = e.N
		}
		if len(events) < eventsInPage {
			return nil
		}
	}
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
