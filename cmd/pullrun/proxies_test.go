package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
	"github.com/pullrun/pullrun/api/fresh/freshtest"
)

// wants finds a program of the system's that a test cannot do without.
func wants(t *testing.T, program, pkg string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		path := filepath.Join(dir, program)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path
		}
	}
	t.Fatalf("%s is not installed: install the package %s, or have the scripts in tools do so as root, as make test does", program, pkg)
	return ""
}

// freeAddr is an address of this machine that nothing listens on.
func freeAddr(t *testing.T, host string) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// serves waits until something listens there.
func serves(t *testing.T, p *process, addr string) {
	t.Helper()
	for over := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return
		}
		select {
		case <-p.done:
			t.Fatalf("ended with %d:\n%s", p.code(), p.log())
		default:
		}
		if time.Now().After(over) {
			t.Fatalf("nothing listens on %s within %s:\n%s", addr, patience, p.log())
		}
	}
}

// nginx stands before a server and cuts what is silent for so long.
func nginx(t *testing.T, server string, cut time.Duration) (addr string) {
	t.Helper()
	program := wants(t, "nginx", "nginx")
	dir := t.TempDir()
	addr = freeAddr(t, "127.0.0.1")
	config := fmt.Sprintf(`
daemon off;
master_process off;
pid %[1]s/pid;
error_log stderr warn;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
  server {
    listen %[2]s;
    location / { proxy_pass http://%[3]s; proxy_http_version 1.1; proxy_read_timeout %[4]ds; }
  }
}
`, dir, addr, server, int(cut.Seconds()))
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	serves(t, startAs(t, nil, program, "-p", dir, "-e", "stderr", "-c", file), addr)
	return addr
}

// Behind an nginx that gives up on silent calls before the hold is over, a worker
// adapts, says so once, and loses no lease; the doctor names the cut.
func TestBehindNginx(t *testing.T) {
	t.Parallel()
	cut, hold, lease := 6*time.Second, 10*time.Second, 30*time.Second
	if os.Getenv("PULLRUN_TEST_LONG") != "" {
		cut, hold, lease = 30*time.Second, 50*time.Second, 90*time.Second
	}
	s := newSite(t)
	s.extra = []string{"PULLRUN_HOLD=" + hold.String(), "PULLRUN_LEASE=" + lease.String()}
	s.server()
	addr := nginx(t, s.addr, cut)
	through := "PULLRUN_SERVER_URL=http://" + addr
	direct := s.env
	s.env = slices.Concat(s.env, []string{through})
	w := s.worker("edge")
	first := s.ended(s.submit(api.Submit{Pipeline: "nothing"}).Cookie, api.StateSucceeded)
	w.saysWithin("polls are cut on the way, holding them shorter", 4*cut+patience)
	runs := []api.Run{first}
	for range 3 { // one for each hold, at any time of it
		runs = append(runs, s.ended(s.submit(api.Submit{Pipeline: "nothing"}).Cookie, api.StateSucceeded))
	}
	for _, run := range runs {
		if run.Attempt != 1 {
			t.Errorf("run %s had %d attempts, want one: a lease was lost", run.Cookie, run.Attempt)
		}
	}
	if n := strings.Count(w.log(), "holding them shorter"); n != 1 || strings.Contains(w.log(), "contact with the server is lost") {
		t.Errorf("the worker said %d times that it holds polls shorter, want once, and no outage:\n%s", n, w.log())
	}
	s.env = direct
	here := *s
	here.env = slices.Concat(direct, []string{through})
	got := here.examine(nil, "--idle-cut", (2 * cut).String())
	status := checkWarn
	if cut >= 30*time.Second {
		status = checkOK // polls are held for less
	}
	sees(t, got, "idle cut", status, "504 Gateway Time-out")
	var seconds float64
	if _, err := fmt.Sscanf(got["idle cut"].Seen, "a silent call is cut after %fs:", &seconds); err != nil || seconds < cut.Seconds()-1 {
		t.Errorf("the doctor says %q, want that it is cut after %s", got["idle cut"].Seen, cut)
	}
}

// A cell is a network namespace from which nothing can be reached but one
// address of this machine.
type cell struct {
	name string
	out  string // the address
}

