package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxProblems bounds how many problems of one body are told: a body with ten
// thousand bad entries is not answered with a longer one.
const maxProblems = 20

// A check collects what is wrong with a body, so that all of it is reported
// at once.
type check struct{ Invalid }

// Invalid is everything that is wrong with a body. It is the cause of the [Error]
// that a Validate returns.
type Invalid struct {
	Problems []FieldProblem
	untold   int // problems beyond maxProblems
}

// A FieldProblem is one thing that is wrong with a body.
type FieldProblem struct {
	Field   string // such as "retry.on[0]"
	Message string
}

func (i Invalid) Error() string {
	list := make([]string, len(i.Problems))
	for n, p := range i.Problems {
		list[n] = p.Field + ": " + p.Message
	}
	text := strings.Join(list, "; ")
	if i.untold > 0 {
		text += fmt.Sprintf("; and %d more", i.untold)
	}
	return text
}

func (c *check) add(field, problem string) {
	if len(c.Problems) == maxProblems {
		c.untold++
		return
	}
	c.Problems = append(c.Problems, FieldProblem{field, problem})
}

func (c *check) err() error {
	if len(c.Problems) == 0 {
		return nil
	}
	return Errorf(CodeInvalidRequest, "%w", c.Invalid)
}

func (c *check) session(s string) {
	switch {
	case s == "":
		c.add("session", "is required")
	case len(s) > MaxSessionBytes:
		c.add("session", fmt.Sprintf("is longer than %d bytes", MaxSessionBytes))
	}
}

func (c *check) text(field, s string) {
	if len(s) > MaxValueBytes {
		c.add(field, fmt.Sprintf("is longer than %d bytes", MaxValueBytes))
	}
}

func (c *check) atLeast(field string, n, least int64) {
	if n < least {
		c.add(field, fmt.Sprintf("must be at least %d, got %d", least, n))
	}
}

func (c *check) between(field string, n, least, most int64) {
	if n < least || n > most {
		c.add(field, fmt.Sprintf("must be from %d to %d, got %d", least, most, n))
	}
}

func (c *check) atMost(field string, n, most int) {
	if n > most {
		c.add(field, fmt.Sprintf("may have at most %d entries, got %d", most, n))
	}
}

func (c *check) batch(field string, n int) {
	if n == 0 {
		c.add(field, "is empty")
	}
	c.atMost(field, n, MaxBatch)
}

func (c *check) cookie(field, s string) {
	switch {
	case s == "":
		c.add(field, "is required")
	case len(s) > MaxCookieBytes:
		c.add(field, fmt.Sprintf("is longer than %d bytes", MaxCookieBytes))
	case !ValidCookie(s):
		c.add(field, quote(s)+" may hold only letters, digits and . _ : -, and begins with a letter or digit")
	}
}

func (c *check) name(field, s string) {
	if !ValidName(s) {
		c.add(field, quote(s)+" must be 1 to 63 lower-case letters, digits and . _ -, beginning with a letter or digit")
	}
}

func (c *check) pipeline(field, s string) {
	switch {
	case s == "":
		c.add(field, "is required")
	case !ValidPipeline(s):
		c.add(field, quote(s)+" is not the name of a pipeline")
	}
}

// digest checks one that may be empty, which is none.
func (c *check) digest(field, s string) {
	c.text(field, s)
	if strings.ContainsFunc(s, func(r rune) bool { return r < '!' || r > '~' }) {
		c.add(field, quote(s)+" may hold only printable ASCII without spaces, such as sha256: and a hash in hex")
	}
}

func (c *check) labels(field string, labels map[string]string) {
	c.atMost(field, len(labels), MaxLabels)
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		v := labels[k]
		if !ValidName(strings.ReplaceAll(k, "/", ".")) {
			c.add(field, "key "+quote(k)+" must be 1 to 63 lower-case letters, digits and . _ / -, beginning with a letter or digit")
		}
		if len(v) > MaxValueBytes || !printable(v) {
			c.add(field, fmt.Sprintf("the value of %s must be printable text of at most %d bytes", quote(k), MaxValueBytes))
		}
	}
}

// moment checks a time that is to be told again. One of another year is in UTC
// none that RFC 3339 can write.
func (c *check) moment(field string, at time.Time) {
	if year := at.UTC().Year(); year < 0 || year > 9999 {
		c.add(field, "must be of the years 0 to 9999 in UTC")
	}
}

func (c *check) delivery(field string, d Delivery) {
	switch d {
	case "", AtLeastOnce, AtMostOnce:
	default:
		c.add(field, fmt.Sprintf("must be %q or %q, got %q", AtLeastOnce, AtMostOnce, d))
	}
}

func (c *check) concurrency(field string, in Concurrency) {
	c.cookie(field+".key", in.Key)
	c.between(field+".limit", int64(in.Limit), 0, MaxConcurrency)
	switch in.Policy {
	case "", ConcurrencyQueue, ConcurrencyReject, ConcurrencyCancelOlder:
	default:
		c.add(field+".policy", fmt.Sprintf("must be %q, %q or %q, got %q", ConcurrencyQueue, ConcurrencyReject, ConcurrencyCancelOlder, in.Policy))
	}
}

func (c *check) object(field string, raw json.RawMessage) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" || raw[0] == '{' {
		return
	}
	c.add(field, "must be a JSON object")
}

// held checks the leases that a session holds. A body that does not say which holds
// them all still: only an empty list is none.
func (c *check) held(held []Held) {
	if held == nil {
		c.add("holding", "is required, [] when nothing is held")
	}
	c.holding(held)
}

func (c *check) holding(held []Held) {
	c.atMost("holding", len(held), MaxHolding)
	for i, h := range held {
		c.cookie(at("holding", i, "cookie"), h.Cookie)
		c.atLeast(at("holding", i, "fence"), h.Fence, 1)
		c.text(at("holding", i, "traceparent"), h.TraceParent)
		c.text(at("holding", i, "store"), h.Store)
	}
}

// at names a field of one entry of a list; the field is "" for the entry.
func at(list string, i int, field string) string {
	entry := fmt.Sprintf("%s[%d]", list, i)
	if field == "" {
		return entry
	}
	return entry + "." + field
}

// ValidCookie reports whether s can name a run: 1 to 128 letters, digits and
// . _ : - of ASCII, beginning with a letter or digit.
func ValidCookie(s string) bool {
	return s != "" && len(s) <= MaxCookieBytes && !strings.ContainsRune("._:-", rune(s[0])) && onlyASCII(s, "._:-", true)
}

// ValidName reports whether s can name a queue, a worker or an event kind: 1
// to 63 lower-case letters, digits and . _ - of ASCII, beginning with a letter
// or digit.
func ValidName(s string) bool {
	return s != "" && len(s) <= MaxNameBytes && !strings.ContainsRune("._-", rune(s[0])) && onlyASCII(s, "._-", false)
}

// ValidPipeline reports whether s can name a pipeline: 1 to 255 bytes of
// printable text without slashes.
func ValidPipeline(s string) bool {
	return s != "" && len(s) <= MaxPipelineBytes && printable(s) && !strings.ContainsAny(s, `/\`)
}

func onlyASCII(s, others string, upper bool) bool {
	for _, r := range s {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9', upper && 'A' <= r && r <= 'Z':
		case strings.ContainsRune(others, r):
		default:
			return false
		}
	}
	return true
}

func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// quote quotes text from outside for a message, cut to a readable length.
func quote(s string) string {
	if len(s) > 80 {
		s = strings.ToValidUTF8(s[:80], "") + "..."
	}
	return strconv.QuoteToGraphic(s)
}
