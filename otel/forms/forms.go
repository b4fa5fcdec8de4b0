// Package forms knows in which forms a secret is met, so that whoever hides
// secrets looks for all of them.
package forms

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Least is the length, in bytes, below which a secret is not looked for: it would
// be found in ordinary words.
const Least = 6

// Of returns the ways in which programs write secrets: as they are, quoted, in JSON
// and in JSON within JSON, in URLs, in hex, and in base64 wherever they begin there.
// The longest come first, so that none is cut in two by one that is part of it.
func Of(secrets ...string) []string {
	var all []string
	for _, s := range secrets {
		all = append(all, of(s)...)
	}
	slices.SortFunc(all, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b))
	})
	return slices.Compact(all)
}

func of(secret string) []string {
	query := url.QueryEscape(secret)
	percent := strings.ReplaceAll(query, "+", "%20")
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
	for _, form := range []string{query, percent, strings.ReplaceAll(percent, "%2F", "/"), url.PathEscape(secret)} {
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
