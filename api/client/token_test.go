package client_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
)

const secret = "pr_s3cret"

func TestTheTokenGoesIntoTheHeaderOnly(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.HandlerFunc{
		"accepted": answer(200, ended), "refused": problem(api.CodeUnauthorized), "in between": page(502), "cut": cut(answer(200, ended)),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, h)
				s.network.refusal = 1
				c := s.client(t, client.Config{Token: func() string { return secret }, UserAgent: "test/1", Retries: 1})
				err := submit(t.Context(), c)
				if err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("the token stands in the error: %v", err)
				}
				r := s.seen()[0]
				if got := r.header.Get("Authorization"); got != "Bearer "+secret {
					t.Errorf("Authorization: %q, want the token", got)
				}
				r.header.Del("Authorization")
				for where, text := range map[string]string{"line": r.line, "body": r.body} {
					if strings.Contains(text, secret) {
						t.Errorf("the token stands in the %s: %s", where, text)
					}
				}
				for k, v := range r.header {
					if strings.Contains(strings.Join(v, " "), secret) {
						t.Errorf("the token stands in header %s", k)
					}
				}
			})
		})
	}
}

func TestATokenThatCannotBeSentIsNotTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, answer(200, ended))
		err := submit(t.Context(), s.client(t, client.Config{Token: func() string { return secret + "\n" }}))
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("Submit() = %v, want an error without the token", err)
		}
	})
}

func TestATokenThatChangesIsPickedUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, problem(api.CodeUnavailable), problem(api.CodeUnavailable), answer(200, ended))
		tokens := []string{"one", "two", ""}
		c := s.client(t, client.Config{Retries: 2, Token: func() string {
			next := tokens[0]
			tokens = tokens[1:]
			return next
		}})
		if err := submit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{"Bearer one", "Bearer two", ""} {
			if got := s.seen()[i].header.Get("Authorization"); got != want {
				t.Errorf("attempt %d sends %q, want %q", i, got, want)
			}
		}
	})
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://other.test/login?secret=1", http.StatusTemporaryRedirect)
		})
		c := s.client(t, client.Config{})
		err := submit(t.Context(), c)
		want := `submit "p": the answer "307 Temporary Redirect", a redirect to http://other.test, did not come from a pullrun server`
		if !has(err, want) || len(s.seen()) != 1 {
			t.Errorf("Submit() = %v after %d requests, want %s after one", err, len(s.seen()), want)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, _ = c.Follow(ctx, "c", nil) // it goes on until a server of ours answers
		for _, r := range s.seen() {
			if strings.Contains(r.line, "login") {
				t.Errorf("a redirect was followed: %s", r.line)
			}
		}
	})
}

func TestNewRefusesAURL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, url, want string }{
		{"no URL", "", `server URL "" must look like https://host or http://host:port`},
		{"no scheme", "pullrun.test:8080", `server URL "pullrun.test:8080" must look like`},
		{"another scheme", "ftp://pullrun.test", `server URL "ftp://pullrun.test" must look like`},
		{"no host", "https:///v1", `server URL "https:///v1" must look like`},
		{"a password", "https://me:hunter2@pullrun.test", `server URL "...@pullrun.test" must not hold a user or password: set the token instead`},
		{"a password in a URL that is malformed", "https://me:hunter2@pull run.test", `server URL "...@pull run.test" must look like`},
		{"a password that is malformed", "https://me:hunter2%zz@pullrun.test", `server URL "...@pullrun.test" must look like`},
		{"a password with a slash", "https://me:hunter2/x@pullrun.test", `server URL "...@pullrun.test" must look like`},
		{"a query", "https://pullrun.test/?token=hunter2", `server URL "https://pullrun.test/?..." must look like`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := client.New(client.Config{URL: tt.url})
			if err == nil || !has(err, tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("New(%q) = %v, want %s", tt.url, err, tt.want)
			}
		})
	}
}

// While it is not known which of two tokens the server knows, that it does not know
// the one is to be tried again.
func TestATokenThatIsAboutToBeReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		replacing := true
		s := newServer(t, problem(api.CodeUnauthorized), problem(api.CodeForbidden), problem(api.CodeUnauthorized))
		c := s.client(t, client.Config{Token: func() string { return "old" }, Replacing: func() bool { return replacing }})
		if err := submit(t.Context(), c); !client.Retryable(err) || !strings.Contains(err.Error(), "replaced") {
			t.Errorf("Submit() = %v, want one that may be tried again, and why", err)
		}
		if err := submit(t.Context(), c); api.CodeOf(err) != api.CodeForbidden {
			t.Errorf("Submit() = %v, want that it is forbidden", err)
		}
		replacing = false
		if err := submit(t.Context(), c); api.CodeOf(err) != api.CodeUnauthorized {
			t.Errorf("Submit() = %v, want a refusal", err)
		}
	})
}

// A call that the server refuses because its token was replaced meanwhile is
// made once more; one that is refused for the token it still has is not.
func TestATokenThatIsReplacedDuringACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		token := "old"
		s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
			token = "new"
			problem(api.CodeUnauthorized)(w, r)
		}, answer(200, ended), problem(api.CodeUnauthorized))
		c := s.client(t, client.Config{Token: func() string { return token }})
		if err := submit(t.Context(), c); err != nil {
			t.Errorf("Submit() = %v, want it made with the new token", err)
		}
		if err := submit(t.Context(), c); api.CodeOf(err) != api.CodeUnauthorized || len(s.seen()) != 3 {
			t.Errorf("Submit() = %v after %d requests, want a refusal after 3", err, len(s.seen()))
		}
	})
}
