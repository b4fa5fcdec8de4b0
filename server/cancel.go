package server

import (
	"cmp"
	"context"
	"net/http"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/server/store"
)

func (s *Server) cancelRun(w http.ResponseWriter, r *http.Request) error {
	id, err := cookie(r)
	if err != nil {
		return err
	}
	var in api.Cancel
	if r.ContentLength != 0 {
		if err := s.read(w, r, s.cfg().MaxBody, &in); err != nil {
			return err
		}
	}
	run, late, err := s.beginCancel(r, id, in.Reason)()
	switch {
	case err != nil:
		return err
	case late:
		if run, err = s.store.Get(r.Context(), id); err != nil { // with its result
			return err
		}
		view, err := s.viewWhole(r.Context(), run)
		if err != nil {
			return err
		}
		return reply(w, http.StatusOK, view)
	case run.State.Terminal():
		return reply(w, http.StatusOK, s.viewRun(run))
	}
	return reply(w, http.StatusAccepted, s.viewRun(run))
}

// beginCancel gives a cancellation its turn and returns what waits for its answer,
// which is late when the run had ended before.
func (s *Server) beginCancel(r *http.Request, cookie, reason string) func() (run store.Run, late bool, _ error) {
	answer := s.store.BeginCancel(r.Context(), s.store.Now(), cookie, caller(r).Name, reason)
	return func() (store.Run, bool, error) {
		run, moved, err := answer()
		if err != nil {
			return run, false, err
		}
		s.moved(moved)
		if run.State.Terminal() && len(moved) == 0 {
			return run, true, nil
		}
		s.log.InfoContext(r.Context(), "run is to be cancelled", "cookie", cookie, "by", caller(r).Name, "reason", cmp.Or(reason, "none is given"))
		return run, false, nil
	}
}

func (s *Server) cancelRuns(w http.ResponseWriter, r *http.Request) error {
	var in api.CancelRuns
	if err := s.read(w, r, s.cfg().MaxBody, &in); err != nil {
		return err
	}
	f := filter(in.Selection)
	f.Wanted = true
	runs, next, err := selected(r.Context(), s.store, f, in.States, in.Selection)
	if err != nil {
		return err
	}
	// None waits for the one before it, so that they are committed together. The
	// newest go first, so that the slot of a concurrency key that an older one has
	// is not given to one that is about to go as well.
	answers := make([]func() (store.Run, bool, error), len(runs))
	for i := range runs {
		if !in.DryRun {
			answers[i] = s.beginCancel(r, runs[i].Cookie, in.Reason)
		}
	}
	out := api.CancelRunsResult{Cancelled: make([]api.Cancelled, len(runs)), Next: next}
	for i, run := range runs {
		one := &out.Cancelled[i]
		if answers[i] != nil {
			if after, _, err := answers[i](); err != nil {
				one.Problem = s.problem(r, err)
			} else {
				run = after
			}
		}
		one.Cookie, one.State = run.Cookie, api.State(run.State.String())
	}
	return reply(w, http.StatusOK, out)
}

// filter selects runs as a call that is about many of them does.
func filter(in api.Selection) store.Filter {
	return store.Filter{Pipeline: in.Pipeline, Queue: in.Queue, Worker: in.Worker, Submitter: in.Submitter,
		Since: in.Since, Until: in.Until, Tags: in.Tags}
}

// selected lists the newest runs that a call is about, and the cursor of the older
// ones.
func selected[S ~string](ctx context.Context, from *store.Store, f store.Filter, states []S, in api.Selection) (_ []store.Run, next string, _ error) {
	for _, name := range states {
		state, err := store.ParseState(string(name))
		if err != nil {
			return nil, "", err
		}
		f.States = append(f.States, state)
	}
	return page(ctx, from, f, in.Cursor, cmp.Or(in.Limit, defaultListed))
}
