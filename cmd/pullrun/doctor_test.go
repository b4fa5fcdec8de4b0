package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/fresh/freshtest"
	"github.com/pullrun/pullrun/manager/outbox"
	"github.com/pullrun/pullrun/poller/faultproxy"
)

// examined is what the doctor said, by check.
type examined struct {
	OK     bool      `json:"ok"`
	Checks []finding `json:"checks"`
}

// examine runs the doctor, who must end as the findings say.
func (s *site) examine(env []string, args ...string) map[string]finding {
	s.t.Helper()
	p := start(s.t, slices.Concat(s.env, env), slices.Concat([]string{"doctor", "--output", "json", "--name", "edge", s.pipelines()}, args)...)
	code := p.endsWithin(time.Minute + patience) // it may hold a call
	out, log := p.out.String(), p.log()
	got := decode[examined](s.t, out)
	findings := make(map[string]finding)
	failed := false
	for _, f := range got.Checks {
		findings[f.Check] = f
		failed = failed || f.Status == checkFail
		if f.Advice == "" && (f.Status == checkFail || f.Status == checkWarn) || f.Seen == "" {
			s.t.Errorf("%+v says too little", f)
		}
	}
	if want := map[bool]int{false: exitDone, true: exitUnwell}[failed]; code != want || got.OK == failed {
		s.t.Errorf("doctor ends with %d and ok %t, want %d\n%s\n%s", code, got.OK, want, out, log)
	}
	return findings
}

func (s *site) pipelines() string {
	s.t.Helper()
	dir, err := filepath.Abs("testdata/pipelines")
	if err != nil {
		s.t.Fatal(err)
	}
	return dir
}

// sees wants findings to have a status and a text.
func sees(t *testing.T, got map[string]finding, check, status, text string) {
	t.Helper()
	if f := got[check]; f.Status != status || !strings.Contains(f.Seen+" -> "+f.Advice, text) {
		t.Errorf("%s: %q %q -> %q, want %q and %q", check, f.Status, f.Seen, f.Advice, status, text)
	}
}

// Where all is well, the doctor says so, and a worker of the same name goes on.
func TestDoctorFindsNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	w := s.worker("edge", "--outbox-dir", filepath.Join(s.dir, "outbox"))
	got := s.examine(nil, "--outbox-dir", filepath.Join(s.dir, "outbox"), "--idle-cut", "1s")
	for _, check := range []string{"settings", "dns", "proxy", "connect", "http", "clock", "token", "version", "store", "pipelines", "outbox", "collector", "idle cut"} {
		sees(t, got, check, checkOK, "")
	}
	sees(t, got, "token", checkOK, `"test", with the scopes admin`)
	sees(t, got, "idle cut", checkOK, "left alone for 1s")
	s.ended(s.submit(api.Submit{Pipeline: "nothing"}).Cookie, api.StateSucceeded)
	if strings.Contains(w.log(), "registered again") || strings.Count(w.log(), `"msg":"registered"`) != 1 {
		t.Errorf("the worker was disturbed:\n%s", w.log())
	}
}

