package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/server/store"
)

const (
	// tokenFresh is how long what the store says of a token is taken as it was.
	// A revocation is heard of at once, unless the connection between servers is
	// lost, and then costs this much. It is well below a hold.
	tokenFresh = 15 * time.Second
	// maxTokens bounds the issued tokens that are remembered.
	maxTokens = 20_000
)

// authenticator knows the tokens by their digests: a look-up by digest says
// nothing about the token to somebody who measures how long it takes. Those of
// the settings are in memory; those that were issued are in the store, and are
// remembered for a while.
type authenticator struct {
	store *store.Store
	log   *slog.Logger

	mu sync.RWMutex
	// Guarded by mu.
	settings map[[sha256.Size]byte]Token
	issued   map[[sha256.Size]byte]remembered
	forgot   int // how often tokens were forgotten that may have been revoked
}

// remembered is a token as the store had it.
type remembered struct {
	Token
	at time.Time
}

func newAuthenticator(st *store.Store, log *slog.Logger) *authenticator {
	return &authenticator{store: st, log: log, issued: make(map[[sha256.Size]byte]remembered)}
}

// set replaces the tokens of the settings.
func (a *authenticator) set(tokens []Token) error {
	all := make(map[[sha256.Size]byte]Token, len(tokens))
	for _, t := range tokens {
		for _, scope := range t.Scopes {
			if !slices.Contains(Scopes, scope) {
				return fmt.Errorf("token %q: unknown scope %q", t.Name, scope)
			}
		}
		if other, twice := all[t.Digest]; twice {
			return fmt.Errorf("tokens %q and %q are the same", other.Name, t.Name)
		}
		all[t.Digest] = t
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settings = all
	return nil
}

var errUnknownToken = api.Errorf(api.CodeUnauthorized, "the token is not known to this server, or not any more")

// find returns the token with the digest. Only what has the form of an issued
// token is looked for in the store.
func (a *authenticator) find(ctx context.Context, digest [sha256.Size]byte, issued bool) (Token, error) {
	a.mu.RLock()
	t, known := a.settings[digest]
	r, cached := a.issued[digest]
	a.mu.RUnlock()
	switch {
	case known:
		return t, nil
	case !issued:
		return Token{}, errUnknownToken
	case !cached || time.Since(r.at) > tokenFresh:
		var err error
		if r, err = a.load(ctx, digest); err != nil {
			return Token{}, err
		}
	}
	now := a.store.Now()
	// An enrolment that has expired is judged by the store, which knows whether
	// it had been exchanged by then.
	if k := r.issued; !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt) && k.Kind != store.TokenEnrolment {
		return Token{}, api.Errorf(api.CodeUnauthorized, "the token %s of %q has expired", k.ID, k.Name)
	}
	return r.Token, nil
}

// load reads a token from the store and remembers it. If one was revoked meanwhile
// it may have been this one, and it is read again.
func (a *authenticator) load(ctx context.Context, digest [sha256.Size]byte) (remembered, error) {
	for {
		a.mu.RLock()
		forgot := a.forgot
		a.mu.RUnlock()
		r, err := a.read(ctx, digest)
		a.mu.Lock()
		fresh := a.forgot == forgot
		switch {
		case err == errUnknownToken:
			delete(a.issued, digest)
		case err == nil && fresh:
			if len(a.issued) >= maxTokens { // most have not been used for long
				clear(a.issued)
			}
			a.issued[digest] = r
		}
		a.mu.Unlock()
		if err != nil || fresh {
			return r, err
		}
	}
}

// read reads a token from the store, and notes there that it is in use.
func (a *authenticator) read(ctx context.Context, digest [sha256.Size]byte) (remembered, error) {
	began := time.Now()
	k, err := a.store.TokenByDigest(ctx, hex.EncodeToString(digest[:]))
	if errors.Is(err, store.ErrNoToken) {
		err = errUnknownToken
	}
	if err != nil {
		return remembered{}, err
	}
	if now := a.store.Now(); k.Idle(now) {
		if err := a.store.TouchToken(ctx, now, k.ID); err != nil { // the call is worth more than the note
			a.log.DebugContext(ctx, "note that a token is in use failed", "token", k.ID, "err", err)
		}
		k.UsedAt = now
	}
	scopes := make([]Scope, len(k.Scopes))
	for i, s := range k.Scopes {
		scopes[i] = Scope(s)
	}
	return remembered{Token{Name: k.Name, Digest: digest, Scopes: scopes, issued: &k}, began}, nil
}

// forget drops what is remembered of the tokens that which picks, for they may
// have been revoked, and returns them.
func (a *authenticator) forget(which func([sha256.Size]byte, Token) bool) (gone []Token) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forgot++
	for digest, r := range a.issued {
		if which(digest, r.Token) {
			gone = append(gone, r.Token)
			delete(a.issued, digest)
		}
	}
	return gone
}

// still returns an error if a token that was good when a call began is so no
// longer.
func (a *authenticator) still(ctx context.Context, t Token) error {
	if t.Digest == [sha256.Size]byte{} { // anybody's
		return nil
	}
	_, err := a.find(ctx, t.Digest, t.issued != nil)
	return err
}