// newCell makes one. It takes root.
func newCell(t *testing.T) cell {
	t.Helper()
	if os.Getenv("PULLRUN_TEST_NETNS") == "none" {
		t.Skip("PULLRUN_TEST_NETNS is none")
	}
	ip := wants(t, "ip", "iproute2")
	id := strings.ToLower(rand.Text()[:6])
	var subnet [2]byte
	_, _ = rand.Read(subnet[:]) // it never fails
	network := fmt.Sprintf("198.%d.%d.%%d", 18+subnet[0]%2, subnet[1])
	c := cell{name: "pullrun-" + id, out: fmt.Sprintf(network, 1)}
	outside, inside := "pr"+id+"o", "pr"+id+"i"
	run := func(args ...string) error {
		if out, err := exec.Command(ip, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
		}
		return nil
	}
	t.Cleanup(func() {
		_ = run("link", "del", outside)    // what was made of it
		_ = run("netns", "delete", c.name) // as above
	})
	for _, args := range [][]string{
		{"netns", "add", c.name},
		{"link", "add", outside, "type", "veth", "peer", "name", inside},
		{"link", "set", inside, "netns", c.name},
		{"address", "add", c.out + "/30", "dev", outside},
		{"link", "set", outside, "up"},
		{"-n", c.name, "address", "add", fmt.Sprintf(network, 2) + "/30", "dev", inside},
		{"-n", c.name, "link", "set", inside, "up"},
		{"-n", c.name, "link", "set", "lo", "up"},
	} {
		if err := run(args...); err != nil {
			t.Fatalf("make a network namespace: %v; it takes root, and PULLRUN_TEST_NETNS=none leaves this test out", err)
		}
	}
	return c
}

// inside is a command line that runs in the cell.
func (c cell) inside(args ...string) []string {
	return slices.Concat([]string{"ip", "netns", "exec", c.name, program}, args)
}

// squid is a forward proxy on an address, which wants a user and a password, and
// alone knows where the host of the server is. The access file names what it has
// carried.
func squid(t *testing.T, host, server string) (addr, access string) {
	t.Helper()
	program := wants(t, "squid", "squid")
	dir, err := os.MkdirTemp("", "pullrun-squid-") // it changes its user, who must get there
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	addr = freeAddr(t, host)
	_, port, _ := net.SplitHostPort(server)
	for name, text := range map[string]string{
		"hosts": "127.0.0.1 server.test\n",
		"auth":  "while read -r user password; do\n  if [ \"$user $password\" = \"edge sesame\" ]; then echo OK; else echo ERR; fi\ndone\n",
		"squid.conf": fmt.Sprintf(`
http_port %[2]s
visible_hostname proxy.test
pid_filename none
access_log stdio:%[1]s/log/access
cache_log %[1]s/log/cache
coredump_dir %[1]s
netdb_filename none
cache deny all
cache_mem 1 MB
memory_cache_shared off
max_filedescriptors 1024
shutdown_lifetime 1 seconds
hosts_file %[1]s/hosts
auth_param basic program /bin/sh %[1]s/auth
auth_param basic children 1
auth_param basic realm proxy
acl known proxy_auth REQUIRED
acl server port %[3]s
http_access deny !server
http_access allow CONNECT known
http_access deny all
`, dir, addr, port),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	logs := filepath.Join(dir, "log")
	if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(logs, 0o777), os.Chmod(logs, 0o777)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if raw, err := os.ReadFile(filepath.Join(logs, "cache")); t.Failed() && err == nil {
			t.Logf("squid's log:\n%s", raw)
		}
	})
	serves(t, startAs(t, nil, program, "-N", "-f", filepath.Join(dir, "squid.conf")), addr)
	return addr, filepath.Join(logs, "access")
}

