package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/pullrun/pullrun/configs"
	"github.com/pullrun/pullrun/server"
)

// lookAtTokens is how often a server looks whether the files of its tokens have
// changed.
const lookAtTokens = 5 * time.Second

// tokenFiles are the tokens of a server's settings, of which some stand in files.
type tokenFiles struct {
	hiding func(setting string) (hide func(string))
	log    *slog.Logger

	mu sync.Mutex
	// Guarded by mu.
	tokens  []configs.Token
	secrets []*secretFile // of each token
	known   []string
}

func newTokenFiles(tokens []configs.Token, hiding func(setting string) (hide func(string)), log *slog.Logger) *tokenFiles {
	f := &tokenFiles{hiding: hiding, log: log}
	f.replace(tokens)
	return f
}

// replace puts other settings in the place of those of before.
func (f *tokenFiles) replace(tokens []configs.Token) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tokens, f.secrets, f.known = tokens, nil, nil
	for _, t := range tokens {
		hide := f.hiding("tokens." + t.Name)
		hide(t.Token.Reveal())
		f.secrets = append(f.secrets, newSecretFile(t.Token, t.TokenFile, hide, f.log))
		f.known = append(f.known, t.Token.Reveal())
	}
}

// now are the tokens as they were last read.
func (f *tokenFiles) now() []server.Token {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []server.Token
	for i, t := range f.tokens {
		var scopes []server.Scope
		for _, s := range t.Scopes {
			scopes = append(scopes, server.Scope(s))
		}
		token := server.NewToken(t.Name, f.known[i], scopes...)
		token.OwnTrace = t.OwnTrace
		out = append(out, token)
	}
	return out
}

// changed reads the files again and reports whether a token is another.
func (f *tokenFiles) changed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	changed := false
	for i, s := range f.secrets {
		if secret := s.read(); secret != f.known[i] {
			f.known[i], changed = secret, true
		}
	}
	return changed
}

// follow has the server take the tokens as they change, until ctx ends.
func (f *tokenFiles) follow(ctx context.Context, take func([]server.Token) error, log *slog.Logger) {
	ticker := time.NewTicker(lookAtTokens)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if !f.changed() {
			continue
		}
		if err := take(f.now()); err != nil {
			log.ErrorContext(ctx, "tokens cannot be replaced, going on with those of before", "err", err)
		}
	}
}