func TestDoctorFinds(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	authority := freshtest.NewAuthority(t, "a private authority")
	secure := func(hosts ...string) string {
		cert, key := authority.Issue(t, hosts...)
		return serveTLS(t, cert, key, tls.NoClientCert)
	}
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "<html>", http.StatusBadGateway)
	}))
	t.Cleanup(page.Close)
	late := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		fmt.Fprint(w, `{"version":"v9.9.9"}`)
	}))
	t.Cleanup(late.Close)
	full := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"version":"v9.9.9","token":"t","scopes":["work"],"full":true}`)
	}))
	t.Cleanup(full.Close)
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	expired, expiredKey := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	authority.IssueInto(t, expired, expiredKey, -time.Hour, "127.0.0.1")
	cert, key := authority.Issue(t, "127.0.0.1")
	asks := []string{"--server-url", serveTLS(t, cert, key, tls.RequireAnyClientCert), "--server-ca-file", authority.File}
	for _, tt := range []struct {
		name, check, status, text string
		env, args                 []string
	}{
		{"settings that are wrong", "settings", checkFail, "capacity", nil, []string{"--capacity", "0"}},
		{"a name that nobody knows", "dns", checkFail, "nowhere.invalid", nil, []string{"--server-url", "http://nowhere.invalid"}},
		{"a server that is not there", "connect", checkFail, "refused", nil, []string{"--server-url", "http://" + gone.Addr().String()}},
		{"a proxy that is not there", "connect", checkFail, "that the proxy runs", nil, []string{"--server-proxy", "http://" + gone.Addr().String()}},
		{"an authority that nobody trusts", "tls", checkFail, `by "CN=a private authority", which this machine does not trust -> if that is the server's own authority, name its certificate in server.ca_file`, nil, []string{"--server-url", secure("127.0.0.1")}},
		{"a certificate for another name", "tls", checkFail, "certificate for other.example.com", nil, []string{"--server-url", secure("other.example.com"), "--server-ca-file", authority.File}},
		{"a certificate of yesterday", "tls", checkFail, "renew", nil, []string{"--server-url", serveTLS(t, expired, expiredKey, tls.NoClientCert), "--server-ca-file", authority.File}},
		{"HTTP in place of TLS", "tls", checkFail, "HTTPS", nil, []string{"--server-url", "https://" + s.addr}},
		{"a server that asks for a certificate", "tls", checkFail, "asks for a certificate of this worker", nil, asks},
		{"a server that asks for a certificate has not been spoken to", "http", checkSkip, "needs TLS", nil, asks},
		{"a page of something else", "http", checkFail, "502 Bad Gateway (text/plain; charset=utf-8), which is not a pullrun server's", nil, []string{"--server-url", page.URL}},
		{"a wrong path", "http", checkFail, "check the path", nil, []string{"--server-url", "http://" + s.addr + "/x"}},
		{"a clock that is wrong", "clock", checkWarn, "ahead of the server's", nil, []string{"--server-url", late.URL}},
		{"a server whose disk is full", "store", checkWarn, "new runs and what runs log are refused -> make room there", nil, []string{"--server-url", full.URL}},
		{"a token that nobody knows", "token", checkFail, "does not take", []string{"PULLRUN_SERVER_TOKEN=nobody-0123456789abcdef"}, nil},
		{"a token that may not work", "token", checkFail, `"submitter" has the scopes submit`, []string{"PULLRUN_SERVER_TOKEN=" + submitterToken}, nil},
		{"pipelines that do not load", "pipelines", checkFail, "main.yml", nil, []string{"testdata/broken"}},
		{"an outbox that cannot be made", "outbox", checkFail, "cannot be made", nil, []string{"--outbox-dir", "/proc/nothing/outbox"}},
		{"no outbox", "outbox", checkWarn, "kept in memory", nil, []string{"--outbox-dir", ""}},
		{"a collector that is not there", "collector", checkFail, "refused", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + gone.Addr().String()}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			here := *s
			here.t = t
			if tt.args != nil && tt.args[0] == "testdata/broken" {
				dir, err := filepath.Abs(tt.args[0])
				if err != nil {
					t.Fatal(err)
				}
				tt.args = []string{dir}
			}
			sees(t, here.examine(tt.env, slices.Concat([]string{"--idle-cut", "0"}, tt.args)...), tt.check, tt.status, tt.text)
		})
	}
}

// serveTLS serves something with this certificate, and asks for one.
func serveTLS(t *testing.T, cert, key string, auth tls.ClientAuthType) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{TLSConfig: &tls.Config{ClientAuth: auth}, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)}
	done := make(chan error, 1)
	go func() { done <- s.ServeTLS(l, cert, key) }()
	t.Cleanup(func() {
		s.Close()
		<-done
	})
	return "https://" + l.Addr().String()
}

// The time after which a path cuts what is silent is found, and what it means
// for a worker.
func TestDoctorFindsTheIdleCut(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	for _, tt := range []struct {
		after        time.Duration
		status, text string
	}{
		{7 * time.Second, checkWarn, "nginx: proxy_read_timeout"},
		{2 * time.Second, checkFail, "less than a worker can adapt to"},
	} {
		t.Run(tt.after.String(), func(t *testing.T) {
			t.Parallel()
			here := *s
			here.t = t
			_, addr := faultproxy.Start(t, s.addr, func(e faultproxy.Exchange) faultproxy.Fault {
				return faultproxy.Fault{Kind: faultproxy.Timeout, After: tt.after}
			})
			got := here.examine(nil, "--server-url", "http://"+addr, "--idle-cut", "5m")
			sees(t, got, "idle cut", tt.status, tt.text)
			var seconds float64
			if _, err := fmt.Sscanf(got["idle cut"].Seen, "a silent call is cut after %fs:", &seconds); err != nil || seconds < tt.after.Seconds() {
				t.Errorf("the doctor says %q, want %s", got["idle cut"].Seen, tt.after)
			}
		})
	}
}

