//go:build unix

package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pullrun/pullrun/api"
)

// seen waits until the server sees the worker as wanted.
func (s *site) seen(name string, wanted func(api.Worker) bool) {
	s.t.Helper()
	var last []api.Worker
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var err error
		if last, err = s.client.Workers(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
		for _, w := range last {
			if w.ID == name && wanted(w) {
				return
			}
		}
	}
	s.t.Fatalf("the server never saw worker %q as it should be, but %+v", name, last)
}

func TestAWorkerReadsItsSettingsAnew(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	dir := filepath.Join(s.dir, "pipelines")
	s.write("pipelines/old.yml", "- return: 1\n")
	settings := func(more string) {
		s.write("worker.yaml", fmt.Sprintf("name: w\nserver: { url: http://%s, token: %s }\npipelines: { dirs: [%q] }\nlisten: 127.0.0.1:0\n%s", s.addr, testToken, dir, more))
	}
	settings("capacity: 2\nlog: { level: info, format: json }\n")
	w := start(t, nil, "worker", "--config", filepath.Join(s.dir, "worker.yaml"))
	base := "http://" + w.statusAddr()
	s.seen("w", func(w api.Worker) bool { return w.Capacity == 2 && len(w.Pipelines) == 1 })
	g := newGate(t)
	raw, err := os.ReadFile(filepath.Join(pipelinesDir(t), "hang.yml"))
	if err != nil {
		t.Fatal(err)
	}

	// What can change does, and what is new is there.
	s.write("pipelines/hang.yml", string(raw))
	settings("capacity: 5\nqueues: [default, other]\nlabels: { zone: a }\nlog: { level: debug, format: json }\n")
	w.signal(syscall.SIGHUP)
	w.says(`"setting":"log.level","from":"info","to":"debug"`)
	w.says(`"msg":"settings are read anew"`)
	s.seen("w", func(w api.Worker) bool {
		return w.Capacity == 5 && len(w.Pipelines) == 2 && len(w.Queues) == 2 && w.Labels["zone"] == "a"
	})
	run := s.submit(api.Submit{Pipeline: "hang", Queue: "other", Variables: g.variables("x")})
	g.waits(t, 1)

	// What is wrong changes nothing, be it in a file of settings or a pipeline,
	// and neither does it harm what runs.
	settings("capacity: 0\nqueue: [default]\n")
	w.signal(syscall.SIGHUP)
	w.says(`queue: unknown key; did you mean \"queues\"?`)
	s.write("pipelines/bad.yml", "- retur: 1\n")
	settings("capacity: 6\n")
	w.signal(syscall.SIGHUP)
	w.says(`"msg":"pipelines are wrong, all settings and pipelines are kept as they were"`)
	if body := answers(t, base+"/v1/status", func(code int, _ string) bool { return code == 200 }); !strings.Contains(body, `"limit":5`) || !strings.Contains(body, run.Cookie) {
		t.Errorf("after settings that are wrong, the worker stands so: %s", body)
	}

	// What wants a restart is said, each time, and the rest is done.
	if err := os.Remove(filepath.Join(dir, "bad.yml")); err != nil {
		t.Fatal(err)
	}
	settings("capacity: 6\noutbox: { max: 32MiB }\n")
	for range 2 {
		w.signal(syscall.SIGHUP)
		w.says(`"setting":"outbox.max","from":"64MiB","to":"32MiB"`)
		s.seen("w", func(w api.Worker) bool { return w.Capacity == 6 && len(w.Queues) == 1 && w.Labels["zone"] == "" })
	}
	g.letGo()
	s.ended(run.Cookie, api.StateSucceeded)
	if n := strings.Count(w.log(), "contact with the server is lost"); n > 0 {
		t.Errorf("the worker took a change of settings for a loss of contact")
	}
}

// In an outage the server learns of new settings when it is back.
func TestAWorkerReadsItsSettingsAnewInAnOutage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	settings := func(capacity int) {
		s.write("worker.yaml", fmt.Sprintf("name: w\nserver: { url: \"http://%s\", token: %s }\npipelines: { dirs: [%q] }\nlisten: \"\"\nlog: { format: json }\ncapacity: %d\n",
			s.addr, testToken, pipelinesDir(t), capacity))
	}
	settings(2)
	w := start(t, nil, "worker", "--config", filepath.Join(s.dir, "worker.yaml"))
	w.says("contact with the server is lost")
	settings(3)
	w.signal(syscall.SIGHUP)
	w.says(`"msg":"new settings are in force here, and wait for the server, which may refuse them"`)
	s.server()
	w.says(`"setting":"capacity","from":"2","to":"3"`)
	s.seen("w", func(w api.Worker) bool { return w.Capacity == 3 })
}

