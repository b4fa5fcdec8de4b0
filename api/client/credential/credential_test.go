package credential_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client/credential"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const enrolment = "pre_abcdefghij_ABCDEFGHIJKLMNOPQRSTUVWXYZ"

var (
	errOutage  = errors.New("connection refused")
	errRefused = api.Errorf(api.CodeUnauthorized, "the token is not known")
)

// A server takes credentials as a real one does, and fails when it is told to.
type server struct {
	mu      sync.Mutex
	shows   func() string   // the worker's token
	good    map[string]bool // digests of credentials
	spent   string          // digest of the credential that the enrolment was exchanged for
	answers []error         // of the next calls; what is done is done all the same, unless it is refused
	before  func()          // called before each call
	calls   int
}

func (s *server) Enrol(ctx context.Context, in api.NewCredential) (api.Enrolled, error) {
	return s.call(func() error {
		if s.spent != "" && s.spent != in.Digest {
			return errRefused
		}
		s.spent = in.Digest
		s.good[in.Digest] = true
		return nil
	})
}

func (s *server) RotateCredential(ctx context.Context, in api.NewCredential) (api.Enrolled, error) {
	return s.call(func() error {
		if !s.good[api.TokenDigest(s.shows())] {
			return errRefused
		}
		s.good[in.Digest] = true
		return nil
	})
}

func (s *server) call(do func() error) (api.Enrolled, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.before != nil {
		s.before()
	}
	if err := do(); err != nil {
		return api.Enrolled{}, err
	}
	if len(s.answers) > 0 {
		err := s.answers[0]
		s.answers = s.answers[1:]
		if err != nil {
			return api.Enrolled{}, err
		}
	}
	return api.Enrolled{ExpiresAt: time.Now().Add(2 * time.Hour), RenewMS: time.Hour.Milliseconds()}, nil
}

// accepts reports whether the server would take the token.
func (s *server) accepts(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.good[api.TokenDigest(token)]
}

// A host is a machine that workers are started on, one after the other.
type host struct {
	t      *testing.T
	file   string
	server *server
	learnt []string
}

func newHost(t *testing.T) *host {
	return &host{t: t, file: filepath.Join(t.TempDir(), "credentials", "w"), server: &server{good: map[string]bool{}}}
}

