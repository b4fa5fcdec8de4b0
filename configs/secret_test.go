package configs

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const sesame = "sesame-0123456789"

// holder stands for somebody's struct: fmt cannot call methods in its fields.
type holder struct {
	secret Secret
	url    URL
}

// Nothing prints a secret, wherever it stands.
func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	secret, url := NewSecret(sesame), NewURL("postgres://me:"+sesame+"@db/pullrun")
	server := DefaultServer()
	server.Store = url
	server.Tokens = []Token{{Name: "ci", Token: secret, Scopes: []string{"work"}}}
	worker := DefaultWorker()
	worker.Server.Token = secret
	values := []any{
		secret, &secret, url, &url, server, &server, worker, &worker,
		holder{secret, url}, &holder{secret, url},
		[]Secret{secret}, map[string]Secret{"a": secret}, []any{secret, url},
		fmt.Errorf("poll: %w", errors.New(secret.String())),
	}
	for _, v := range values {
		if g, ok := v.(fmt.GoStringer); ok {
			mustHide(t, fmt.Sprintf("%T as Go", v), g.GoString())
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%T", "%20s", "%t"} {
			mustHide(t, fmt.Sprintf("%T with %s", v, verb), fmt.Sprintf(verb, v))
		}
		mustHide(t, fmt.Sprintf("%T with Sprint", v), fmt.Sprint(v))
		encoded, _ := json.Marshal(v)
		mustHide(t, fmt.Sprintf("%T as JSON", v), string(encoded))
		encoded, _ = xml.Marshal(v)
		mustHide(t, fmt.Sprintf("%T as XML", v), string(encoded))
		var log bytes.Buffer
		for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
			slog.New(h).Info("settings", "value", v, slog.Group("g", "value", v))
		}
		mustHide(t, fmt.Sprintf("%T in a log", v), log.String())
	}
}

// mustHide fails if the secret is in text, plainly or as %x writes it.
func mustHide(t *testing.T, what, text string) {
	t.Helper()
	lower := strings.ToLower(text)
	if strings.Contains(lower, sesame) || strings.Contains(lower, fmt.Sprintf("%x", sesame)) {
		t.Errorf("%s shows the secret: %s", what, text)
	}
}

func TestSecretShowsWhetherItIsSet(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		secret  Secret
		plain   string
		quoted  string
		encoded string
	}{
		{secret: NewSecret(sesame), plain: "•••", quoted: `"•••"`, encoded: `"•••"`},
		{secret: NewSecret(""), plain: "", quoted: `""`, encoded: `""`},
	} {
		encoded, err := json.Marshal(tt.secret)
		if err != nil {
			t.Fatal(err)
		}
		for _, got := range [][2]string{
			{tt.secret.String(), tt.plain}, {fmt.Sprintf("%v", tt.secret), tt.plain},
			{fmt.Sprintf("%d", tt.secret), tt.plain},
			{fmt.Sprintf("%q", tt.secret), tt.quoted}, {fmt.Sprintf("%#v", tt.secret), tt.quoted},
			{string(encoded), tt.encoded},
		} {
			if got[0] != got[1] {
				t.Errorf("a secret shows as %s, want %s", got[0], got[1])
			}
		}
		if tt.secret.IsZero() != (tt.plain == "") {
			t.Errorf("IsZero() = %v of %s", tt.secret.IsZero(), tt.quoted)
		}
	}
}