// What waits in an outbox is seen, also while a worker has it, and nothing in it
// is changed.
func TestDoctorLooksIntoTheOutbox(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server()
	dir := filepath.Join(s.dir, "outbox")
	box, err := outbox.Open(outbox.Config{Dir: dir, Max: 1 << 20}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	for n := range 3 {
		e := outbox.Entry{Result: api.Result{Cookie: fmt.Sprint("c", n), Fence: 1, RC: api.RCOK}, EndedAt: time.Now().Add(-time.Hour)}
		if err := box.Put(e); err != nil {
			t.Fatal(err)
		}
	}
	box.Judged(outbox.Key{Cookie: "c0", Fence: 1})
	file := filepath.Join(dir, "results")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := s.examine(nil, "--outbox-dir", dir, "--idle-cut", "0")
	sees(t, got, "outbox", checkWarn, "2 results of ")
	sees(t, got, "outbox", checkWarn, "the oldest for 1h0m")

	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the outbox was changed: %v", err)
	}
	damaged := slices.Clone(before)
	damaged[40] ^= 1
	if err := os.WriteFile(file, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	sees(t, s.examine(nil, "--outbox-dir", dir, "--idle-cut", "0"), "outbox", checkWarn, "1 record cannot be read")
}

// docs/network.md shows what the doctor prints.
func TestDocsShowTheDoctor(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../docs/network.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```console\n\\$ pullrun doctor ([^\n]*)\n(.*?)```").FindSubmatch(raw)
	if block == nil {
		t.Fatal("docs/network.md does not show the doctor")
	}
	s := newSite(t)
	s.server()
	_, addr := faultproxy.Start(t, s.addr, func(faultproxy.Exchange) faultproxy.Fault {
		return faultproxy.Fault{Kind: faultproxy.Timeout, After: 6 * time.Second}
	})
	p := start(t, slices.Concat(s.env, []string{"PULLRUN_SERVER_URL=http://" + addr, "PULLRUN_NAME=edge"}),
		slices.Concat([]string{"doctor"}, strings.Fields(string(block[1])), []string{s.pipelines()})...)
	if code := p.ends(); code != exitDone {
		t.Errorf("doctor ends with %d", code)
	}
	got := p.out.String()
	want := string(block[2])
	for _, varies := range []struct{ pattern, with string }{
		{`"[^"\n]+", with the scopes \w+`, `TOKEN`},
		{`worker \S+, server \S+`, `VERSIONS`},
		{`\d+ pipelines`, `PIPELINES`},
		{`\S+/outbox/edge is made`, `OUTBOX is made`},
		{`server at \S+`, `ADDRESS`},
		{`dns        [^\n]*`, `dns        DNS`},
		{`after \d[0-9.]*s`, `after TIME`},
		{`HTTPS?_PROXY`, `VARIABLE`},
		{`\d given`, `N given`},
		{`tls[^\n]*\n`, ``},
	} {
		r := regexp.MustCompile(varies.pattern)
		got, want = r.ReplaceAllString(got, varies.with), r.ReplaceAllString(want, varies.with)
	}
	got = strings.ReplaceAll(got, "ok    TLS", "")
	want = regexp.MustCompile(`(?m)^ok    $`).ReplaceAllString(want, "")
	if got != want {
		t.Errorf("the doctor prints\n%s\ndocs/network.md has\n%s", got, want)
	}
}

// The doctor prints no colour where nobody asked for it.
func TestDoctorIsPlain(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(program, "doctor", "--idle-cut", "0", "--server-url", "http://127.0.0.1:1")
	cmd.Env = append(os.Environ(), "NO_COLOR=1", "XDG_STATE_HOME="+t.TempDir())
	out, _ := cmd.CombinedOutput() // it fails
	if bytes.ContainsRune(out, 0x1b) || !bytes.Contains(out, []byte("fail  connect")) {
		t.Errorf("the doctor prints %q", out)
	}
}
