package otel

import (
	"io"
	"strings"
	"sync"
)

// A RedactingWriter passes on what is written to it without the secrets that were
// registered, also those that come in parts: what may be the beginning of one is
// held back until it is known, or until Close. It may be used concurrently.
type RedactingWriter struct {
	redactor *Redactor
	to       io.Writer

	mu   sync.Mutex
	held string // guarded by mu
}

// Writer returns a writer to w, whose Close does not close w.
func (r *Redactor) Writer(w io.Writer) *RedactingWriter {
	return &RedactingWriter{redactor: r, to: w}
}

// Write takes all of p, or says why what was to be passed on could not be.
func (w *RedactingWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var clean string
	clean, w.held = w.redactor.known.Load().split(w.held + string(p))
	if clean == "" {
		return len(p), nil
	}
	if _, err := io.WriteString(w.to, clean); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close passes on what was held back: it has turned out to be no secret.
func (w *RedactingWriter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	held := w.redactor.Known(w.held)
	w.held = ""
	_, err := io.WriteString(w.to, held)
	return err
}

// split takes the secrets out of a text that goes on, and holds back its end from
// where that may be the beginning of one.
func (k *known) split(s string) (clean, held string) {
	if k == nil {
		return s, ""
	}
	var b strings.Builder
	done := 0
	for i := 0; i < len(s); {
		n, open := k.at(s[i:])
		switch {
		case open:
			b.WriteString(s[done:i])
			return b.String(), s[i:]
		case n > 0:
			b.WriteString(s[done:i])
			b.WriteString(redacted)
			i += n
			done = i
		default:
			i++
		}
	}
	b.WriteString(s[done:])
	return b.String(), ""
}

// at is the length of the secret that a text begins with, or 0. open says that
// all of it may be the beginning of a longer one.
func (k *known) at(s string) (n int, open bool) {
	for _, form := range k.forms { // the longest first
		switch {
		case n == 0 && strings.HasPrefix(s, form):
			n = len(form)
		case len(form) > len(s) && strings.HasPrefix(form, s):
			return 0, true
		}
	}
	return n, false
}
