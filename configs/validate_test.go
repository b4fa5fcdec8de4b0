package configs

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWorkerValidate(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 256)
	many := map[string]string{}
	for i := range 33 {
		many[fmt.Sprintf("l%d", i)] = ""
	}
	for _, tt := range []struct {
		name   string
		change func(*Worker)
		want   string // lines of problems; empty for none
	}{
		{name: "the defaults are valid", change: func(*Worker) {}},
		{name: "a path below a proxy is part of the address", change: func(w *Worker) { w.Server.URL = NewURL("https://example.com/pullrun/") }},
		{name: "the server wants an address", change: func(w *Worker) { w.Server.URL = NewURL("example.com") },
			want: `server.url: wants an address, for example "https://pullrun.example.com", got "example.com"`},
		{name: "an address has no password", change: func(w *Worker) { w.Server.URL = NewURL("https://me:pw@example.com") },
			want: "server.url: must not hold a password; that is what the token is for"},
		{name: "an address has no query", change: func(w *Worker) { w.Server.URL = NewURL("https://example.com?a=b") },
			want: `server.url: must end with the path, got "https://example.com?a=b"`},
		{name: "certificates want https", change: func(w *Worker) { w.Server.CAFile = "ca.pem" },
			want: "server.ca_file: is of no use unless server.url begins with https"},
		{name: "a client's certificate wants its key and https", change: func(w *Worker) { w.Server.CertFile = "cert.pem" }, want: `
server.cert_file: wants server.key_file beside it
server.cert_file: is of no use unless server.url begins with https`},
		{name: "a proxy is an address", change: func(w *Worker) { w.Server.Proxy = NewURL("proxy:3128") },
			want: `server.proxy: wants none, or an address, for example "http://proxy.example.com:3128"`},
		{name: "or none", change: func(w *Worker) { w.Server.Proxy = NewURL("none") }},
		{name: "it has no password", change: func(w *Worker) { w.Server.Proxy = NewURL("http://me:pw@proxy:3128") },
			want: "server.proxy: must not hold a user or password; that is what server.proxy_user and server.proxy_password_file are for"},
		{name: "it ends with the port", change: func(w *Worker) { w.Server.Proxy = NewURL("http://proxy:3128/x") },
			want: `server.proxy: must end with the port, got "http://proxy:3128/x"`},
		{name: "its password is somebody's", change: func(w *Worker) { w.Server.ProxyPassword = NewSecret("sesame") },
			want: "server.proxy_password: wants server.proxy_user beside it"},
		{name: "without a proxy nobody asks who is there", change: func(w *Worker) { w.Server.Proxy, w.Server.ProxyUser = NewURL("none"), "me" },
			want: "server.proxy_user: is of no use while server.proxy is none"},
		{name: "names follow the server's rule", change: func(w *Worker) {
			w.Name, w.Queues, w.Labels = "Edge 1", []string{"ok", "_no"}, map[string]string{"/a": "", "b": "x\ny", "c": long, "d/e": "ü"}
		}, want: `
labels: key "/a" must be 1 to 63 lower-case letters, digits and . _ / -, beginning with a letter or digit
labels: the value of "b" must be printable text of at most 255 bytes
labels: the value of "c" must be printable text of at most 255 bytes
name: "Edge 1" must be 1 to 63 lower-case letters, digits and . _ -, beginning with a letter or digit
queues: "_no" must be 1 to 63 lower-case letters, digits and . _ -, beginning with a letter or digit`},
		{name: "as many labels as the server takes", change: func(w *Worker) { w.Labels = many }, want: "labels: may have at most 32 entries, got 33"},
		{name: "lists that must not be empty", change: func(w *Worker) { w.Queues, w.Pipelines.Dirs = nil, nil }, want: `
pipelines.dirs: wants at least one
queues: wants at least one`},
		{name: "patterns are patterns", change: func(w *Worker) { w.Pipelines.Allow = []string{"etl.*", "[a"} },
			want: `pipelines.allow: "[a" is not a pattern`},
		{name: "programs are absolute paths", change: func(w *Worker) { w.Process.Allow = []string{"/opt/jobs/*", "jobs/*", "/opt/[a"} }, want: `
process.allow: "/opt/[a" is not a pattern
process.allow: wants absolute paths, got "jobs/*"`},
		{name: "no capacity", change: func(w *Worker) { w.Capacity = 0 }, want: "capacity: must be from 1 to 10000, got 0"},
		{name: "too much capacity", change: func(w *Worker) { w.Capacity = 10_001 }, want: "capacity: must be from 1 to 10000, got 10001"},
		{name: "nothing is waited for", change: func(w *Worker) { w.DrainTimeout, w.CancelGrace = 0, 0 }},
		{name: "limits leave something to run with", change: func(w *Worker) { w.Limits, w.HTTP = RunLimits{}, HTTP{} }, want: `
http.max_body: must be at least 1KiB, got 0B
http.timeout: must be at least 1ms, got 0s
limits.depth: must be at least 1, got 0
limits.memory: must be at least 1MiB, got 0B
limits.result: must be at least 1KiB, got 0B
limits.steps: must be at least 1, got 0
limits.tasks: must be at least 1, got 0
limits.timeout: must be at least 1s, got 0s
limits.variables: must be at least 1MiB, got 0B`},
		{name: "the log has levels and forms", change: func(w *Worker) { w.Log = Log{} }, want: `
log.format: must be one of auto, text, json, got ""
log.level: must be one of debug, info, warn, error, got ""`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := DefaultWorker()
			tt.change(&w)
			if diff := cmp.Diff(strings.TrimSpace(tt.want), errorText(w.Validate())); diff != "" {
				t.Errorf("Validate() (-want +got)\n%s", diff)
			}
		})
	}
}

