package server

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/pullrun/pullrun/api"
)

// A Scope is what a token allows.
type Scope string

// The scopes.
const (
	ScopeSubmit Scope = "submit" // submit, cancel and read runs
	ScopeWork   Scope = "work"   // what a worker calls
	ScopeRead   Scope = "read"   // read everything
	ScopeAdmin  Scope = "admin"  // everything
)

// Scopes are all scopes.
var Scopes = []Scope{ScopeSubmit, ScopeWork, ScopeRead, ScopeAdmin}

// A Token may call the server. Only its digest is kept in memory.
type Token struct {
	Name   string // who it is, for the audit line
	Digest [sha256.Size]byte
	Scopes []Scope
	// OwnTrace has what the token's owner calls begin traces of their own,
	// which link to the owner's.
	OwnTrace bool
}

// NewToken makes a token that allows the scopes.
func NewToken(name, secret string, scopes ...Scope) Token {
	return Token{Name: name, Digest: sha256.Sum256([]byte(secret)), Scopes: scopes}
}

// allows reports whether the token may make calls that need the scope. Who may
// submit runs may read them.
func (t Token) allows(needed Scope) bool {
	return slices.ContainsFunc(t.Scopes, func(has Scope) bool {
		return has == needed || has == ScopeAdmin || has == ScopeSubmit && needed == ScopeRead
	})
}

// anybody calls a server that has no tokens.
var anybody = Token{Name: "anybody", Scopes: []Scope{ScopeAdmin}}

// authenticator knows the tokens by their digests: a look-up by digest says
// nothing about the token to somebody who measures how long it takes.
type authenticator map[[sha256.Size]byte]Token

func newAuthenticator(tokens []Token) (authenticator, error) {
	a := make(authenticator, len(tokens))
	for _, t := range tokens {
		for _, scope := range t.Scopes {
			if !slices.Contains(Scopes, scope) {
				return nil, fmt.Errorf("token %q: unknown scope %q", t.Name, scope)
			}
		}
		if other, twice := a[t.Digest]; twice {
			return nil, fmt.Errorf("tokens %q and %q are the same", other.Name, t.Name)
		}
		a[t.Digest] = t
	}
	return a, nil
}

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
	if err := s.pace.check(who.Name, needed); err != nil {
		return r, err
	}
	return r.WithContext(context.WithValue(r.Context(), callerKey{}, who)), nil
}

// identify finds out whose token a request carries.
func (s *Server) identify(r *http.Request) (Token, error) {
	if len(s.tokens) == 0 {
		return anybody, nil
	}
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || secret == "" {
		return Token{}, api.Errorf(api.CodeUnauthorized, "a token is needed: send Authorization: Bearer TOKEN")
	}
	who, known := s.tokens[sha256.Sum256([]byte(secret))]
	if !known {
		return Token{}, api.Errorf(api.CodeUnauthorized, "the token is not known to this server")
	}
	return who, nil
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
