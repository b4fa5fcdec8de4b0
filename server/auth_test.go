package server_test

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/poller/faultproxy"
	"github.com/pullrun/pullrun/server"
)

// secretOf is the token that tests give to a name.
func secretOf(name string) string { return "secret-of-" + name + "-0123456789" }

func bearer(name string) string { return "Bearer " + secretOf(name) }

// tokens gives a world tokens that may do everything. The first is the one
// that its calls carry.
func tokens(s *setup, names ...string) {
	for _, name := range names {
		s.Tokens = append(s.Tokens, server.NewToken(name, secretOf(name), server.ScopeAdmin))
		s.secret = append(s.secret, secretOf(name))
	}
	s.token = secretOf(names[0])
}

// Every call is open to the scopes that allow it, and to nobody else.
func TestScopes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) {
		for _, scope := range server.Scopes {
			name := string(scope)
			s.Tokens = append(s.Tokens, server.NewToken(name, secretOf(name), scope))
			s.secret = append(s.secret, secretOf(name))
		}
		s.Tokens = append(s.Tokens, server.NewToken("nothing", secretOf("nothing")))
		s.secret = append(s.secret, secretOf("nothing"), "secret-of-a-stranger")
	})
	allowed := map[server.Scope][]string{
		server.ScopeSubmit: {"submit", "admin"},
		server.ScopeWork:   {"work", "admin"},
		server.ScopeRead:   {"read", "submit", "admin"},
		server.ScopeAdmin:  {"admin"},
		"any":              {"submit", "work", "read", "admin", "nothing"},
	}
	fill := strings.NewReplacer("{cookie}", "c", "{id}", "w", "{queue}", "q", "{token}", "aaaaaaaaaa")
	for _, r := range w.Routes() {
		path := fill.Replace(r.Path)
		if r.Scope == "" {
			w.want(http.StatusOK, r.Method, path, nil)
			w.want(http.StatusOK, r.Method, path, nil, "Authorization", "Bearer nonsense")
			continue
		}
		for _, header := range []string{
			"", "Bearer ", "Bearer", "Bearer secret-of-a-stranger", "Bearer  " + secretOf("admin"),
			"Basic " + secretOf("admin"), secretOf("admin"), "Bearer " + secretOf("admin") + "x",
		} {
			a := w.refused(api.CodeUnauthorized, r.Method, path, nil, "Authorization", header)
			if got := a.header.Get("WWW-Authenticate"); got != "Bearer" {
				t.Errorf("%s %s: WWW-Authenticate is %q, want Bearer", r.Method, path, got)
			}
		}
		for _, name := range []string{"submit", "work", "read", "admin", "nothing"} {
			if !slices.Contains(allowed[r.Scope], name) {
				w.refused(api.CodeForbidden, r.Method, path, nil, "Authorization", bearer(name))
				continue
			}
			a := w.call(r.Method, path, nil, "Authorization", "bearer "+secretOf(name))
			if a.status == http.StatusUnauthorized || a.status == http.StatusForbidden {
				t.Errorf("%s %s with the scope %s = %s", r.Method, path, name, a.body)
			}
		}
	}
	w.refused(api.CodeNotFound, "GET", "/v1/secrets", nil)
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		edit func(*server.Config)
		want string // in the error; "" is none
	}{
		{"loopback needs no tokens", func(c *server.Config) {}, ""},
		{"loopback by name", func(c *server.Config) { c.Listen = "localhost:0" }, ""},
		{"loopback of IPv6", func(c *server.Config) { c.Listen = "[::1]:0" }, ""},
		{"every address needs tokens", func(c *server.Config) { c.Listen = ":0" }, "without tokens"},
		{"every address of IPv4 needs tokens", func(c *server.Config) { c.Listen = "0.0.0.0:0" }, "without tokens"},
		{"every address of IPv6 needs tokens", func(c *server.Config) { c.Listen = "[::]:0" }, "without tokens"},
		{"a name that may be anywhere needs tokens", func(c *server.Config) { c.Listen = "localhost.example.com:0" }, "without tokens"},
		{"with tokens it may be reached", func(c *server.Config) {
			c.Listen, c.Tokens = "0.0.0.0:0", []server.Token{server.NewToken("a", "secret-a", server.ScopeRead)}
		}, ""},
		{"anybody may be let in", func(c *server.Config) { c.Listen, c.Anonymous = "0.0.0.0:0", true }, ""},
		{"a scope that is none", func(c *server.Config) {
			c.Tokens = []server.Token{server.NewToken("a", "secret-a", "root")}
		}, `token "a": unknown scope "root"`},
		{"a token that two have", func(c *server.Config) {
			c.Tokens = []server.Token{server.NewToken("a", "secret-a"), server.NewToken("b", "secret-a")}
		}, `tokens "a" and "b" are the same`},
		{"an address that is none", func(c *server.Config) { c.Listen = "127.0.0.1:70000" }, "70000"},
		{"a certificate that is not there", func(c *server.Config) { c.CertFile, c.KeyFile = "no.pem", "no.key" }, "certificate: open no.pem"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := server.Config{Listen: "127.0.0.1:0"}
			tt.edit(&cfg)
			s, err := server.New(cfg, nil, slog.New(slog.DiscardHandler))
			if err == nil {
				if err := s.Listen(faultproxy.NewPipes()); err != nil {
					t.Fatal(err)
				}
			}
			switch {
			case tt.want == "" && err != nil && !strings.Contains(err.Error(), "cannot assign requested address"):
				t.Errorf("New() = %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("New() = %v, want %q", err, tt.want)
			case err != nil && strings.Contains(err.Error(), "secret-a"):
				t.Errorf("New() = %v, which holds a token", err)
			}
		})
	}
}
