package credential

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/pullrun/pullrun/api"
)

// state is what the file holds.
type state struct {
	Worker string `json:"worker"`
	Token  string `json:"token,omitempty"` // that is used now
	Next   string `json:"next,omitempty"`  // that the server may have heard of
	// Enrolment is the digest of what the first credential came of.
	Enrolment string    `json:"enrolment,omitempty"`
	Enrolling bool      `json:"enrolling,omitempty"` // Next is to come of it
	RenewAt   time.Time `json:"renew_at,omitzero"`   // when to replace Token
}

// adopted is the state when the next credential is the one that is used, to be
// replaced after renew. Zero is at once.
func (s state) adopted(renew time.Duration) state {
	s.Token, s.Next, s.Enrolling, s.RenewAt = s.Next, "", false, time.Now().Add(renew)
	return s
}

// load reads the state of a worker. No file is no credential.
func load(path, worker string) (state, error) {
	s := state{Worker: worker}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("read the credential: %w", err)
	}
	if info, err := os.Stat(path); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return s, fmt.Errorf("credential file %q can be read by others: chmod 600 it, or remove it and enrol this worker again", path)
	}
	var found state
	if json.Unmarshal(raw, &found) != nil || !valid(found.Token) || !valid(found.Next) {
		return s, fmt.Errorf("credential file %q is damaged: remove it and enrol this worker again", path)
	}
	if found.Worker != worker {
		return s, fmt.Errorf("credential file %q is of worker %q, and this is worker %q: set name or credential_file", path, found.Worker, worker)
	}
	return found, nil
}

func valid(token string) bool { return token == "" || api.TokenID(token) != "" }

// save replaces the file, whole or not at all, and returns when that is synced.
func (s state) save(path string) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep the credential: %w", err)
	}
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keep the credential: %w", err)
	}
	f, err := os.OpenFile(fresh, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("keep the credential: %w", err)
	}
	_, err = f.Write(raw)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(fresh, path)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("keep the credential: %w", err)
	}
	return nil
}

// syncDir makes it last that a file was renamed. Windows keeps a journal of names.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
