package server

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/otel"
	"github.com/pullrun/pullrun/server/store"
)

func (s *Server) submit(w http.ResponseWriter, r *http.Request) error {
	var in api.Submit
	if err := s.read(w, r, s.cfg().MaxBody, &in); err != nil {
		return err
	}
	key, err := idempotencyKey(r)
	if err != nil {
		return err
	}
	wait, err := preferredWait(r, api.MaxWaitSeconds)
	if err != nil {
		return err
	}
	var end <-chan *store.Run
	if wait > 0 && in.Cookie != "" { // before it can end, so that it need not be looked for
		var leave func()
		end, leave = s.hub.watchEnd(in.Cookie)
		defer leave()
	}
	run, created, err := s.accept(r, in, key)
	switch {
	case err != nil:
	case wait > 0 && run.Cookie == in.Cookie:
		run, err = s.await(w, r, run, end, wait)
	case wait > 0:
		run, err = s.find(w, r, run.Cookie, wait)
	}
	if api.CodeOf(err) == api.CodeTooManyRequests && run.Cookie != "" {
		err = nil // it is accepted; that it be waited for is a preference
	}
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/v1/runs/"+run.Cookie)
	if created {
		return reply(w, http.StatusCreated, s.viewRun(run))
	}
	return reply(w, http.StatusOK, s.viewRun(run))
}

// idempotencyKey reads what a submit without a cookie is known by. It is taken
// as it is sent: one in quotes, as drafts of the header have it, is another.
func idempotencyKey(r *http.Request) (string, error) {
	key := r.Header.Get("Idempotency-Key")
	switch {
	case len(key) > api.MaxCookieBytes:
		return "", api.Errorf(api.CodeInvalidRequest, "Idempotency-Key: is longer than %d bytes", api.MaxCookieBytes)
	case strings.ContainsFunc(key, func(c rune) bool { return c < ' ' || c > '~' }):
		return "", api.Errorf(api.CodeInvalidRequest, "Idempotency-Key: %q may hold only printable ASCII", key)
	}
	return key, nil
}

func (s *Server) submitBatch(w http.ResponseWriter, r *http.Request) error {
	var in api.Submits
	if err := s.read(w, r, s.cfg().MaxBody, &in); err != nil {
		return err
	}
	// The submits go to the store in their order, and none waits there for the
	// one before it, so that they are committed together.
	out := make([]api.SubmitResult, len(in.Runs))
	var submits sync.WaitGroup
	for i := range in.Runs {
		one, err := in.Submit(i)
		if err != nil {
			out[i].Problem = s.problem(r, err)
			continue
		}
		answer := s.beginAccept(r, one, "")
		submits.Go(func() { out[i] = s.submitted(r, answer) })
	}
	submits.Wait()
	return reply(w, http.StatusOK, api.SubmitBatchResult{Results: out})
}

// submitted waits for the answer to one submit of a batch.
func (s *Server) submitted(r *http.Request, answer func() (store.Run, bool, error)) (out api.SubmitResult) {
	defer func() {
		if p := recover(); p != nil {
			out = api.SubmitResult{Problem: s.problem(r, panicked(p))}
		}
	}()
	run, _, err := answer()
	if err != nil {
		return api.SubmitResult{Problem: s.problem(r, err)}
	}
	view := s.viewRun(run)
	return api.SubmitResult{Run: &view}
}

func (s *Server) getRun(w http.ResponseWriter, r *http.Request) error {
	id, err := cookie(r)
	if err != nil {
		return err
	}
	wait, err := preferredWait(r, api.MaxWaitSeconds)
	if err != nil {
		return err
	}
	run, err := s.find(w, r, id, wait)
	if err != nil {
		return err
	}
	view, err := s.viewWhole(r.Context(), run)
	if err != nil {
		return err
	}
	nameTrace(w, &run)
	return reply(w, http.StatusOK, view)
}

// nameTrace names a run's trace in the answer to a call about it that is in no
// trace itself.
func nameTrace(w http.ResponseWriter, run *store.Run) {
	if id := carrier(run.Trace.Send).TraceID(); id != "" {
		w.Header().Set(otel.TraceIDHeader, id)
	}
}

// viewWhole is viewRun with what has to be looked up.
func (s *Server) viewWhole(ctx context.Context, run store.Run) (api.Run, error) {
	view := s.viewRun(run)
	waiting, err := s.store.Waiting(ctx, s.store.Now(), &run)
	if err != nil {
		return view, err
	}
	view.Waiting = viewWaiting(&run, waiting)
	if run.Fence == 0 {
		return view, nil
	}
	attempts, late, err := s.store.History(ctx, run.Cookie)
	view.Attempts, view.LateResults = viewAttempts(attempts), viewLate(late)
	if err != nil || !run.State.Leased() {
		return view, err
	}
	activity, err := s.store.Activity(ctx, run.Cookie)
	view.Progress = viewProgress(&run, activity)
	return view, err
}

// find reads a run, waiting for its end if there is a wait.
func (s *Server) find(w http.ResponseWriter, r *http.Request, cookie string, wait time.Duration) (store.Run, error) {
	if wait <= 0 {
		return s.store.Get(r.Context(), cookie)
	}
	end, leave := s.hub.watchEnd(cookie)
	defer leave()
	run, err := s.store.Get(r.Context(), cookie)
	if err != nil {
		return run, err
	}
	return s.await(w, r, run, end, wait)
}

