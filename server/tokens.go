package server

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/server/store"
)

// enrolmentLife is how long an enrolment is good for that does not say.
const enrolmentLife = time.Hour

func (s *Server) createToken(w http.ResponseWriter, r *http.Request) error {
	var in api.NewToken
	if err := s.read(w, r, s.cfg().MaxBody, &in); err != nil {
		return err
	}
	if in.Kind == "" {
		in.Kind = api.TokenPlain
	}
	if in.Kind == api.TokenEnrolment {
		in.Scopes = []api.Scope{api.ScopeEnrol}
		if in.TTLMS == 0 {
			in.TTLMS = enrolmentLife.Milliseconds()
		}
	}
	now := s.store.Now()
	text := api.NewTokenText(in.Kind)
	k := store.Token{
		ID: api.TokenID(text), Digest: api.TokenDigest(text), Kind: store.TokenKind(in.Kind), Name: in.Name,
		Worker: in.Worker, Queues: in.Queues, Labels: in.Labels, CreatedAt: now, CreatedBy: caller(r).Name,
	}
	for _, scope := range in.Scopes {
		k.Scopes = append(k.Scopes, string(scope))
	}
	if in.TTLMS > 0 {
		k.ExpiresAt = now.Add(milliseconds(in.TTLMS))
	}
	if err := s.store.CreateToken(r.Context(), now, k); err != nil {
		return err
	}
	s.log.InfoContext(r.Context(), "token is issued", "token", k.ID, "kind", k.Kind, "detail", k.Name, "by", k.CreatedBy)
	w.Header().Set("Cache-Control", "no-store")
	return reply(w, http.StatusCreated, api.IssuedToken{Token: viewToken(k), Text: text})
}

func (s *Server) listTokens(w http.ResponseWriter, r *http.Request) error {
	all, err := s.store.Tokens(r.Context())
	if err != nil {
		return err
	}
	out := api.TokenList{Tokens: make([]api.Token, len(all))}
	for i, k := range all {
		out.Tokens[i] = viewToken(k)
	}
	return reply(w, http.StatusOK, out)
}

func viewToken(k store.Token) api.Token {
	out := api.Token{
		ID: k.ID, Kind: api.TokenKind(k.Kind), Name: k.Name, Scopes: make([]api.Scope, len(k.Scopes)), Worker: k.Worker, Queues: k.Queues,
		Labels: k.Labels, CreatedAt: k.CreatedAt, CreatedBy: k.CreatedBy, ExpiresAt: k.ExpiresAt, UsedAt: k.UsedAt, Successor: k.Successor,
	}
	for i, scope := range k.Scopes {
		out.Scopes[i] = api.Scope(scope)
	}
	return out
}

func (s *Server) revokeToken(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("token")
	gone, err := s.store.RevokeToken(r.Context(), s.store.Now(), id, caller(r).Name)
	if errors.Is(err, store.ErrNoToken) {
		return api.Errorf(api.CodeNotFound, "this server has issued no token %q; those of its settings are revoked there", id)
	}
	if err != nil {
		return err
	}
	for _, k := range gone {
		s.log.InfoContext(r.Context(), "token is revoked", "token", k.ID, "kind", k.Kind, "detail", k.Name, "by", caller(r).Name)
		s.revoked(k.ID)
		s.store.Publish(store.Signal{Kind: store.TokenRevoked, Name: k.ID})
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// revoked sees to it that a token is good for nothing any more, here.
func (s *Server) revoked(id string) {
	gone := s.tokens.forget(func(_ [sha256.Size]byte, t Token) bool { return t.issued.ID == id })
	for _, t := range gone { // who waits with it looks again
		if only := t.worker(); only != "" {
			s.hub.worker(only)
		} else {
			s.hub.everybody()
		}
	}
}

// SetTokens replaces the tokens of the settings while the server runs. Whoever
// waits with one that is gone is refused. There must be one if there was one when
// the server was made, and none otherwise.
func (s *Server) SetTokens(tokens []Token) error {
	if (len(tokens) == 0) != (len(s.cfg().Tokens) == 0) {
		return errors.New("a server with tokens stays one, and so does one without: restart it")
	}
	if err := s.tokens.set(tokens); err != nil {
		return err
	}
	s.hub.everybody()
	return nil
}
