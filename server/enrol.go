package server

import (
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/server/store"
)

// maxOverlap is how long a credential stays good at most once it has a successor.
const maxOverlap = 10 * time.Minute

func (s *Server) enrol(w http.ResponseWriter, r *http.Request) error {
	who := caller(r)
	if !who.is(store.TokenEnrolment) {
		return api.Errorf(api.CodeForbidden, "token %q is no enrolment: make one with \"pullrun tokens create --enrol\"", who.Name)
	}
	var in api.NewCredential
	if err := s.read(w, r, s.cfg().MaxBody, &in); err != nil {
		return err
	}
	if pattern := who.issued.Worker; pattern != "" {
		if ok, err := path.Match(pattern, in.Worker); err != nil || !ok {
			return api.Errorf(api.CodeForbidden, "the enrolment %s is for workers named %q, not for %q", who.issued.ID, pattern, in.Worker)
		}
	}
	k, err := s.store.Enrol(r.Context(), s.store.Now(), who.issued.ID, in.Worker, s.credential(in))
	if err == nil {
		s.log.InfoContext(r.Context(), "worker is enrolled", "worker", in.Worker, "token", k.ID, "by", who.Name)
	}
	return s.replyEnrolled(w, in.Worker, k, err)
}

func (s *Server) rotate(w http.ResponseWriter, r *http.Request) error {
	worker, err := name(r, "id")
	if err != nil {
		return err
	}
	var in api.NewCredential
	if err := s.read(w, r, s.cfg().MaxBody, &in); err != nil {
		return err
	}
	who := caller(r)
	if !who.is(store.TokenWorker) || in.Worker != worker {
		return api.Errorf(api.CodeInvalidRequest, "only a credential of worker %q has a successor, and token %q is none", worker, who.Name)
	}
	overlap := min(maxOverlap, s.cfg().Credential/4)
	k, err := s.store.Rotate(r.Context(), s.store.Now(), who.issued.ID, s.credential(in), overlap)
	if err == nil {
		s.log.InfoContext(r.Context(), "credential is replaced", "worker", worker, "token", k.ID)
	}
	return s.replyEnrolled(w, worker, k, err)
}

func (s *Server) credential(in api.NewCredential) store.NewCredential {
	return store.NewCredential{ID: in.ID, Digest: in.Digest, ExpiresAt: s.store.Now().Add(s.cfg().Credential)}
}

// replyEnrolled answers an exchange, or says why it was not made.
func (s *Server) replyEnrolled(w http.ResponseWriter, worker string, k store.Token, err error) error {
	var spent *store.SpentError
	switch {
	case errors.Is(err, store.ErrNoToken):
		return errUnknownToken
	case errors.As(err, &spent) && spent.Worker == "":
		return api.Errorf(api.CodeForbidden, "the token has been exchanged before, for a credential that was revoked since")
	case errors.As(err, &spent):
		return api.Errorf(api.CodeForbidden, "the token has been exchanged before, by the worker %q for a credential of its own; if that was not meant to be, revoke the credential", spent.Worker)
	case errors.Is(err, store.ErrEnrolled):
		return api.Errorf(api.CodeForbidden, "worker %q has a credential that is still good: revoke it first, or give this worker another name", worker)
	case err != nil:
		return err
	}
	return reply(w, http.StatusOK, api.Enrolled{ExpiresAt: k.ExpiresAt, RenewMS: max(1, s.cfg().Credential.Milliseconds()/2)})
}

// bounds returns an error if the token does not let a worker take runs from the
// queues, or have the labels.
func (t Token) bounds(worker string, queues []string, labels map[string]string) error {
	if t.issued == nil {
		return nil
	}
	var problem string
	switch only := t.worker(); {
	case only != "" && worker != only:
		problem = fmt.Sprintf("is good for the worker %q alone, not for %q", only, worker)
	case t.issued.Queues != nil:
		for _, q := range queues {
			if !slices.Contains(t.issued.Queues, q) {
				problem = fmt.Sprintf("does not let its worker take runs from the queue %q", q)
			}
		}
	}
	if t.issued.Labels != nil {
		for k, v := range labels {
			if allowed, ok := t.issued.Labels[k]; !ok || allowed != v {
				problem = fmt.Sprintf("does not let its worker have the label %s=%s", k, v)
			}
		}
	}
	if problem == "" {
		return nil
	}
	return api.Errorf(api.CodeForbidden, "token %q %s", t.Name, problem)
}
