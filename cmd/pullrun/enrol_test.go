package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
)

// enrolment makes an enrolment with the command for it, and returns its file.
func (s *site) enrolment(args ...string) (file string) {
	s.t.Helper()
	code, out, log := call(s.t, s.env, append([]string{"tokens", "create", "edge", "--enrol"}, args...)...)
	if code != exitDone || !strings.HasPrefix(out, "pre_") {
		s.t.Fatalf("tokens create = %d %q %s", code, out, log)
	}
	return s.write("enrol.token", out)
}

// The list says what each token is bound to.
func TestTokensListSaysWhatTheyAreGoodFor(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	s.enrolment("--name-pattern", "edge-*")
	s.enrolment("--queue", "q1", "--queue", "q2", "--label", "zone=a")
	_, out, _ := call(t, s.env, "tokens", "list")
	rows := strings.Split(strings.TrimSpace(out), "\n")
	if len(rows) != 3 {
		t.Fatalf("the list is\n%s", out)
	}
	for _, want := range [][]string{{"SCOPES", "WORKER", "QUEUES", "LABELS"}, {"enrol", "edge-*", "any", "any"}, {"enrol", "any", "q1,q2", "zone=a"}} {
		if !slices.ContainsFunc(rows, func(row string) bool {
			f := strings.Fields(row)
			return slices.Equal(f[3:7], want)
		}) {
			t.Errorf("no line has %q:\n%s", want, out)
		}
	}
}

// enrolled starts a worker that has no token but what it is enrolled with, on the
// machine whose state is at dir.
func (s *site) enrolled(name, dir string, args ...string) *process {
	s.t.Helper()
	env := []string{s.env[0], "XDG_STATE_HOME=" + dir}
	p := start(s.t, env, append([]string{"worker", "--name", name, "--log-level", "debug", "--log-format", "json", pipelinesDir(s.t)}, args...)...)
	p.says(`"msg":"registered"`)
	return p
}

// credential is the token of the site's only worker.
func (s *site) credential() api.Token {
	s.t.Helper()
	tokens, err := s.client.Tokens(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, k := range tokens {
		if k.Kind == api.TokenWorker && k.Successor == "" {
			return k
		}
	}
	s.t.Fatalf("no worker has a credential: %+v", tokens)
	return api.Token{}
}

// A worker is enrolled once, and needs nothing more: not when it is killed, not
// when its credential is over, and not when the enrolment is. When its credential
// is revoked, its next word is that it is refused.
func TestAWorkerIsEnrolled(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	enrolment, state := s.enrolment("--name-pattern", "edge-?"), t.TempDir()
	w := s.enrolled("edge-1", state, "--enrol-token-file", enrolment)
	s.ended(s.submit(api.Submit{Pipeline: "nothing"}).Cookie, api.StateSucceeded)
	first := s.credential().ID
	w.kill()
	w.ends()

	file := filepath.Join(state, "pullrun", "credentials", "edge-1")
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	was := decode[map[string]any](t, string(kept))
	was["renew_at"] = time.Now().Add(-time.Hour)
	late, err := json.Marshal(was)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, late, 0o600); err != nil {
		t.Fatal(err)
	}
	w = s.enrolled("edge-1", state) // without the enrolment
	w.says(`"msg":"credential is replaced"`)
	if now := s.credential().ID; now == first {
		t.Errorf("the credential is still %s", first)
	}
	s.ended(s.submit(api.Submit{Pipeline: "nothing"}).Cookie, api.StateSucceeded)

	other := start(t, s.env[:1], "worker", "--name", "edge-2", "--enrol-token-file", enrolment, pipelinesDir(t))
	if code := other.ends(); code != exitRefused || !strings.Contains(other.log(), "exchanged before") {
		t.Errorf("a second worker with the enrolment ended with %d: %s", code, other.log())
	}

	if code, _, log := call(t, s.env, "tokens", "revoke", s.credential().ID); code != exitDone {
		t.Fatalf("tokens revoke = %d %s", code, log)
	}
	if code := w.ends(); code != exitRefused || !strings.Contains(w.log(), "enrol") {
		t.Errorf("the worker whose credential is revoked ended with %d: %s", code, w.log())
	}
}

// An earlier process has got a new credential accepted and did not learn that, and
// the old one is over. The worker registers with the old one, as long as it has not
// found out, and that is not the end of it.
func TestAWorkerWhoseCredentialWasReplacedUnawares(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	state := t.TempDir()
	w := s.enrolled("edge-1", state, "--enrol-token-file", s.enrolment())
	w.signal(syscall.SIGTERM)
	w.ends()
	file := filepath.Join(state, "pullrun", "credentials", "edge-1")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	kept := decode[map[string]any](t, string(raw))
	old, next := fmt.Sprint(kept["token"]), api.NewTokenText(api.TokenWorker)
	c, err := client.New(client.Config{URL: "http://" + s.addr, Token: func() string { return old }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.RotateCredential(t.Context(), api.Credential("edge-1", next)); err != nil {
		t.Fatal(err)
	}
	kept["next"] = next
	if raw, err = json.Marshal(kept); err == nil {
		err = os.WriteFile(file, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}

	refused := make(chan struct{}) // closed when a registration with the old one is
	first := sync.OnceFunc(func() { close(refused) })
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: s.addr})
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer "+old {
			r.Header.Set("Authorization", "Bearer that-is-over-0123456789")
			if r.URL.Path == "/v1/workers" {
				defer first()
			} else {
				<-refused
			}
		}
		proxy.ServeHTTP(w, r)
	}))
	defer front.Close()
	w = start(t, []string{"XDG_STATE_HOME=" + state}, "worker", "--server-url", front.URL, "--name", "edge-1", "--log-format", "json", pipelinesDir(t))
	defer w.kill() // before front waits for its calls
	w.says(`"msg":"registered"`)
	s.ended(s.submit(api.Submit{Pipeline: "nothing"}).Cookie, api.StateSucceeded)
}

// A token in a file is replaced without a restart of either side: first where it
// is shown, then where it is known.
func TestATokenIsReplacedInItsFile(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	old, young := "old-0123456789abcdef", "new-0123456789abcdef"
	known, shown := s.write("known.token", old), s.write("shown.token", old)
	s.extra = []string{"PULLRUN_TOKENS=[{name: test, token: " + testToken + ", scopes: [admin]}, {name: a, token_file: " + known + ", scopes: [work]}, {name: b, token: " + young + ", scopes: [work]}]"}
	srv := s.server()
	w := start(t, s.env[:1], "worker", "--name", "w", "--server-token-file", shown, "--log-level", "debug", "--log-format", "json", pipelinesDir(t))
	w.says(`"msg":"registered"`)
	replace := func(file, token string) {
		t.Helper()
		if err := os.WriteFile(file+".new", []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	replace(shown, young)
	replace(known, "third-0123456789abcdef")
	srv.says(`"msg":"secret was replaced"`) // the old one is good for nothing now
	w.says(`"msg":"secret was replaced"`)
	s.ended(s.submit(api.Submit{Pipeline: "nothing"}).Cookie, api.StateSucceeded)
	if strings.Contains(w.log()+srv.log(), old) || strings.Contains(w.log()+srv.log(), young) {
		t.Error("a log holds a token")
	}
}
