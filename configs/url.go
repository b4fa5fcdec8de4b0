package configs

import (
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
)

// A URL is an address that may carry a password. It prints, logs and encodes
// with ••• in the password's place; Reveal returns all of it.
type URL struct{ secret Secret }

// NewURL returns the URL with this text, which need not be valid.
func NewURL(text string) URL { return URL{NewSecret(text)} }

// Reveal returns the URL with its password.
func (u URL) Reveal() string { return u.secret.Reveal() }

// String returns the URL without its password, or ••• when it cannot be told
// where the password is. What has no scheme is no URL, and shown as it was given
// for whoever is told so, but for what may be a user and a password.
func (u URL) String() string {
	text := u.Reveal()
	if text == NoProxy {
		return text
	}
	if !strings.Contains(text, "://") {
		return withoutUser(text)
	}
	if !strings.ContainsAny(text, "@?") {
		return text
	}
	parsed, err := url.Parse(text)
	if err != nil {
		return redacted
	}
	if _, ok := parsed.User.Password(); ok {
		parsed.User = url.UserPassword(parsed.User.Username(), redacted)
	} else if parsed.User != nil {
		parsed.User = url.User(redacted) // a lone name may be a token
	}
	parsed.RawQuery = redactQuery(parsed.RawQuery)
	return strings.ReplaceAll(parsed.String(), url.QueryEscape(redacted), redacted)
}

// withoutUser is what may be an address without a scheme, and may also be the
// pairs of key and value that PostgreSQL takes.
func withoutUser(text string) string {
	if strings.Contains(text, "=") {
		return redacted
	}
	if at := strings.LastIndex(text, "@"); at >= 0 {
		return redacted + text[at:]
	}
	return text
}

// redactQuery hides the parameters that hold secrets by their names, as
// PostgreSQL's password and sslpassword do.
func redactQuery(query string) string {
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		key, _, ok := strings.Cut(pair, "=")
		if ok && secretKey(key) {
			pairs[i] = key + "=" + redacted
		}
	}
	return strings.Join(pairs, "&")
}

func secretKey(key string) bool {
	lower := strings.ToLower(key)
	return strings.Contains(lower, "password") || strings.Contains(lower, "token") || strings.Contains(lower, "secret")
}

// GoString answers whoever prints values as Go.
func (u URL) GoString() string { return strconv.Quote(u.String()) }

// Format answers fmt for every verb.
func (u URL) Format(f fmt.State, verb rune) { writeHidden(f, verb, u.String()) }

// LogValue answers slog.
func (u URL) LogValue() slog.Value { return slog.StringValue(u.String()) }

// MarshalText answers encoding/json, YAML and XML.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText takes the URL as it is.
func (u *URL) UnmarshalText(text []byte) error {
	*u = NewURL(string(text))
	return nil
}