func (h *host) open() *credential.Keeper {
	h.t.Helper()
	k, err := credential.Open(credential.Config{
		File: h.file, Worker: "w", Learnt: func(s string) { h.learnt = append(h.learnt, s) },
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		h.t.Fatal(err)
	}
	h.server.shows = k.Token
	return k
}

func (h *host) enrol() *credential.Keeper {
	h.t.Helper()
	k := h.open()
	if err := k.Enrol(h.t.Context(), enrolment, h.server); err != nil {
		h.t.Fatal(err)
	}
	h.good(k)
	return k
}

// good fails the test unless the server takes the keeper's token.
func (h *host) good(k *credential.Keeper) {
	h.t.Helper()
	if token := k.Token(); !h.server.accepts(token) {
		h.t.Fatalf("the server does not take %q", token)
	}
	if !slices.Contains(h.learnt, k.Token()) {
		h.t.Error("a credential is used that nobody was told to hide")
	}
}

// at copies the file as it is when the n-th call arrives, which is what a process
// leaves that dies there.
func (h *host) at(n int) (left func()) {
	var kept []byte
	seen := 0
	h.server.before = func() {
		if seen++; seen == n {
			raw, err := os.ReadFile(h.file)
			if err != nil {
				h.t.Error(err)
			}
			kept = raw
		}
	}
	return func() {
		h.server.before = nil
		if err := os.WriteFile(h.file, kept, 0o600); err != nil {
			h.t.Fatal(err)
		}
	}
}

func TestEnrolment(t *testing.T) {
	t.Parallel()
	bubble(t, "a credential is had once, and kept", func(t *testing.T) {
		h := newHost(t)
		token := h.enrol().Token()
		info, err := os.Stat(h.file)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("file of the credential: %v, %v, want it for its owner alone", info, err)
		}
		raw, err := os.ReadFile(h.file)
		if err != nil || strings.Contains(string(raw), enrolment) {
			t.Errorf("the file is %s, %v, want it without the enrolment", raw, err)
		}
		calls := h.server.calls
		if k := h.enrol(); k.Token() != token || h.server.calls != calls {
			t.Errorf("the next process has %q after %d calls, want %q without one", k.Token(), h.server.calls-calls, token)
		}
		k := h.open() // when the enrolment has been taken out of the settings
		if err := k.Enrol(t.Context(), "", h.server); err != nil || k.Token() != token {
			t.Errorf("Enrol() without an enrolment = %v, token %q, want %q", err, k.Token(), token)
		}
	})
	bubble(t, "an outage is waited out, and a lost answer costs nothing", func(t *testing.T) {
		h := newHost(t)
		h.server.answers = []error{errOutage, errOutage, errOutage}
		h.enrol()
	})
	bubble(t, "an answer is lost, and the enrolment is forgotten until there is contact again", func(t *testing.T) {
		h := newHost(t)
		h.server.answers = []error{errOutage}
		calls := 0
		h.server.before = func() {
			if calls++; calls == 2 {
				h.server.spent = "forgotten"
			}
		}
		h.enrol()
	})
	bubble(t, "a process that dies before the answer leaves its successor all it needs", func(t *testing.T) {
		h := newHost(t)
		left := h.at(1)
		h.enrol()
		left()
		h.enrol()
		left()
		h.server.mu.Lock()
		h.server.spent = "forgotten"
		h.server.mu.Unlock()
		h.enrol() // by what the process before may have got accepted
		left()
		k := h.open()
		if err := k.Enrol(t.Context(), "", h.server); err != nil {
			t.Fatal(err)
		}
		h.good(k)
	})
	bubble(t, "a refusal is told, and leaves what was there", func(t *testing.T) {
		h := newHost(t)
		h.server.spent = "another's"
		k := h.open()
		if err := k.Enrol(t.Context(), enrolment, h.server); !errors.Is(err, error(errRefused)) || k.Token() != "" {
			t.Errorf("Enrol() = %v, token %q, want the refusal and none", err, k.Token())
		}
		h.server.spent = ""
		old := h.enrol().Token()
		k = h.open()
		if err := k.Enrol(t.Context(), enrolment+"2", h.server); err == nil || k.Token() != old {
			t.Errorf("Enrol() = %v, token %q, want a refusal and the credential of before", err, k.Token())
		}
		if k := h.open(); k.Token() != old {
			t.Errorf("the next process has %q, want %q", k.Token(), old)
		}
	})
	bubble(t, "another enrolment makes another credential", func(t *testing.T) {
		h := newHost(t)
		old := h.enrol().Token()
		h.server.spent = ""
		k := h.open()
		if err := k.Enrol(t.Context(), enrolment+"2", h.server); err != nil || k.Token() == old {
			t.Errorf("Enrol() = %v, token %q, want another", err, k.Token())
		}
		h.good(k)
	})
	bubble(t, "without an enrolment there is none", func(t *testing.T) {
		h := newHost(t)
		k := h.open()
		if err := k.Enrol(t.Context(), "", h.server); err != nil || k.Token() != "" || h.server.calls > 0 {
			t.Errorf("Enrol() = %v, token %q after %d calls", err, k.Token(), h.server.calls)
		}
	})
}

// run keeps the credential for a time.
func (h *host) run(k *credential.Keeper, d time.Duration) error {
	ctx, cancel := context.WithTimeout(h.t.Context(), d)
	defer cancel()
	return k.Run(ctx, h.server)
}

