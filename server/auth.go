package server

import (
	"context"
	"crypto/sha256"
	"net"
	"net/http"
	"strings"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/server/store"
)

// A Scope is what a token allows.
type Scope = api.Scope

// The scopes.
const (
	ScopeSubmit = api.ScopeSubmit
	ScopeWork   = api.ScopeWork
	ScopeRead   = api.ScopeRead
	ScopeAdmin  = api.ScopeAdmin
	ScopeEnrol  = api.ScopeEnrol
)

// Scopes are what a token of the settings may have.
var Scopes = api.TokenScopes

// A Token may call the server. Only its digest is kept in memory.
type Token struct {
	Name   string // who it is, for the audit line
	Digest [sha256.Size]byte
	Scopes []Scope
	// OwnTrace has what the token's owner calls begin traces of their own,
	// which link to the owner's.
	OwnTrace bool

	issued *store.Token // nil for one of the settings
}

// NewToken makes a token that allows the scopes.
func NewToken(name, secret string, scopes ...Scope) Token {
	return Token{Name: name, Digest: sha256.Sum256([]byte(secret)), Scopes: scopes}
}

// scopeAny is what every token allows.
const scopeAny Scope = "any"

// allows reports whether the token may make calls that need the scope.
func (t Token) allows(needed Scope) bool { return needed == scopeAny || api.Allow(t.Scopes, needed) }

// is reports whether the token was issued as one of the kind.
func (t Token) is(kind store.TokenKind) bool { return t.issued != nil && t.issued.Kind == kind }

// worker is the only worker that the token may act as. Empty is any.
func (t Token) worker() string {
	if t.issued == nil || t.issued.Kind == store.TokenEnrolment {
		return ""
	}
	return t.issued.Worker
}

// anybody calls a server that has no tokens.
var anybody = Token{Name: "anybody", Scopes: []Scope{ScopeAdmin}}

type callerKey struct{}

// authorize checks the request's token and puts its owner into the context.
func (s *Server) authorize(needed Scope, r *http.Request) (*http.Request, error) {
	if needed == "" {
		return r, nil
	}
	who, err := s.identify(r)
	if err != nil {
		return r, err
	}
	if !who.allows(needed) {
		return r, api.Errorf(api.CodeForbidden, "token %q does not have the scope %q, which this call needs", who.Name, needed)
	}
	if only, id := who.worker(), r.PathValue("id"); only != "" && id != "" && id != only {
		return r, api.Errorf(api.CodeForbidden, "token %q is good for the worker %q alone, not for %q", who.Name, only, id)
	}
	if err := s.pace.Load().check(who.Name, needed); err != nil {
		return r, err
	}
	return r.WithContext(context.WithValue(r.Context(), callerKey{}, who)), nil
}

// identify finds whose token the request shows. Where the settings have none,
// everybody may call, but a token that this server has issued still counts: else
// nobody could revoke it.
func (s *Server) identify(r *http.Request) (Token, error) {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	shown := strings.EqualFold(scheme, "Bearer") && secret != ""
	switch open := len(s.cfg().Tokens) == 0; {
	case open && (!shown || api.TokenID(secret) == ""):
		return anybody, nil
	case !shown:
		return Token{}, api.Errorf(api.CodeUnauthorized, "a token is needed: send Authorization: Bearer TOKEN")
	}
	return s.tokens.find(r.Context(), sha256.Sum256([]byte(secret)), api.TokenID(secret) != "")
}

// caller is whose token made the request.
func caller(r *http.Request) Token {
	who, _ := r.Context().Value(callerKey{}).(Token)
	return who
}

// loopback reports whether only this machine can reach the address.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
