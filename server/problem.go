package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/server/store"
)

// retryAfter is what a caller is asked to wait when nothing better is known.
const retryAfter = time.Second

// queueFullRetry is when a submit may come again for which there was no room.
const queueFullRetry = 5 * time.Second

// fail answers a call with its error. It is the only place that turns errors
// into responses.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		panic(http.ErrAbortHandler) // the caller has gone; else net/http would answer 200
	}
	replyProblem(w, s.problem(r, err))
}

// replyProblem answers with a problem, and with the headers that belong to it.
func replyProblem(w http.ResponseWriter, e *api.Error) {
	switch e.Status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusInsufficientStorage:
		w.Header().Set("Retry-After", strconv.Itoa(int(max(e.RetryAfter, retryAfter)/time.Second)))
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case http.StatusRequestEntityTooLarge:
		w.Header().Set("Connection", "close")
	}
	raw, marshalErr := json.Marshal(e)
	if marshalErr != nil {
		panic(marshalErr) // a struct of text and numbers
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(e.Status)
	_, _ = w.Write(raw) // the caller has gone
}

// problem finds the answer for an error. What is no fault of the caller's is
// logged.
func (s *Server) problem(r *http.Request, err error) *api.Error {
	e := asProblem(r, err)
	switch {
	case e.Status < 500, e.Code == api.CodeNotSupported, e == errNoExporter, e == errCutBody:
	case e.Code == api.CodeStoreFull: // the store has said so, once
	default:
		s.log.ErrorContext(r.Context(), "call failed", "call", r.Method+" "+r.URL.Path, "err", err)
	}
	return e
}

func asProblem(r *http.Request, err error) *api.Error {
	var e *api.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, store.ErrNotFound):
		return api.Errorf(api.CodeCookieNotFound, "no run %q", r.PathValue("cookie"))
	case errors.Is(err, store.ErrNoSession):
		return api.Errorf(api.CodeSessionNotFound, "worker %q has no such session: register again", r.PathValue("id"))
	case errors.Is(err, store.ErrSuperseded):
		return api.Errorf(api.CodeSessionSuperseded, "another worker has registered as %q", r.PathValue("id"))
	case errors.Is(err, store.ErrQueueFull):
		return noRoom(api.CodeQueueFull, err)
	case errors.Is(err, store.ErrTooManyRoutes):
		return noRoom(api.CodeTooManyCombos, err)
	case errors.Is(err, store.ErrFull):
		return api.Errorf(api.CodeStoreFull, "the server's disk is full")
	case errors.Is(err, store.ErrNoBackup):
		return api.Errorf(api.CodeNotSupported, "%w", err)
	case errors.Is(err, store.ErrClosed), errors.Is(err, store.ErrFailed), errors.Is(err, store.ErrUnknown), errors.Is(err, store.ErrUnavailable):
		return api.Errorf(api.CodeUnavailable, "the server's store cannot be reached or written now: try again")
	}
	return api.Errorf(api.CodeInternal, "internal error; the server's log has it")
}

// noRoom refuses a submit until runs have made room for it.
func noRoom(code api.Code, err error) *api.Error {
	e := api.Errorf(code, "%w", err)
	e.RetryAfter = queueFullRetry
	return e
}

// panicked is the error of a handler that has panicked, which is a bug of
// ours.
func panicked(p any) error {
	return fmt.Errorf("panic: %v\n%s", p, debug.Stack())
}
