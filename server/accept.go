package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/otel/span"
	"github.com/pullrun/pullrun/server/store"
)

// accept records a submitted run. When it returns, the run is committed, and
// a worker that can take it has been woken.
func (s *Server) accept(r *http.Request, in api.Submit, key string) (store.Run, bool, error) {
	return s.beginAccept(r, in, key)()
}

// beginAccept gives a submit its turn at the store, and what it returns is the
// rest of accept.
func (s *Server) beginAccept(r *http.Request, in api.Submit, key string) func() (store.Run, bool, error) {
	run, err := s.newRun(r.Context(), in)
	if err != nil {
		return func() (store.Run, bool, error) { return store.Run{}, false, err }
	}
	run.IdempotencyKey, run.Submitter = key, caller(r).Name
	ctx, sent := span.Send(r.Context(), span.Run{Cookie: run.Cookie, Pipeline: run.Pipeline, Queue: run.Queue}, len(run.Variables))
	run.Trace = store.Trace{Send: spanContext(span.Inject(ctx).OrNew()), Request: spanContext(span.Inject(r.Context()))}
	answer := s.store.BeginSubmit(r.Context(), s.store.Now(), run)
	return func() (store.Run, bool, error) {
		out, created, err := answer()
		s.moved(out.Moved)
		switch {
		case err != nil:
			return store.Run{}, false, refusal(run, err)
		case !created: // and so no span: nothing was sent
			got, err := s.store.Get(r.Context(), out.Cookie) // with its result
			return got, false, err
		}
		sent()
		s.meter.Accepted(out.Queue)
		s.log.DebugContext(r.Context(), "run is accepted", "cookie", out.Cookie, "pipeline", out.Pipeline)
		if got := out.Run; got.State == store.Queued && !got.Blocked {
			s.hub.queued(&news{run: &got})
		}
		return out.Run, true, nil
	}
}

// refusal says what is wrong with a submit that the store refuses.
func refusal(run store.NewRun, err error) error {
	switch {
	case errors.Is(err, store.ErrCookieCollision):
		return api.Errorf(api.CodeCookieCollision, "cookie %q names another run already: the body differs", run.Cookie)
	case errors.Is(err, store.ErrKeyCollision):
		return api.Errorf(api.CodeCookieCollision, "Idempotency-Key %q was used before for another run: the body differs", run.IdempotencyKey)
	case errors.Is(err, store.ErrNoSlot):
		return api.Errorf(api.CodeConcurrencyLimit, "no slot of concurrency key %q is free, of %d", run.Concurrency.Key, run.Concurrency.Limit)
	}
	return err
}

// newRun fills in what a submit leaves out.
func (s *Server) newRun(ctx context.Context, in api.Submit) (store.NewRun, error) {
	if string(in.Variables) == "null" {
		in.Variables = nil
	}
	leave, err := s.decoding.enter(ctx, len(in.Variables))
	if err != nil {
		return store.NewRun{}, err
	}
	digest, err := digestOf(in)
	leave()
	if err != nil {
		return store.NewRun{}, err
	}
	run := store.NewRun{
		Cookie: in.Cookie, Digest: digest, Pipeline: in.Pipeline, PipelineDigest: in.Digest, Queue: in.Queue,
		Labels: in.Labels, Priority: in.Priority, Variables: in.Variables,
		MaxAttempts:  in.MaxAttempts,
		QueueTimeout: milliseconds(in.QueueTimeoutMS),
		RunTimeout:   milliseconds(in.RunTimeoutMS),
		Detach:       in.Detach, Tags: in.Tags,
	}
	if in.Delivery == api.AtMostOnce {
		run.Delivery = store.AtMostOnce
	}
	if in.NotBefore != nil {
		run.NotBefore = *in.NotBefore
	}
	if in.Concurrency != nil {
		run.Concurrency = concurrencyIn(*in.Concurrency)
	}
	if in.Retry != nil {
		run.Retry = retryIn(*in.Retry)
	}
	if run.Queue == "" {
		run.Queue = api.DefaultQueue
	}
	if run.MaxAttempts == 0 {
		run.MaxAttempts = s.cfg().MaxAttempts
	}
	if run.Cookie == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return run, err
		}
		run.Cookie = id.String()
	}
	return run, nil
}

// longest is more than any wait needs, and still far from where adding one to
// a time overflows.
const longest = 100 * 365 * 24 * time.Hour

// milliseconds is a duration as the wire has it.
func milliseconds(n int64) time.Duration {
	return time.Duration(min(n, longest.Milliseconds())) * time.Millisecond
}

// digestOf tells whether two submits ask for the same. It does not depend on
// how the JSON is spaced or in which order its members come.
func digestOf(in api.Submit) (string, error) {
	if in.NotBefore != nil {
		utc := in.NotBefore.UTC()
		in.NotBefore = &utc
	}
	if len(in.Variables) > 0 {
		if api.Nesting(in.Variables) > api.MaxNesting {
			return "", api.Errorf(api.CodeInvalidRequest, "variables: are nested deeper than %d levels", api.MaxNesting)
		}
		d := json.NewDecoder(bytes.NewReader(in.Variables))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			return "", api.Errorf(api.CodeInvalidRequest, "variables: %w", err)
		}
		sorted, err := json.Marshal(v)
		if err != nil {
			return "", err
		}
		in.Variables = sorted
	}
	raw, err := json.Marshal(in)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}
