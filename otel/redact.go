package otel

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/pullrun/pullrun/otel/forms"
)

const redacted = "REDACTED"

// Redactor takes secrets out of text: the values that were registered, in all
// [forms.Of], and those that URLs carry, in their userinfo and in the values of
// their queries. The zero Redactor knows no secrets, and is ready. It may be used
// concurrently.
type Redactor struct {
	mu      sync.Mutex // guards secrets
	secrets []string

	known atomic.Pointer[known] // nil until the first secret
}

// known is made anew for each secret.
type known struct {
	forms    []string // longest first, so that no form hides a longer one
	replacer *strings.Replacer
}

// Register adds a secret. One of fewer than six bytes is left out.
func (r *Redactor) Register(secret string) {
	if len(secret) < forms.Least {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Contains(r.secrets, secret) {
		return
	}
	r.secrets = append(r.secrets, secret)

	k := known{forms: forms.Of(r.secrets...)}
	pairs := make([]string, 0, 2*len(k.forms))
	for _, form := range k.forms {
		pairs = append(pairs, form, redacted)
	}
	k.replacer = strings.NewReplacer(pairs...)
	r.known.Store(&k)
}

// String returns s without its secrets.
func (r *Redactor) String(s string) string { return redactURLs(r.Known(s)) }

// Known returns s without the secrets that were registered. URLs are left as they
// are.
func (r *Redactor) Known(s string) string {
	if k := r.known.Load(); k != nil {
		s = k.replacer.Replace(s)
	}
	return s
}

// uncut removes from the end of a text that was cut off there what may be the
// beginning of a secret.
func (r *Redactor) uncut(s string) string {
	if k := r.known.Load(); k != nil {
		longest := 0
		for _, form := range k.forms {
			for n := min(len(form)-1, len(s)); n > longest; n-- {
				if strings.HasSuffix(s, form[:n]) {
					longest = n
				}
			}
		}
		s = s[:len(s)-longest]
	}
	return uncutURL(s)
}
