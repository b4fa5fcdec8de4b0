package otel

import (
	"regexp"
	"strings"
)

// What of a URL may hold secrets is found in running text, such as the text
// of an error, without knowing for sure where the URL ends. In doubt more is
// taken than less.
var (
	// userinfo is what stands before the last @ of an authority.
	userinfo = regexp.MustCompile(`://[^/?#\s"<>]*@`)

	// quotedTail finds query and fragment of a URL in quotes, as *url.Error
	// writes it; there they may hold blanks.
	quotedTail = regexp.MustCompile(`"[^"\s?#]*://[^"\s?#]*([?#][^"]*)`)

	// absoluteTail finds query and fragment of a URL with a scheme.
	absoluteTail = regexp.MustCompile(`://[^\s"<>?#]*([?#][^\s"<>]*)`)

	// relativeTail finds a query that has at least one value. Anything else
	// after a question mark may be prose.
	relativeTail = regexp.MustCompile(`(\?[^\s"<>]*=[^\s"<>]*)`)
)

// redactURLs strips the userinfo of the URLs in s and replaces the values in
// their queries and fragments. The keys stay.
func redactURLs(s string) string {
	if strings.Contains(s, "://") {
		s = userinfo.ReplaceAllString(s, "://")
		s = replaceTails(s, quotedTail)
		s = replaceTails(s, absoluteTail)
	}
	if strings.Contains(s, "?") {
		s = replaceTails(s, relativeTail)
	}
	return s
}

// redactURL is [redactURLs] for a text that is one URL from end to end.
func redactURL(s string) string {
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		s = s[:i] + redactTail(s[i:])
	}
	return redactURLs(s)
}

func replaceTails(s string, tail *regexp.Regexp) string {
	if !strings.ContainsAny(s, "?#") {
		return s
	}
	var b strings.Builder
	last := 0
	for _, m := range tail.FindAllStringSubmatchIndex(s, -1) {
		b.WriteString(s[last:m[2]])
		b.WriteString(redactTail(s[m[2]:m[3]]))
		last = m[3]
	}
	b.WriteString(s[last:])
	return b.String()
}

// redactTail replaces the values of a query or fragment, which begins with
// its ? or #.
func redactTail(tail string) string {
	return tail[:1] + redactQuery(tail[1:])
}

// redactQuery replaces the values of a query. A part without a key is a
// value.
func redactQuery(query string) string {
	if query == "" {
		return query
	}
	parts := strings.Split(query, "&")
	for i, part := range parts {
		if part == "" {
			continue
		}
		if key, _, ok := strings.Cut(part, "="); ok {
			parts[i] = key + "=" + redacted
		} else {
			parts[i] = redacted
		}
	}
	return strings.Join(parts, "&")
}

// uncutURL removes from the end of a text that was cut off there an authority
// whose userinfo cannot be told from its host any more.
func uncutURL(s string) string {
	i := strings.LastIndex(s, "://")
	if i < 0 || strings.ContainsAny(s[i+len("://"):], "/?# \t\n\"") {
		return s
	}
	return s[:i+len("://")]
}
