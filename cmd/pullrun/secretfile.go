package main

import (
	"log/slog"
	"os"
	"sync"

	"github.com/pullrun/pullrun/configs"
)

// A secretFile is a secret of the settings. Where it stands in a file it is read
// again when that has changed, so that it may be replaced while the program runs.
type secretFile struct {
	path string // empty is none
	hide func(string)
	log  *slog.Logger

	mu sync.Mutex
	// Guarded by mu.
	secret string
	seen   os.FileInfo // the file that secret is from; nil until it is looked at
	failed bool        // the last look found no secret
}

// newSecretFile takes the secret as the settings had it. hide is told each other
// that comes up.
func newSecretFile(secret configs.Secret, path string, hide func(string), log *slog.Logger) *secretFile {
	return &secretFile{path: path, hide: hide, log: log, secret: secret.Reveal()}
}

// replace puts another secret of the settings in the place of the one before.
func (f *secretFile) replace(secret configs.Secret, path string) {
	f.hide(secret.Reveal())
	f.mu.Lock()
	defer f.mu.Unlock()
	f.path, f.secret, f.seen, f.failed = path, secret.Reveal(), nil, false
}

// read returns the secret of now. A file that cannot be read, or is empty while
// somebody writes it, leaves the secret as it was.
func (f *secretFile) read() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.path == "" {
		return f.secret
	}
	now, err := os.Stat(f.path)
	if err == nil && !f.failed && f.seen != nil && os.SameFile(f.seen, now) && f.seen.ModTime().Equal(now.ModTime()) && f.seen.Size() == now.Size() {
		return f.secret
	}
	var secret configs.Secret
	if err == nil {
		secret, err = configs.ReadSecret(f.path)
	}
	if err != nil {
		if !f.failed {
			f.log.Warn("secret cannot be read again, going on with the one of before", "file", f.path, "err", err)
		}
		f.failed = true
		return f.secret
	}
	if text := secret.Reveal(); text != f.secret {
		f.hide(text)
		f.secret = text
		f.log.Info("secret was replaced", "file", f.path)
	}
	f.seen, f.failed = now, false
	return f.secret
}