// What is wrong with a secret, or beside one, is said without it.
func TestSecretsAreNotInProblems(t *testing.T) {
	t.Parallel()
	tooShort := sesame[:len(sesame)-2]
	for name, opts := range map[string]LoadOptions{
		"a secret of the wrong type":   {File: written(t, "s.yaml", "server: {token: [sesame-0123456789]}")},
		"a secret that is a number":    {File: written(t, "s.yaml", "server: {token: 0123456789}")},
		"an unknown anchor":            {File: written(t, "s.yaml", "server: {token: *sesame-0123456789}")},
		"an anchor":                    {File: written(t, "s.yaml", "server: {token: &sesame-0123456789 }")},
		"a secret that is no YAML":     {File: written(t, "s.yaml", "server:\n  token: @sesame-0123456789\n")},
		"a secret with a colon":        {File: written(t, "s.yaml", "server:\n  token: sesame-0123456789: x\n")},
		"a token and its file":         {File: written(t, "s.yaml", "server: {token: sesame-0123456789, token_file: x}")},
		"a password for the server":    {Flags: parsed[Worker](t, "--server-url=http://me:sesame-0123456789@example.com")},
		"a password in a broken URL":   {Flags: parsed[Worker](t, "--server-url=http://me:sesame-0123456789@exa mple.com")},
		"a password in something else": {Flags: parsed[Worker](t, "--server-url=password=sesame-0123456789")},
		"a password in a query":        {Flags: parsed[Worker](t, "--server-url=http://example.com?password=sesame-0123456789")},
		"something else that is wrong": {Environ: environment(map[string]string{"PULLRUN_SERVER_TOKEN": sesame, "PULLRUN_CAPACITY": "0"})},
	} {
		if opts.Environ == nil {
			opts.Environ = environment(nil)
		}
		_, sources, err := Load[Worker](opts)
		if err == nil {
			t.Errorf("%s is accepted", name)
		}
		mustHideAll(t, name, sources, err)
	}
	for name, text := range map[string]string{
		"a token whose file is not there": "[{name: a, token_file: /does/not/exist, scopes: [work]}, {name: b, token: sesame-0123456789, scopes: [work]}]",
		"tokens that are no YAML":         "[{name: ci, token: @sesame-0123456789}]",
		"tokens that are no list":         sesame,
		"a token that is too short":       "[{name: ci, token: " + tooShort + ", scopes: [work]}]",
		"two tokens that are the same":    "[{name: a, token: sesame-0123456789, scopes: [work]}, {name: b, token: sesame-0123456789, scopes: [work]}]",
		"a token with a file":             "[{name: a, token: sesame-0123456789, token_file: x, scopes: [work]}]",
	} {
		_, sources, err := Load[Server](LoadOptions{Environ: environment(map[string]string{"PULLRUN_TOKENS": text})})
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
		mustHideAll(t, name, sources, err)
		if strings.Contains(err.Error(), tooShort) {
			t.Errorf("%s: %v shows the token", name, err)
		}
	}
	_, sources, err := Load[Server](LoadOptions{Environ: environment(map[string]string{"PULLRUN_STORE": "host=db password=sesame-0123456789"})})
	mustHideAll(t, "a database as key and value", sources, err)
}

func mustHideAll(t *testing.T, what string, sources Sources, err error) {
	t.Helper()
	encoded, _ := json.Marshal(sources)
	var table strings.Builder
	if err := sources.WriteTable(&table); err != nil {
		t.Error(err)
	}
	problems, _ := json.Marshal(err)
	for _, text := range []string{fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err), string(problems), string(encoded), table.String()} {
		mustHide(t, what, text)
		if strings.Contains(text, "0123456789") {
			t.Errorf("%s: part of the secret is in %s", what, text)
		}
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, shown string }{
		{"http://127.0.0.1:8080", "http://127.0.0.1:8080"},
		{"sqlite://pullrun.db", "sqlite://pullrun.db"},
		{"sqlite:///var/lib/a b.db", "sqlite:///var/lib/a b.db"},
		{"postgres://me:pw@db:5432/x?sslmode=require", "postgres://me:•••@db:5432/x?sslmode=require"},
		{"postgres://me:p%40w@db/x", "postgres://me:•••@db/x"},
		{"postgres://me:p@w@db/x", "postgres://me:•••@db/x"},
		{"postgres://me:@db/x", "postgres://me:•••@db/x"},
		{"postgres://token@db/x", "postgres://•••@db/x"},
		{"postgres://db/x?user=me&password=pw&sslpassword=pw", "postgres://db/x?user=me&password=•••&sslpassword=•••"},
		{"https://x/y?Access_Token=pw&client_secret=pw&a=b", "https://x/y?Access_Token=•••&client_secret=•••&a=b"},
		{"http://me:pw@exa mple", "•••"},
		{"host=db password=pw", "•••"},
		{"pullrun.example.com:8080/base", "pullrun.example.com:8080/base"},
		{"me:p@w@pullrun.example.com", "•••@pullrun.example.com"},
		{"", ""},
	} {
		u := NewURL(tt.text)
		if got := u.String(); got != tt.shown {
			t.Errorf("NewURL(%q) shows as %q, want %q", tt.text, got, tt.shown)
		}
		if got := u.Reveal(); got != tt.text {
			t.Errorf("NewURL(%q).Reveal() = %q", tt.text, got)
		}
	}
}
