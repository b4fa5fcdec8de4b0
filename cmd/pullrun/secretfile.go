package main

import (
	"log/slog"
	"sync"

	"github.com/pullrun/pullrun/api/fresh"
	"github.com/pullrun/pullrun/configs"
)

// A secretFile is a secret of the settings. Where it stands in a file it is read
// again when that has changed, so that it may be replaced while the program runs.
type secretFile struct {
	hide func(string)
	log  *slog.Logger

	mu sync.Mutex
	// Guarded by mu.
	path   string // empty is none
	file   *fresh.Value[configs.Secret]
	secret string
}

// newSecretFile takes the secret as the settings had it. hide is told each other
// that comes up.
func newSecretFile(secret configs.Secret, path string, hide func(string), log *slog.Logger) *secretFile {
	f := &secretFile{hide: hide, log: log}
	f.set(secret, path)
	return f
}

// replace puts another secret of the settings in the place of the one before.
func (f *secretFile) replace(secret configs.Secret, path string) {
	f.hide(secret.Reveal())
	f.mu.Lock()
	defer f.mu.Unlock()
	f.set(secret, path)
}

func (f *secretFile) set(secret configs.Secret, path string) {
	f.path, f.secret = path, secret.Reveal()
	f.file = fresh.From(secret, func(files [][]byte) (configs.Secret, error) { return configs.ParseSecret(files[0], path) }, path)
}

// read returns the secret of now. A file that cannot be read, or is empty while
// somebody writes it, leaves the secret as it was.
func (f *secretFile) read() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.path == "" {
		return f.secret
	}
	secret, err := f.file.Get()
	if err != nil {
		f.log.Warn("secret cannot be read again, going on with the one of before", "file", f.path, "err", err)
	}
	if text := secret.Reveal(); text != f.secret {
		f.hide(text)
		f.secret = text
		f.log.Info("secret was replaced", "file", f.path)
	}
	return f.secret
}