// From where nothing but a proxy can be reached, a run goes through it, over TLS
// with certificates on both sides, and the doctor says what is in the way until
// it does.
func TestThroughSquid(t *testing.T) {
	t.Parallel()
	c := newCell(t)
	s := newSite(t)
	authority := freshtest.NewAuthority(t, "ours")
	cert, key := authority.Issue(t, "server.test")
	mine, myKey := authority.Issue(t, "edge")
	s.extra = []string{"PULLRUN_TLS_CERT_FILE=" + cert, "PULLRUN_TLS_KEY_FILE=" + key, "PULLRUN_TLS_CLIENT_CA_FILE=" + authority.File}
	s.server()
	_, port, _ := net.SplitHostPort(s.addr)
	url := "https://server.test:" + port
	s.env = []string{"PULLRUN_SERVER_URL=" + url, "PULLRUN_SERVER_TOKEN=" + testToken, "PULLRUN_SERVER_CA_FILE=" + authority.File,
		"PULLRUN_SERVER_CERT_FILE=" + mine, "PULLRUN_SERVER_KEY_FILE=" + myKey}
	s.reachedBy(client.Config{URL: url, Token: func() string { return testToken }, Retries: 10, Transport: client.Transport{
		CAFile: authority.File, CertFile: mine, KeyFile: myKey, Dial: dialAlways(s.addr)}})
	proxy, access := squid(t, c.out, s.addr)
	password := s.write("proxy.password", "sesame\n")
	wrong := s.write("wrong.password", "hunter2\n")

	sees(t, s.examineIn(c, nil), "dns", checkFail, "where only a proxy can be reached, name it in server.proxy")
	named := []string{"PULLRUN_SERVER_PROXY=http://" + proxy}
	sees(t, s.examineIn(c, named), "proxy", checkFail, "407 Proxy Authentication Required")
	user := append(named, "PULLRUN_SERVER_PROXY_USER=edge")
	sees(t, s.examineIn(c, append(user, "PULLRUN_SERVER_PROXY_PASSWORD_FILE="+wrong)), "proxy", checkFail, "server.proxy_password_file")
	whole := append(user, "PULLRUN_SERVER_PROXY_PASSWORD_FILE="+password)
	got := s.examineIn(c, whole)
	sees(t, got, "proxy", checkOK, "http://edge:xxxxx@"+proxy+`: server.proxy says so, as "edge"`)
	sees(t, got, "dns", checkOK, "looked up by the proxy")
	sees(t, got, "tls", checkWarn, "TLS 1.3, certificate for server.test") // for a day
	sees(t, got, "http", checkOK, "over HTTP/2.0")
	sees(t, got, "token", checkOK, "admin")

	w := startAs(t, slices.Concat(s.env, whole), c.inside("worker", "--name", "edge", "--log-level", "debug", "--log-format", "json", s.pipelines())...)
	w.says(`"msg":"registered"`)
	run := s.ended(s.submit(api.Submit{Pipeline: "nothing"}).Cookie, api.StateSucceeded)
	if run.Worker != "edge" || run.Attempt != 1 {
		t.Errorf("the run was worked on by %q in attempt %d", run.Worker, run.Attempt)
	}
	w.signal(os.Interrupt)
	if code := w.ends(); code != exitDone {
		t.Errorf("the worker ends with %d", code)
	}
	if strings.Contains(w.log(), "sesame") {
		t.Error("the worker's log holds the password of the proxy")
	}
	if raw, err := os.ReadFile(access); err != nil || !strings.Contains(string(raw), "CONNECT server.test:"+port+" edge") {
		t.Errorf("squid did not carry the worker: %v\n%s", err, raw)
	}
}

// examineIn runs the doctor in the cell.
func (s *site) examineIn(c cell, env []string) map[string]finding {
	s.t.Helper()
	p := startAs(s.t, slices.Concat(s.env, env), c.inside("doctor", "--output", "json", "--idle-cut", "1s", "--name", "edge", s.pipelines())...)
	p.ends()
	got := decode[examined](s.t, p.out.String())
	findings := make(map[string]finding)
	for _, f := range got.Checks {
		findings[f.Check] = f
	}
	if strings.Contains(p.out.String()+p.log(), "sesame") || strings.Contains(p.out.String()+p.log(), "hunter2") {
		s.t.Errorf("the doctor tells a password:\n%s", p.out.String())
	}
	return findings
}

// reachedBy gives the site another client of its own.
func (s *site) reachedBy(cfg client.Config) {
	s.t.Helper()
	c, err := client.New(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	s.client = c
}

// dialAlways connects to one address, whatever it is asked for.
func dialAlways(addr string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}
}
