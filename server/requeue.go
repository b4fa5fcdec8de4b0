package server

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/otel/span"
	"github.com/pullrun/pullrun/server/store"
)

func (s *Server) requeueRun(w http.ResponseWriter, r *http.Request) error {
	id, err := cookie(r)
	if err != nil {
		return err
	}
	old, err := s.store.Get(r.Context(), id)
	if err != nil {
		return err
	}
	run, created, err := s.requeue(r, &old)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/v1/runs/"+run.Cookie)
	if created {
		return reply(w, http.StatusCreated, s.viewRun(run))
	}
	if run, err = s.store.Get(r.Context(), run.Cookie); err != nil { // with its result
		return err
	}
	return reply(w, http.StatusOK, s.viewRun(run))
}

// requeue makes a new run of one that has ended, in the trace of the request.
func (s *Server) requeue(r *http.Request, old *store.Run) (store.Run, bool, error) {
	cookie := store.RequeuedCookie(old.Cookie)
	ctx, sent := span.Send(r.Context(), span.Run{Cookie: cookie, Pipeline: old.Pipeline, Queue: old.Queue}, len(old.Variables))
	trace := store.Trace{Send: spanContext(span.Inject(ctx).OrNew()), Request: spanContext(span.Inject(r.Context()))}
	out, created, err := s.store.Requeue(r.Context(), s.store.Now(), old.Cookie, caller(r).Name, trace)
	s.moved(out.Moved)
	switch {
	case errors.Is(err, store.ErrNotRequeueable):
		return out.Run, false, api.Errorf(api.CodeNotRequeueable, "run %q is %v: only a run that has ended without success can be requeued", old.Cookie, old.State)
	case errors.Is(err, store.ErrCookieCollision):
		return out.Run, false, api.Errorf(api.CodeCookieCollision, "run %q, as which %q would be requeued, is another run", cookie, old.Cookie)
	case errors.Is(err, store.ErrNoSlot):
		return out.Run, false, api.Errorf(api.CodeConcurrencyLimit, "no slot of concurrency key %q is free, of %d", old.Concurrency.Key, old.Concurrency.Limit)
	case err != nil || !created:
		return out.Run, false, err
	}
	sent()
	s.meter.Accepted(out.Queue)
	s.log.InfoContext(r.Context(), "run is requeued", "cookie", out.Cookie, "requeued_from", old.Cookie, "by", caller(r).Name)
	if out.State == store.Queued && !out.Blocked {
		s.hub.queued(&news{run: &out.Run})
	}
	return out.Run, true, nil
}

func (s *Server) requeueRuns(w http.ResponseWriter, r *http.Request) error {
	var in api.Requeue
	if err := s.read(w, r, s.cfg().MaxBody, &in); err != nil {
		return err
	}
	until := s.store.Now().Truncate(time.Millisecond) // as the store keeps times
	if !in.Until.IsZero() && in.Until.Before(until) {
		until = in.Until
	}
	f := filter(in.Selection)
	f.Latest = true
	old, next, err := selected(r.Context(), s.store, f, in.States, in.Selection)
	if err != nil {
		return err
	}
	slices.Reverse(old) // the oldest are run first
	out := api.RequeueResult{Requeued: []api.Requeued{}, Next: next, Until: until.UTC()}
	for i := range old {
		one := api.Requeued{From: old[i].Cookie, Cookie: store.RequeuedCookie(old[i].Cookie)}
		if !in.DryRun {
			if _, _, err := s.requeue(r, &old[i]); err != nil {
				one.Problem = s.problem(r, err)
			}
			extend(w, 0) // each takes its time
		}
		out.Requeued = append(out.Requeued, one)
	}
	return reply(w, http.StatusOK, out)
}
