package engine

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/pullrun/pullrun/engine/expr"
)

// A hider replaces secrets in text, in every form in which pipelines put
// text: as it is, and as JSON, Python, URLs and base64 write it. The zero
// hider has no secrets.
type hider struct {
	replacer *strings.Replacer
}

const (
	// hidden stands where a secret was.
	hidden = "[secret]"

	// minSecret is the least length of what is hidden: anything shorter
	// would be found in ordinary words.
	minSecret = 6
)

func newHider(values []string) hider {
	var forms []string
	for _, v := range values {
		for _, part := range secretParts(v) {
			forms = append(forms, secretForms(part)...)
		}
	}
	// The longest first, so that none is cut in two by one that is part of it.
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(forms))
	for _, f := range forms {
		pairs = append(pairs, f, hidden)
	}
	return hider{strings.NewReplacer(pairs...)}
}

func (h hider) text(s string) string {
	if h.replacer == nil {
		return s
	}
	return h.replacer.Replace(s)
}

// error hides secrets in an error and in its causes.
func (h hider) error(e *Error) {
	if h.replacer == nil {
		return
	}
	e.Message = h.text(e.Message)
	if e.Cause == nil {
		return
	}
	if text := e.Cause.Error(); h.text(text) != text {
		e.Cause = &Raised{Class: e.CauseClass(), Message: h.text(text)}
	}
}

// secretParts gives a secret and what is as secret in it: the lines of a
// key, the texts in a JSON document.
func secretParts(value string) []string {
	parts := []string{value}
	for line := range strings.Lines(value) {
		parts = append(parts, strings.TrimSpace(line))
	}
	if v, err := expr.FromJSON([]byte(value)); err == nil {
		parts = append(parts, textsIn(v)...)
	}
	return slices.DeleteFunc(parts, func(s string) bool { return len(s) < minSecret })
}

// textsIn gives the texts among the values of a decoded JSON document.
func textsIn(v expr.Value) []string {
	var texts []string
	switch v := v.(type) {
	case string:
		return []string{v}
	case *expr.List:
		for _, item := range v.Items() {
			texts = append(texts, textsIn(item)...)
		}
	case *expr.Dict:
		for _, value := range v.All() {
			texts = append(texts, textsIn(value)...)
		}
	}
	return texts
}

// secretForms gives the ways in which a text may be written.
func secretForms(s string) []string {
	repr, query := expr.Repr(s), url.QueryEscape(s)
	percent := strings.ReplaceAll(query, "+", "%20")
	forms := []string{
		s, quotedJSON(s), asciiOnly(quotedJSON(s)), repr[1 : len(repr)-1],
		query, percent, strings.ReplaceAll(percent, "%2F", "/"), url.PathEscape(s),
	}
	for shift := range 3 { // of the bytes before it, as base64 goes by three
		whole := base64.StdEncoding.EncodeToString(append(make([]byte, shift), s...))
		first, last := (shift*8+5)/6, (shift+len(s))*8/6 // the characters that s alone decides
		if last-first >= minSecret {
			form := whole[first:last]
			forms = append(forms, form, strings.NewReplacer("+", "-", "/", "_").Replace(form))
		}
	}
	return forms
}

// quotedJSON gives what stands between the quotes when a text is JSON.
func quotedJSON(s string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // text can be encoded, and a buffer takes it
	return strings.Trim(b.String(), "\n")[1 : b.Len()-2]
}

// asciiOnly escapes what Python's json.dumps escapes.
func asciiOnly(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < 0x80 {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			const hex = "0123456789abcdef"
			b.WriteString(`\u`)
			for shift := 12; shift >= 0; shift -= 4 {
				b.WriteByte(hex[unit>>shift&0xf])
			}
		}
	}
	return b.String()
}
