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
	mu sync.Mutex
	// Guarded by mu.
	secrets []string // registered
	learnt  recent
	placed  map[string]recent // by place

	known atomic.Pointer[known] // nil until the first secret
}

// known is made anew for each secret.
type known struct {
	forms    []string // longest first, so that no form hides a longer one
	replacer *strings.Replacer
}

// Register adds a secret. One of fewer than six bytes is left out.
func (r *Redactor) Register(secret string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(secret) < forms.Least || slices.Contains(r.secrets, secret) {
		return
	}
	r.secrets = append(r.secrets, secret)
	r.know()
}

// mostLearnt and mostPlaced are how many secrets are remembered that were learnt,
// in all and of one place: each makes all that is looked through a little slower.
const (
	mostLearnt = 256
	mostPlaced = 8
)

// Learn is Register for a secret that may have successors without end, as one that
// a pipeline reads from a file. The last ones that were learnt are known.
func (r *Redactor) Learn(secret string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.learnt.add(secret, mostLearnt) {
		r.know()
	}
}

// Replace is Register for the secret of a place, such as a setting, that has others
// one after the other. The last ones of each place are known, for what was said
// before may be on its way still.
func (r *Redactor) Replace(place, secret string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := r.placed[place]
	if last.add(secret, mostPlaced) {
		if r.placed == nil {
			r.placed = make(map[string]recent)
		}
		r.placed[place] = last
		r.know()
	}
}

// recent are secrets of which the last ones count, the newest last.
type recent []string

// add reports whether the secret was not there.
func (l *recent) add(secret string, most int) (fresh bool) {
	if len(secret) < forms.Least {
		return false
	}
	if i := slices.Index(*l, secret); i >= 0 {
		*l = append(slices.Delete(*l, i, i+1), secret)
		return false
	}
	*l = append((*l)[max(0, len(*l)-most+1):], secret)
	return true
}

// know makes known what there is. The caller has locked mu.
func (r *Redactor) know() {
	all := slices.Concat(r.secrets, r.learnt)
	for _, last := range r.placed {
		all = append(all, last...)
	}
	k := known{forms: forms.Of(all...)}
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