// Of a secret that is another the log says that it is, and no more.
func TestSecretsThatChangeAreTold(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	server := s.server()
	settings := func(token, password string) {
		s.write("worker.yaml", fmt.Sprintf("name: w\nserver: { url: \"http://%s\", token: %s, proxy_user: me, proxy_password: %s }\npipelines: { dirs: [%q] }\nlisten: \"\"\nlog: { format: json }\n",
			s.addr, token, password, pipelinesDir(t)))
	}
	const newToken, newPassword = "work-0123456789abcdef", "sesame-0123456789abcdef"
	settings(testToken, "hunter-0123456789abcdef")
	w := start(t, nil, "worker", "--config", filepath.Join(s.dir, "worker.yaml"))
	w.says(`"msg":"registered"`)

	raw, err := os.ReadFile(filepath.Join(s.dir, "server.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	changed := `"msg":"setting is changed","setting":"%s","source":"` + s.dir
	// The server's tokens are one setting, whose scopes are shown.
	work := strings.Replace(string(raw), "[submit]", "[work]", 1)
	s.write("server.yaml", work)
	server.signal(syscall.SIGHUP)
	server.says(`"msg":"settings are read anew","changed":1`)
	s.write("server.yaml", strings.Replace(work, submitterToken, newToken, 1))
	server.signal(syscall.SIGHUP)
	server.says(fmt.Sprintf(changed, "tokens"))
	settings(newToken, newPassword)
	w.signal(syscall.SIGHUP)
	w.says(fmt.Sprintf(changed, "server.token"))
	w.says(fmt.Sprintf(changed, "server.proxy_password"))
	w.says(`"msg":"settings are read anew","changed":2`)
	for _, log := range []string{server.log(), w.log()} {
		if strings.Contains(log, newToken) || strings.Contains(log, newPassword) {
			t.Errorf("a secret is in the log:\n%s", log)
		}
	}
}

// A password for the proxy that is replaced in its file is used without a word
// from anybody.
func TestAProxyPasswordIsReplaced(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	var password atomic.Value
	password.Store("old-0123456789")
	forward := &httputil.ReverseProxy{Rewrite: func(*httputil.ProxyRequest) {}, ErrorLog: log.New(io.Discard, "", 0)} // calls that end
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		want := "Basic " + base64.StdEncoding.EncodeToString([]byte("me:"+password.Load().(string)))
		if r.Header.Get("Proxy-Authorization") != want {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.CloseClientConnections)
	t.Cleanup(proxy.Close)
	file := s.write("password", "old-0123456789\n")
	w := s.worker("w", "--server-proxy", proxy.URL, "--server-proxy-user", "me", "--server-proxy-password-file", file)
	password.Store("new-0123456789")
	w.says("contact with the server is lost")
	s.write("password", "new-0123456789\n")
	w.says("contact with the server is back")
}

func TestAServerReadsItsSettingsAnew(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	srv := s.server()
	path := filepath.Join(s.dir, "server.yaml")
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const added = "added-0123456789abcdef"
	status := func(token string) int {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+s.addr+"/v1/workers", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := status(added); got != 401 {
		t.Fatalf("a token that nobody knows = %d, want 401", got)
	}
	text := strings.Replace(string(old), "tokens:\n", "tokens:\n  - { name: added, token: "+added+", scopes: [read] }\n", 1)
	s.write("server.yaml", strings.Replace(text, "hold: 25s", "hold: 20s\noffer_timeout: 9s", 1))
	srv.signal(syscall.SIGHUP)
	srv.says(`"setting":"hold","from":"25s","to":"20s"`)
	srv.says(`"setting":"offer_timeout","from":"10s","to":"9s"`) // wants a restart
	srv.says(`"msg":"settings are read anew"`)
	if got := status(added); got != 200 {
		t.Errorf("a token that was added = %d, want 200", got)
	}
	s.worker("w").says(`"hold":"20s"`)
	// Settings that are wrong change nothing.
	s.write("server.yaml", strings.Replace(string(old), "hold: 25s", "hold: 0s", 1))
	srv.signal(syscall.SIGHUP)
	srv.says(`"msg":"settings are wrong, all are kept as they were"`)
	if got := status(added); got != 200 {
		t.Errorf("after settings that are wrong, the token = %d, want 200", got)
	}
	s.write("server.yaml", string(old))
	srv.signal(syscall.SIGHUP)
	srv.says(`"setting":"hold","from":"20s","to":"25s"`)
	for deadline := time.Now().Add(patience); status(added) != 401; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("a token that was removed = %d, want 401", status(added))
		}
	}
	if strings.Contains(srv.log(), added) {
		t.Error("the token is in the log")
	}
}

// A worker that reads its settings anew while it drains registers again. It has
// not left by that.
func TestAWorkerThatRegistersAgainHasNotLeft(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	settings := func(more string) string {
		return s.write("worker.yaml", fmt.Sprintf("name: w\nserver: { url: http://%s, token: %s }\npipelines: { dirs: [%q] }\nlisten: 127.0.0.1:0\n%s",
			s.addr, testToken, pipelinesDir(t), more))
	}
	w := start(t, nil, "worker", "--config", settings(""), "--log-format", "json")
	w.says(`"msg":"registered"`)
	g := newGate(t)
	run := s.submit(api.Submit{Pipeline: "hang", Variables: g.variables("1")})
	g.waits(t, 1)

	looked := make(chan struct{}, 100)
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: s.addr})
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxy.ServeHTTP(w, r)
		looked <- struct{}{}
	}))
	defer front.Close()
	waiting := start(t, s.env, "workers", "drain", "w", "--wait", "--server-url", front.URL)
	waiting.says("waiting until it has left")
	w.says("the server asks this worker to end")
	settings("labels: { zone: a }\n")
	w.signal(syscall.SIGHUP)
	s.seen("w", func(w api.Worker) bool { return w.Labels["zone"] == "a" && w.Draining })
	for len(looked) > 0 { // what it has seen until now tells nothing
		<-looked
	}
	for range 2 { // the first may have been answered before
		select {
		case <-looked:
		case <-waiting.done:
			t.Fatalf("drain --wait ended with %d while the worker has a run:\n%s", waiting.code(), waiting.log())
		}
	}
	g.letGo()
	if code := waiting.ends(); code != exitDone {
		t.Errorf("drain --wait ended with %d, want 0", code)
	}
	if code := w.ends(); code != exitDone {
		t.Errorf("the worker ended with %d, want 0", code)
	}
	s.ended(run.Cookie, api.StateSucceeded)
}