func TestRotation(t *testing.T) {
	t.Parallel()
	bubble(t, "a credential is replaced in time, again and again", func(t *testing.T) {
		h := newHost(t)
		k := h.enrol()
		first := k.Token()
		if err := h.run(k, 59*time.Minute); err != nil || k.Token() != first {
			t.Errorf("Run() = %v, and the credential was replaced before its time", err)
		}
		if err := h.run(k, 10*time.Hour); err != nil || h.server.calls < 10 || h.server.calls > 12 {
			t.Errorf("Run() = %v and %d calls in ten hours, want one an hour", err, h.server.calls)
		}
		h.good(k)
		h.good(h.open())
	})
	bubble(t, "the time goes on while no process runs", func(t *testing.T) {
		h := newHost(t)
		first := h.enrol().Token()
		time.Sleep(90 * time.Minute)
		k := h.open()
		if err := h.run(k, time.Minute); err != nil || k.Token() == first {
			t.Errorf("Run() = %v, replaced: %t, want it replaced", err, k.Token() != first)
		}
	})
	bubble(t, "outages and lost answers are waited out", func(t *testing.T) {
		h := newHost(t)
		k := h.enrol()
		first := k.Token()
		h.server.answers = []error{errOutage, errOutage, api.Errorf(api.CodeUnavailable, "later")}
		if err := h.run(k, 90*time.Minute); err != nil || k.Token() == first {
			t.Errorf("Run() = %v, replaced: %t, want it replaced", err, k.Token() != first)
		}
		h.good(k)
	})
	bubble(t, "nothing but a refusal ends it", func(t *testing.T) {
		h := newHost(t)
		k := h.enrol()
		first := k.Token()
		h.server.answers = []error{&tls.CertificateVerificationError{Err: errors.New("a captive portal")}, api.Errorf(api.CodeNotFound, "an older server")}
		if err := h.run(k, 90*time.Minute); err != nil || k.Token() == first {
			t.Errorf("Run() = %v, replaced: %t, want it replaced", err, k.Token() != first)
		}
		h.good(k)
	})
	bubble(t, "an answer is lost, and the one before is over when there is contact again", func(t *testing.T) {
		h := newHost(t)
		k := h.enrol()
		first := k.Token()
		h.server.answers = []error{errOutage}
		calls := 0
		h.server.before = func() {
			if calls++; calls == 2 {
				delete(h.server.good, api.TokenDigest(first))
			}
		}
		if err := h.run(k, 90*time.Minute); err != nil {
			t.Errorf("Run() = %v", err)
		}
		h.good(k)
	})
	bubble(t, "the disk fails when it has been replaced", func(t *testing.T) {
		h := newHost(t)
		k := h.enrol()
		first, dir := k.Token(), filepath.Dir(h.file)
		h.server.before = func() {
			h.server.before = nil
			if err := errors.Join(os.Rename(dir, dir+".gone"), os.WriteFile(dir, nil, 0o600)); err != nil {
				t.Error(err)
			}
		}
		if err := h.run(k, 65*time.Minute); err != nil || k.Token() == first {
			t.Errorf("Run() = %v, replaced: %t, want it used all the same", err, k.Token() != first)
		}
		h.good(k)
		second := k.Token()
		if err := errors.Join(os.Remove(dir), os.Rename(dir+".gone", dir)); err != nil {
			t.Fatal(err)
		}
		again := h.open()
		if err := h.run(again, time.Minute); err != nil || again.Token() != second {
			t.Errorf("Run() = %v of the next process, token %q, want %q", err, again.Token(), second)
		}
	})
	bubble(t, "a process that dies before the answer leaves its successor all it needs", func(t *testing.T) {
		h := newHost(t)
		k := h.enrol()
		first := k.Token()
		left := h.at(1)
		if err := h.run(k, 61*time.Minute); err != nil {
			t.Fatal(err)
		}
		second := k.Token()
		left()
		k = h.open()
		if k.Token() != first {
			t.Errorf("the successor begins with another token than was used last")
		}
		if err := h.run(k, time.Minute); err != nil || k.Token() != second {
			t.Errorf("Run() = %v, token %q, want the one that was drawn before: %q", err, k.Token(), second)
		}
		left()
		h.server.mu.Lock()
		delete(h.server.good, api.TokenDigest(first)) // its time is over meanwhile
		h.server.mu.Unlock()
		k = h.open()
		if err := h.run(k, 10*time.Second); err != nil {
			t.Fatal(err)
		}
		h.good(k)
	})
	bubble(t, "a refusal ends it", func(t *testing.T) {
		h := newHost(t)
		k := h.enrol()
		clear(h.server.good)
		if err := h.run(k, 2*time.Hour); !errors.Is(err, error(errRefused)) {
			t.Errorf("Run() = %v, want the refusal", err)
		}
	})
	bubble(t, "a disk that fails costs nothing but time", func(t *testing.T) {
		h := newHost(t)
		k := h.enrol()
		first := k.Token()
		dir := filepath.Dir(h.file)
		if err := os.Rename(dir, dir+".gone"); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir, nil, 0o600); err != nil { // in the way
			t.Fatal(err)
		}
		if err := h.run(k, 65*time.Minute); err != nil || k.Token() != first {
			t.Errorf("Run() = %v, replaced: %t, want it as it was", err, k.Token() != first)
		}
		if err := errors.Join(os.Remove(dir), os.Rename(dir+".gone", dir)); err != nil {
			t.Fatal(err)
		}
		if err := h.run(k, 5*time.Minute); err != nil || k.Token() == first {
			t.Errorf("Run() = %v, replaced: %t, want it replaced", err, k.Token() != first)
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	good, err := json.Marshal(map[string]string{"worker": "w", "token": api.NewTokenText(api.TokenWorker)})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		content string
		mode    os.FileMode
		want    string // in the error; "" is none
	}{
		{"what is right", string(good), 0o600, ""},
		{"what others may read", string(good), 0o640, "chmod 600"},
		{"what is cut", string(good[:20]), 0o600, "is damaged"},
		{"nothing", "", 0o600, "is damaged"},
		{"another's", strings.Replace(string(good), `"w"`, `"v"`, 1), 0o600, `is of worker "v"`},
		{"what is no credential", `{"worker": "w", "token": "hunter2-hunter2"}`, 0o600, "is damaged"},
	} {
		file := filepath.Join(t.TempDir(), "w")
		if err := os.WriteFile(file, []byte(tt.content), tt.mode); err != nil {
			t.Fatal(err)
		}
		_, err := credential.Open(credential.Config{File: file, Worker: "w"}, slog.New(slog.DiscardHandler))
		if (err == nil) != (tt.want == "") || err != nil && (!strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: Open() = %v, want %q", tt.name, err, tt.want)
		}
	}
}

// bubble runs f where time is simulated.
func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}