func TestServerValidate(t *testing.T) {
	t.Parallel()
	token := Token{Name: "ci", Token: NewSecret(sesame), Scopes: []string{"submit", "work", "read", "admin"}}
	for _, tt := range []struct {
		name   string
		change func(*Server)
		want   string // lines of problems; empty for none
	}{
		{name: "the defaults are valid", change: func(*Server) {}},
		{name: "localhost is this machine", change: func(s *Server) { s.Listen = "localhost:8080" }},
		{name: "so is its IPv6 address", change: func(s *Server) { s.Listen = "[::1]:0" }},
		{name: "other machines want tokens", change: func(s *Server) { s.Listen = ":8080" },
			want: `tokens: wants at least one, since other machines can reach ":8080"; anonymous: true lets everybody in`},
		{name: "a name may be another machine's", change: func(s *Server) { s.Listen = "db.local:8080" },
			want: `tokens: wants at least one, since other machines can reach "db.local:8080"; anonymous: true lets everybody in`},
		{name: "with a token they may come", change: func(s *Server) { s.Listen, s.Tokens = ":8080", []Token{token} }},
		{name: "everybody may come if one says so", change: func(s *Server) { s.Listen, s.Anonymous = ":8080", true }},
		{name: "everybody and tokens contradict", change: func(s *Server) { s.Tokens, s.Anonymous = []Token{token}, true },
			want: "anonymous: must be false when there are tokens"},
		{name: "an address has a port", change: func(s *Server) { s.Listen = "127.0.0.1" },
			want: `listen: wants host:port, for example "127.0.0.1:8080" or ":8080", got "127.0.0.1"`},
		{name: "a port is a number", change: func(s *Server) { s.Listen = "127.0.0.1:65536" },
			want: `listen: wants host:port, for example "127.0.0.1:8080" or ":8080", got "127.0.0.1:65536"`},
		{name: "a certificate wants its key", change: func(s *Server) { s.TLS.CertFile = "cert.pem" }, want: "tls.cert_file: wants tls.key_file beside it"},
		{name: "a key wants its certificate", change: func(s *Server) { s.TLS.KeyFile = "key.pem" }, want: "tls.key_file: wants tls.cert_file beside it"},
		{name: "authorities of clients want a certificate", change: func(s *Server) { s.TLS.ClientCAFile = "ca.pem" }, want: "tls.client_ca_file: is of no use without tls.cert_file"},
		{name: "the store is SQLite", change: func(s *Server) { s.Store = NewURL("sqlite:///var/lib/pullrun.db") }},
		{name: "the store is PostgreSQL", change: func(s *Server) { s.Store = NewURL("postgresql://db/x") }},
		{name: "the store is nothing else", change: func(s *Server) { s.Store = NewURL("mysql://db/x") },
			want: "store: wants an address that begins with sqlite:// or postgres://"},
		{name: "the store is something", change: func(s *Server) { s.Store = NewURL("sqlite://") },
			want: "store: wants an address that begins with sqlite:// or postgres://"},
		{name: "tokens have names, scopes and some length", change: func(s *Server) {
			s.Tokens = []Token{{}, token, {Name: "ci", Token: NewSecret(sesame), Scopes: []string{"root"}}}
		}, want: `
tokens[0].name: "" must be 1 to 63 lower-case letters, digits and . _ -, beginning with a letter or digit
tokens[0].scopes: wants at least one of submit, work, read, admin
tokens[0].token: must be at least 16 characters long
tokens[2].name: "ci" is taken by a token before it
tokens[2].scopes: must be one of submit, work, read, admin, got "root"
tokens[2].token: is the same as one before it`},
		{name: "two heartbeats may be lost", change: func(s *Server) { s.Renew = 21 * time.Second },
			want: "renew: must be at most a third of lease, which is 1m, got 21s"},
		{name: "a third is enough", change: func(s *Server) { s.Renew = 20 * time.Second }},
		{name: "nothing is waited for or thrown away", change: func(s *Server) { s.ShutdownTimeout, s.Retention = 0, Retention{} }},
		{name: "nothing is kept for less than no time", change: func(s *Server) {
			s.Retention = Retention{-1, -1, -1, 0, 0, -1, -1, 0, 0, -1, -1}
		}, want: `
retention.audit: must be at least 0s, got -1ns
retention.cancelled_count: must be at least 0, got -1
retention.dead_count: must be at least 0, got -1
retention.failed_age: must be at least 0s, got -1ns
retention.succeeded_age: must be at least 0s, got -1ns
retention.succeeded_count: must be at least 0, got -1
retention.timed_out_age: must be at least 0s, got -1ns`},
		{name: "times leave room for the network", change: func(s *Server) {
			s.Hold, s.Lease, s.Renew, s.OfferTimeout, s.CancelTimeout = 0, 0, 0, 0, 0
		}, want: `
cancel_timeout: must be at least 1s, got 0s
hold: must be at least 1s, got 0s
lease: must be at least 10s, got 0s
offer_timeout: must be at least 1s, got 0s
renew: must be at least 1s, got 0s`},
		{name: "limits let something through", change: func(s *Server) { s.Limits, s.MaxAttempts = ServerLimits{}, 0 }, want: `
limits.body: must be at least 1KiB, got 0B
limits.polls: must be at least 1, got 0
limits.readers: must be at least 1, got 0
limits.result: must be at least 1KiB, got 0B
max_attempts: must be from 1 to 100, got 0`},
		{name: "a link to traces has a place for the trace", change: func(s *Server) { s.TraceURL = "http://jaeger" },
			want: `trace_url: wants {trace} where the trace's id belongs, got "http://jaeger"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := DefaultServer()
			tt.change(&s)
			if diff := cmp.Diff(strings.TrimSpace(tt.want), errorText(s.Validate())); diff != "" {
				t.Errorf("Validate() (-want +got)\n%s", diff)
			}
		})
	}
}

func TestClientValidate(t *testing.T) {
	t.Parallel()
	c := DefaultClient()
	if err := c.Validate(); err != nil {
		t.Errorf("Validate() = %v", err)
	}
	c.Server.URL, c.Log.Level = NewURL("x"), "loud"
	want := `log.level: must be one of debug, info, warn, error, got "loud"
server.url: wants an address, for example "https://pullrun.example.com", got "x"`
	if got := errorText(c.Validate()); got != want {
		t.Errorf("Validate() = %q, want %q", got, want)
	}
}

func TestProblemsCanBeTakenApart(t *testing.T) {
	t.Parallel()
	_, _, err := Load[Worker](LoadOptions{Environ: environment(map[string]string{"PULLRUN_CAPACITY": "0"})})
	want := Problem{Key: "capacity", Message: "must be from 1 to 10000, got 0", From: "PULLRUN_CAPACITY"}
	if all, ok := errors.AsType[Problems](err); !ok || len(all) != 1 || all[0] != want {
		t.Errorf("Load() = %#v, want one problem %#v", err, want)
	}
	if one, ok := errors.AsType[Problem](err); !ok || one != want {
		t.Errorf("errors.AsType = %#v, want %#v", one, want)
	}
}
