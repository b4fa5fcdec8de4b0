package otel_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/pullrun/pullrun/otel"
)

// encodings are the ways in which texts are written, by name.
var encodings = map[string]func(string) string{
	"as it is":   func(s string) string { return s },
	"quoted":     strconv.Quote,
	"ASCII":      strconv.QuoteToASCII,
	"JSON":       func(s string) string { return encoded(s, true) },
	"plain JSON": func(s string) string { return encoded(s, false) },
	"JSON in JSON": func(s string) string {
		inner := encoded(s, true)
		outer := encoded(inner[1:len(inner)-1], false)
		return outer[1 : len(outer)-1]
	},
	"slashes":    func(s string) string { return strings.ReplaceAll(encoded(s, false), "/", `\/`) },
	"escapes":    func(s string) string { return allEscaped(s, "%04x") },
	"ESCAPES":    func(s string) string { return allEscaped(s, "%04X") },
	"query":      url.QueryEscape,
	"path":       url.PathEscape,
	"percent":    func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") },
	"hex":        func(s string) string { return hex.EncodeToString([]byte(s)) },
	"HEX":        func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) },
	"base64":     func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"base64 URL": func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) },
}

func allEscaped(s, format string) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(s)) {
		fmt.Fprintf(&b, `\u`+format, unit)
	}
	return b.String()
}

func encoded(s string, html bool) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(html)
	if err := enc.Encode(s); err != nil {
		panic(err)
	}
	return strings.TrimSpace(b.String())
}

// decoded undoes an encoding as far as a text that was redacted allows.
func decoded(name, s string) string {
	if !strings.HasPrefix(name, "base64") {
		return s
	}
	var all []string
	for part := range strings.SplitSeq(s, "REDACTED") {
		for shift := range min(4, len(part)) {
			part := strings.NewReplacer("-", "+", "_", "/", "=", "").Replace(part[shift:])
			raw, _ := base64.RawStdEncoding.DecodeString(part) // what it has before an error
			all = append(all, string(raw))
		}
	}
	return strings.Join(all, "\n")
}

// No secret of at least 8 bytes comes through, however it is written, whatever
// stands around it, and wherever the text is cut on its way.
func FuzzSecretForms(f *testing.F) {
	f.Add("hunter2-secret", "before ", " after", uint8(3))
	f.Add(`p<w>"9/é +~&\zQ`, "user:", "\n", uint8(7))
	f.Add("aaaaaaaaaa", "aaaa", "aaaaa", uint8(1))
	f.Add("ababababab", "ab", "abababababab", uint8(2))
	f.Add("日本語のパスワード", "b", "bb", uint8(5))
	f.Fuzz(func(t *testing.T, secret, before, after string, step uint8) {
		if len(secret) < 8 || strings.Contains("REDACTED", secret) || strings.Contains(before+after, "REDACTED") || strings.Contains(secret, "REDACTED") {
			t.Skip("no secret that could be told from what stands for it")
		}
		if !utf8.ValidString(before+secret+after) || !utf8.ValidString(secret) || !utf8.ValidString(before) {
			t.Skip("no text")
		}
		var r otel.Redactor
		r.Register(secret)
		for name, encode := range encodings {
			text := encode(before + secret + after)
			want := encode(secret)
			if strings.HasPrefix(name, "base64") {
				want = secret
			} else if want[0] == '"' {
				want = want[1 : len(want)-1]
			}
			for how, got := range map[string]string{"whole": r.String(text), "in parts": inParts(t, &r, text, int(step%16)+1)} {
				if left := decoded(name, got); strings.Contains(left, want) {
					t.Errorf("%s, %s: %q shows the secret: %q", name, how, text, got)
				}
			}
		}
		document, err := json.Marshal(map[string]any{before: []any{secret + after, before + secret}, secret: 1})
		if err != nil {
			t.Fatal(err)
		}
		clean := r.JSON(document)
		var v any
		if err := json.Unmarshal(clean, &v); err != nil {
			t.Fatalf("JSON(%s) = %s, which is none: %v", document, clean, err)
		}
		if left := fmt.Sprint(v); strings.Contains(left, secret) {
			t.Errorf("JSON(%s) = %s shows the secret", document, clean)
		}
	})
}

// inParts is what comes of a text that is written n bytes at a time.
func inParts(t *testing.T, r *otel.Redactor, text string, n int) string {
	t.Helper()
	var out bytes.Buffer
	w := r.Writer(&out)
	for part := []byte(text); len(part) > 0; part = part[min(n, len(part)):] {
		if _, err := w.Write(part[:min(n, len(part))]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestRedactingWriter(t *testing.T) {
	t.Parallel()
	var r otel.Redactor
	r.Register("hunter2")
	r.Register("hunter2-and-more")
	for _, text := range []string{
		"nothing to hide", "key hunter2 used", "key hunter2-and-more used", "hunter2-and-less", "hunterhunter2hunt", "hunter2", "hunter", "",
	} {
		for n := 1; n <= len(text)+1; n++ {
			if got, want := inParts(t, &r, text, n), r.String(text); got != want {
				t.Errorf("%q, %d bytes at a time: %q, want %q", text, n, got, want)
			}
		}
	}
	var out bytes.Buffer
	w := r.Writer(&out)
	if _, err := w.Write([]byte("Name: ")); err != nil || out.String() != "Name: " {
		t.Errorf("a prompt is held back: %q, %v", out.String(), err)
	}
}

func TestRedactorOfJSON(t *testing.T) {
	t.Parallel()
	var r otel.Redactor
	r.Register(`hunter2"x`)
	r.Register("12345678")
	for in, want := range map[string]string{
		`{"a": [1, 2.50, "x"], "u": "http://u:p@h/?a=b"}`: `{"a": [1, 2.50, "x"], "u": "http://u:p@h/?a=b"}`,
		`{"a": "is hunter2\"x!", "b" : 1e3}`:              `{"a": "is REDACTED!", "b" : 1e3}`,
		`["\u0068unter2\u0022x"]`:                         `["REDACTED"]`,
		`{"hunter2\"x": null}`:                            `{"REDACTED": null}`,
		`[12345678, -12345678.5, 1234567]`:                `["REDACTED", "-REDACTED.5", 1234567]`,
		`"hunter2"`:                                       `"hunter2"`,
		`true`:                                            `true`,
		`"{\"p\": \"hunter2\\\"x\"}"`:                     `"{\"p\": \"REDACTED\"}"`,
	} {
		if got := string(r.JSON([]byte(in))); got != want {
			t.Errorf("JSON(%s) = %s, want %s", in, got, want)
		}
	}
	var none otel.Redactor
	if got := none.JSON([]byte(`"hunter2"`)); string(got) != `"hunter2"` {
		t.Errorf("JSON() without secrets = %s", got)
	}
}
