package otel

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf16"
	"unicode/utf8"
)

// minSecret is the length below which a secret is not looked for: it would be
// found in ordinary words.
const minSecret = 6

const redacted = "REDACTED"

// Redactor takes secrets out of text: the values that were registered, in the
// forms they are met in (as they are, quoted, JSON-escaped up to twice,
// URL-encoded, in hex, base64 at any offset), and those that URLs carry, in their userinfo and in
// the values of their queries. The zero Redactor knows no secrets, and is
// ready. It may be used concurrently.
type Redactor struct {
	mu      sync.Mutex // guards secrets
	secrets []string

	known atomic.Pointer[known] // nil until the first secret
}

// known is made anew for each secret.
type known struct {
	forms    []string // longest first, so that no form hides a longer one
	replacer *strings.Replacer
}

// Register adds a secret. One of fewer than six bytes is left out.
func (r *Redactor) Register(secret string) {
	if len(secret) < minSecret {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Contains(r.secrets, secret) {
		return
	}
	r.secrets = append(r.secrets, secret)

	var k known
	for _, s := range r.secrets {
		k.forms = append(k.forms, forms(s)...)
	}
	slices.SortFunc(k.forms, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	k.forms = slices.Compact(k.forms)
	pairs := make([]string, 0, 2*len(k.forms))
	for _, form := range k.forms {
		pairs = append(pairs, form, redacted)
	}
	k.replacer = strings.NewReplacer(pairs...)
	r.known.Store(&k)
}

// String returns s without its secrets.
func (r *Redactor) String(s string) string { return redactURLs(r.Known(s)) }

// Known returns s without the secrets that were registered. URLs are left as they
// are.
func (r *Redactor) Known(s string) string {
	if k := r.known.Load(); k != nil {
		s = k.replacer.Replace(s)
	}
	return s
}

// forms returns the ways in which a secret is written.
func forms(secret string) []string {
	query := url.QueryEscape(secret)
	out := []string{
		secret,
		unquoted(strconv.Quote(secret)),
		unquoted(strconv.QuoteToASCII(secret)),
		hex.EncodeToString([]byte(secret)),
		strings.ToUpper(hex.EncodeToString([]byte(secret))),
	}
	for _, form := range jsonForms(secret) {
		out = append(out, form, jsonEscaped(form, false)) // where the JSON is a text in JSON
	}
	for _, form := range []string{query, strings.ReplaceAll(query, "+", "%20"), url.PathEscape(secret)} {
		out = append(out, form, escape.ReplaceAllStringFunc(form, strings.ToLower))
	}
	for shift := range 3 {
		out = append(out,
			base64At(base64.RawStdEncoding, secret, shift),
			base64At(base64.RawURLEncoding, secret, shift))
	}
	return out
}

// escape is a byte as URLs escape it.
var escape = regexp.MustCompile(`%[0-9A-F]{2}`)

func unquoted(s string) string { return s[1 : len(s)-1] }

// jsonForms are the ways in which encoders write a text in JSON: with < or \u003c,
// / or \/, é or \u00e9, or every character so.
func jsonForms(s string) []string {
	plain := jsonEscaped(s, false)
	forms := []string{jsonEscaped(s, true), plain, unicodeEscaped(plain, utf8.RuneSelf, `\u%04x`)}
	for _, form := range forms[1:] {
		forms = append(forms, strings.ReplaceAll(form, "/", `\/`))
	}
	return append(forms, unicodeEscaped(s, 0, `\u%04x`), unicodeEscaped(s, 0, `\u%04X`))
}

// unicodeEscaped escapes the characters from one on as JSON may.
func unicodeEscaped(s string, from rune, format string) string {
	var b strings.Builder
	for _, r := range s {
		if r < from {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, format, unit)
		}
	}
	return b.String()
}

func jsonEscaped(s string, escapeHTML bool) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(escapeHTML)
	if err := enc.Encode(s); err != nil {
		panic(err) // a string always encodes
	}
	return strings.Trim(b.String(), "\n")[1 : b.Len()-2]
}

// base64At returns the characters that a secret alone decides when it stands
// shift bytes into a group of three: the first ones also hold bits of what is
// before it, the last one of what comes after.
func base64At(enc *base64.Encoding, secret string, shift int) string {
	padded := append(make([]byte, shift), secret...)
	text := enc.EncodeToString(padded)
	return text[(8*shift+5)/6 : 8*len(padded)/6]
}

// uncut removes from the end of a text that was cut off there what may be the
// beginning of a secret.
func (r *Redactor) uncut(s string) string {
	if k := r.known.Load(); k != nil {
		longest := 0
		for _, form := range k.forms {
			for n := min(len(form)-1, len(s)); n > longest; n-- {
				if strings.HasSuffix(s, form[:n]) {
					longest = n
				}
			}
		}
		s = s[:len(s)-longest]
	}
	return uncutURL(s)
}