// await waits for the end of a run, which end announces. When
// a signal may have been lost it is announced in vain. A run that has not ended
// when the wait is over is returned as it is then. So it is at once, with an
// error, when too many wait.
func (s *Server) await(w http.ResponseWriter, r *http.Request, run store.Run, end <-chan *store.Run, wait time.Duration) (store.Run, error) {
	if !run.State.Terminal() {
		leave, err := s.admit(r)
		if err != nil {
			return run, err
		}
		defer leave()
	}
	applied(w, wait)
	over := time.NewTimer(wait)
	defer over.Stop()
	for !run.State.Terminal() {
		last := false
		select {
		case ended := <-end:
			if ended != nil {
				return *ended, nil
			}
		case <-over.C:
			last = true
		case <-s.ending:
			last = true
		case <-r.Context().Done():
			return run, r.Context().Err()
		}
		var err error
		if run, err = s.store.Get(r.Context(), run.Cookie); err != nil || last {
			return run, err
		}
	}
	return run, nil
}

// applied says for how long an answer waits, and lets it.
func applied(w http.ResponseWriter, wait time.Duration) {
	w.Header().Set("Preference-Applied", "wait="+strconv.Itoa(int(wait/time.Second)))
	extend(w, wait)
}

// preferredWait reads "Prefer: wait=N" (RFC 7240), up to most seconds. Other
// preferences are not ours to honour, and ignored.
func preferredWait(r *http.Request, most int) (time.Duration, error) {
	for _, header := range r.Header.Values("Prefer") {
		for preference := range strings.SplitSeq(header, ",") {
			preference, _, _ = strings.Cut(preference, ";") // what follows are its parameters
			name, value, _ := strings.Cut(preference, "=")
			if !strings.EqualFold(strings.TrimSpace(name), "wait") {
				continue
			}
			seconds, err := strconv.Atoi(strings.Trim(strings.TrimSpace(value), `"`))
			if err != nil || seconds < 0 {
				return 0, api.Errorf(api.CodeInvalidRequest, "Prefer: wait wants whole seconds, got %q", value)
			}
			return time.Duration(min(seconds, most)) * time.Second, nil
		}
	}
	return 0, nil
}

const defaultListed = 50

func (s *Server) listRuns(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	f, err := filterOf(q)
	if err != nil {
		return err
	}
	limit, err := number(q.Get("limit"), defaultListed, 1, api.MaxListed)
	if err != nil {
		return api.Errorf(api.CodeInvalidRequest, "limit: %w", err)
	}
	runs, next, err := page(r.Context(), s.store, f, q.Get("cursor"), int(limit))
	if err != nil {
		return err
	}
	out := api.RunList{Runs: make([]api.Run, len(runs)), Next: next}
	for i, run := range runs {
		out.Runs[i] = s.viewRun(run)
	}
	return reply(w, http.StatusOK, out)
}

// page lists one page of runs, and the cursor of the following one.
func page(ctx context.Context, from *store.Store, f store.Filter, cursor string, limit int) (_ []store.Run, next string, _ error) {
	before, err := number(cursor, 0, 0, 1<<62)
	if err != nil {
		return nil, "", api.Errorf(api.CodeInvalidRequest, "cursor: take it from the page before: %w", err)
	}
	runs, last, err := from.List(ctx, f, before, limit)
	if last > 0 {
		next = strconv.FormatInt(last, 10)
	}
	return runs, next, err
}

// filterOf reads what a query selects runs by.
func filterOf(q url.Values) (store.Filter, error) {
	f := store.Filter{Pipeline: q.Get("pipeline"), Queue: q.Get("queue"), Worker: q.Get("worker"), Submitter: q.Get("submitter")}
	for _, text := range q["state"] {
		state, err := store.ParseState(text)
		if err != nil {
			return f, api.Errorf(api.CodeInvalidRequest, "state: %w", err)
		}
		f.States = append(f.States, state)
	}
	for _, text := range q["tag"] {
		k, v, ok := strings.Cut(text, "=")
		if !ok {
			return f, api.Errorf(api.CodeInvalidRequest, "tag: wants key=value, got %q", text)
		}
		if before, twice := f.Tags[k]; twice && before != v {
			return f, api.Errorf(api.CodeInvalidRequest, "tag: %q has one value in a run, got two", k)
		}
		if f.Tags == nil {
			f.Tags = make(map[string]string)
		}
		f.Tags[k] = v
	}
	if len(f.Tags) > api.MaxLabels {
		return f, api.Errorf(api.CodeInvalidRequest, "tag: may be given %d times, as many as a run has", api.MaxLabels)
	}
	if f.Submitter != "" && !api.ValidName(f.Submitter) {
		return f, api.Errorf(api.CodeInvalidRequest, "submitter: %q is not the name of a token", f.Submitter)
	}
	var err error
	if f.Since, err = moment(q, "since"); err != nil {
		return f, err
	}
	if f.Until, err = moment(q, "until"); err != nil {
		return f, err
	}
	if !api.Ordered(f.Since, f.Until) {
		return f, api.Errorf(api.CodeInvalidRequest, "until: must be later than since")
	}
	return f, nil
}

// moment reads a time of a query; the zero time is none.
func moment(q url.Values, name string) (time.Time, error) {
	text := q.Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, api.Errorf(api.CodeInvalidRequest, "%s: wants a time such as 2026-11-25T10:00:00Z, got %q", name, text)
	}
	return at, nil
}

func number(text string, otherwise, least, most int64) (int64, error) {
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("must be a whole number from %d to %d, got %q", least, most, text)
	}
	return n, nil
}
