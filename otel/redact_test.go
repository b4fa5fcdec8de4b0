package otel_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/pullrun/pullrun/otel"
)

func TestRedactorFindsASecretInEveryForm(t *testing.T) {
	t.Parallel()
	const secret = `p<w>"9/é +~&\` + "\n\x01" + `zQ`
	var r otel.Redactor
	r.Register(secret)
	inJSON, err := json.Marshal(map[string]string{"password": secret})
	if err != nil {
		t.Fatal(err)
	}
	var plainJSON strings.Builder
	enc := json.NewEncoder(&plainJSON)
	enc.SetEscapeHTML(false)
	if err := enc.Encode([]string{secret}); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"as it is":         "it is " + secret + ".",
		"quoted":           fmt.Sprintf("login %q: refused", secret),
		"in JSON":          string(inJSON),
		"in plain JSON":    plainJSON.String(),
		"in a query":       "a=" + url.QueryEscape(secret),
		"in a path":        "/hooks/" + url.PathEscape(secret) + "/x",
		"twice":            secret + secret,
		"beside other":     "12345" + secret + "67890",
		"as a header's":    "Basic " + base64.StdEncoding.EncodeToString([]byte("user:"+secret)),
		"base64 for URLs":  base64.URLEncoding.EncodeToString([]byte("token=" + secret + "!")),
		"base64, unpadded": base64.RawStdEncoding.EncodeToString([]byte(secret)),
	} {
		got := r.String(text)
		if !strings.Contains(got, "REDACTED") {
			t.Errorf("%s: String(%q) = %q, want it redacted", name, text, got)
		}
		for _, part := range []string{secret, `p<w>`, "zQ", "p%3Cw"} {
			if strings.Contains(got, part) {
				t.Errorf("%s: String(%q) = %q shows %q", name, text, got, part)
			}
		}
	}
}

// Wherever in a base64 text the secret stands, what is left of it does not
// decode to more than the bits it shares with its neighbours.
func TestRedactorFindsASecretAtEveryOffsetOfBase64(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-secret"
	var r otel.Redactor
	r.Register(secret)
	for before := range 7 {
		for after := range 7 {
			plain := strings.Repeat("b", before) + secret + strings.Repeat("a", after)
			got := r.String(base64.StdEncoding.EncodeToString([]byte(plain)))
			left := strings.Split(got, "REDACTED")
			if len(left) != 2 {
				t.Errorf("%q: String() = %q, want one redaction", plain, got)
				continue
			}
			if head, _ := base64.RawStdEncoding.DecodeString(left[0][:len(left[0])/4*4]); strings.ContainsAny(string(head), secret) {
				t.Errorf("%q: String() = %q, whose head decodes to %q", plain, got, head)
			}
		}
	}
}

func TestRedactor(t *testing.T) {
	t.Parallel()
	var r otel.Redactor
	r.Register("hunter2")
	r.Register("hunter2-and-more")
	r.Register("short")
	for _, tt := range []struct {
		name, in, want string
	}{
		{"text without secrets stays", "what? yes: 1 < 2 & a=b #3", "what? yes: 1 < 2 & a=b #3"},
		{"a registered secret goes", "key hunter2 used", "key REDACTED used"},
		{"the longer of two secrets goes whole", "key hunter2-and-more used", "key REDACTED used"},
		{"a value of fewer than six bytes is no secret", "a short text", "a short text"},
		{"query values go, keys stay", "https://h/p?token=abc&n=1", "https://h/p?token=REDACTED&n=REDACTED"},
		{"a URL without a query stays", "https://h:8080/a/b", "https://h:8080/a/b"},
		{"a query without keys goes", "https://h/p?T0K3N", "https://h/p?REDACTED"},
		{"a fragment's values go", "https://h/p#access_token=abc", "https://h/p#access_token=REDACTED"},
		{"userinfo goes", "https://user:pa@ss@h/p", "https://h/p"},
		{"userinfo of any scheme goes", "postgres://user:pass@h/db?sslmode=disable", "postgres://h/db?sslmode=REDACTED"},
		{"userinfo without a password goes", "https://ghp_token@h", "https://h"},
		{"an at sign in a path stays", "https://h/@scope/p", "https://h/@scope/p"},
		{"every URL of a text", "http://h?a=1 then http://u:p@g?b=2.", "http://h?a=REDACTED then http://g?b=REDACTED"},
		{
			"the text of a *url.Error",
			`Get "https://u:p@h/p?token=a b": dial tcp: lookup h?`,
			`Get "https://h/p?token=REDACTED": dial tcp: lookup h?`,
		},
		{"JSON around a URL stays", `{"url":"http://h?a=1","n":2}`, `{"url":"http://h?a=REDACTED","n":2}`},
		{"a path with a query", "GET /v1/x?token=abc HTTP/1.1", "GET /v1/x?token=REDACTED HTTP/1.1"},
		{"redacting twice changes nothing", "https://h/p?token=REDACTED", "https://h/p?token=REDACTED"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := r.String(tt.in); got != tt.want {
				t.Errorf("String(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestRedactorWhileSecretsAreRegistered(t *testing.T) {
	t.Parallel()
	var r otel.Redactor
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 100 {
			r.Register(fmt.Sprintf("secret-%04d", i))
		}
	}()
	for range 100 {
		r.String("secret-0000")
	}
	<-done
	if got := r.String("secret-0000 secret-0099"); got != "REDACTED REDACTED" {
		t.Errorf("String() = %q, want both redacted", got)
	}
}

// Whatever the text around them: nothing of a query's value or of userinfo
// comes through, and a second pass finds nothing more.
func FuzzRedactor(f *testing.F) {
	f.Add("Get ", "https", "h/p", ": refused")
	f.Add(`{"a":"`, "http", "h", `"}`)
	f.Add("?", "x+y", "?", "&#=")
	f.Fuzz(func(t *testing.T, before, scheme, path, after string) {
		if scheme == "" || strings.ContainsAny(scheme+path, " \t\r\n\f\v\"<>") {
			t.Skip("not a URL")
		}
		var r otel.Redactor
		r.Register("registered-secret")
		text := before + scheme + "://user:hunter2@" + path + "?key=hunter2&registered-secret " + after
		got := r.String(text)
		if strings.Contains(strings.ReplaceAll(text, "hunter2", ""), "hunter2") {
			t.Skip("the text makes up the secret itself")
		}
		if n := strings.Count(before+scheme+path+after, "hunter2"); strings.Count(got, "hunter2") > n {
			t.Errorf("String(%q) = %q", text, got)
		}
		if strings.Contains(got, "registered-secret") {
			t.Errorf("String(%q) = %q shows the registered secret", text, got)
		}
		if again := r.String(got); again != got {
			t.Errorf("String(%q) = %q, and again %q", text, got, again)
		}
	})
}

// Of each place the last secrets are known, whatever other places have.
func TestReplacedSecrets(t *testing.T) {
	t.Parallel()
	var r otel.Redactor
	r.Register("registered-secret")
	r.Replace("a", "secret-of-a")
	for n := range 100 {
		r.Replace("b", fmt.Sprintf("secret-%03d", n))
		r.Replace("b", "steady-secret")
	}
	const text = "registered-secret secret-of-a steady-secret secret-099 secret-096 secret-050"
	if got, want := r.String(text), "REDACTED REDACTED REDACTED REDACTED REDACTED secret-050"; got != want {
		t.Errorf("String(%q) = %q, want %q", text, got, want)
	}
}

// Of secrets that come without end the last ones are known, and those that come
// again and again; what was registered always is.
func TestLearntSecrets(t *testing.T) {
	t.Parallel()
	var r otel.Redactor
	r.Register("registered-secret")
	for n := range 400 {
		r.Learn("steady-secret")
		r.Learn(fmt.Sprintf("secret-%03d", n))
	}
	const text = "registered-secret steady-secret secret-000 secret-399 secret-200"
	if got, want := r.String(text), "REDACTED REDACTED secret-000 REDACTED REDACTED"; got != want {
		t.Errorf("String(%q) = %q, want %q", text, got, want)
	}
}
