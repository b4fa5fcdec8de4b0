package configs

import (
	"cmp"
	"maps"
	"net"
	"net/url"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A check collects what is wrong with values, for Validate.
type check struct{ problems Problems }

func (c *check) add(key, format string, args ...any) { c.problems.add(key, "", format, args...) }

func (c *check) err() error { return c.problems.err() }

// atLeast checks a number, a duration or a size.
func atLeast[N cmp.Ordered](c *check, key string, n, least N) {
	if n < least {
		c.add(key, "must be at least %s, got %s", format(reflect.ValueOf(least)), format(reflect.ValueOf(n)))
	}
}

// between checks a number.
func (c *check) between(key string, n, least, most int) {
	if n < least || n > most {
		c.add(key, "must be from %d to %d, got %d", least, most, n)
	}
}

func (c *check) oneOf(key, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		c.add(key, "must be one of %s, got %q", strings.Join(allowed, ", "), value)
	}
}

// patterns checks patterns of names.
func (c *check) patterns(key string, patterns []string) {
	for _, pattern := range patterns {
		if _, err := path.Match(pattern, ""); err != nil {
			c.add(key, "%q is not a pattern", pattern)
		}
	}
}

// name checks the name of a queue, a worker or a token by the server's rule.
func (c *check) name(key, value string) {
	if !validName(value, "._-") {
		c.add(key, "%q must be 1 to 63 lower-case letters, digits and . _ -, beginning with a letter or digit", value)
	}
}

// labels checks labels by the server's rule. That keys are lower case keeps a
// label the same whatever reads or compares it.
func (c *check) labels(key string, labels map[string]string) {
	if len(labels) > 32 {
		c.add(key, "may have at most 32 entries, got %d", len(labels))
	}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if !validName(name, "._-/") {
			c.add(key, "key %q must be 1 to 63 lower-case letters, digits and . _ / -, beginning with a letter or digit", name)
		}
		if value := labels[name]; len(value) > 255 || strings.ContainsFunc(value, unprintable) {
			c.add(key, "the value of %q must be printable text of at most 255 bytes", name)
		}
	}
}

func unprintable(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }

func validName(s, others string) bool {
	if s == "" || len(s) > 63 || strings.Contains(others, s[:1]) {
		return false
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune(others, r) {
			return false
		}
	}
	return true
}

// address checks what net.Listen takes.
func (c *check) address(key, value string) {
	_, port, err := net.SplitHostPort(value)
	if _, notNumber := strconv.ParseUint(port, 10, 16); err != nil || notNumber != nil {
		c.add(key, `wants host:port, for example "127.0.0.1:8080" or ":8080", got %q`, value)
	}
}

// isPublic reports whether other machines can reach an address.
func isPublic(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && host != "localhost" && !net.ParseIP(host).IsLoopback()
}

// pair checks two settings that are of use together only.
func (c *check) pair(key, value, other, otherValue string) {
	switch {
	case value != "" && otherValue == "":
		c.add(key, "wants %s beside it", other)
	case value == "" && otherValue != "":
		c.add(other, "wants %s beside it", key)
	}
}

// conflict says that two settings are set of which only one may be.
func (c *check) conflict(key, other string) {
	c.problems = append(c.problems, Problem{Key: key, Message: conflictOf(other), other: other})
}

func conflictOf(other string) string { return "is set beside " + other + "; keep one of them" }

// base checks the address of a server: scheme and host, and a path if the
// server is behind a proxy that gives it one.
func (c *check) base(key string, value URL) {
	u, err := url.Parse(value.Reveal())
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		c.add(key, `wants an address, for example "https://pullrun.example.com", got %q`, value)
	case u.User != nil:
		c.add(key, "must not hold a password; that is what the token is for")
	case u.RawQuery != "" || u.Fragment != "":
		c.add(key, "must end with the path, got %q", value)
	}
}

func hasScheme(value URL, schemes ...string) bool {
	scheme, rest, ok := strings.Cut(value.Reveal(), "://")
	return ok && rest != "" && slices.Contains(schemes, scheme)
}
