package api

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Scope is what a token allows.
type Scope string

// The scopes.
const (
	ScopeSubmit Scope = "submit" // submit, cancel and read runs
	ScopeWork   Scope = "work"   // what a worker calls
	ScopeRead   Scope = "read"   // read everything
	ScopeAdmin  Scope = "admin"  // everything
	ScopeEnrol  Scope = "enrol"  // make a worker's credential, once
)

// Allow reports whether scopes are enough for calls that need the other. Who may
// submit runs may read them.
func Allow(scopes []Scope, needed Scope) bool {
	return slices.ContainsFunc(scopes, func(has Scope) bool {
		return has == needed || has == ScopeAdmin || has == ScopeSubmit && needed == ScopeRead
	})
}

// TokenScopes are what a token can be created with. An enrolment has ScopeEnrol
// and no other.
var TokenScopes = []Scope{ScopeSubmit, ScopeWork, ScopeRead, ScopeAdmin}

// A TokenKind is what a token that a server has issued is for.
type TokenKind string

// The kinds.
const (
	TokenPlain     TokenKind = "token"     // for people and programs
	TokenEnrolment TokenKind = "enrolment" // exchanged for a credential, once
	TokenWorker    TokenKind = "worker"    // a worker's credential
)

// tokenPrefixes tell the kinds apart wherever a token turns up.
var tokenPrefixes = map[TokenKind]string{TokenPlain: "prt", TokenEnrolment: "pre", TokenWorker: "prw"}

var (
	// tokenForm is what a scan for leaked tokens looks for.
	tokenForm   = regexp.MustCompile(`^pr[tew]_([a-z2-7]{10})_[A-Z2-7]{26}$`)
	tokenID     = regexp.MustCompile(`^[a-z2-7]{10}$`)
	tokenDigest = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// NewTokenText draws a token of a kind: its prefix, its id, and 130 random bits.
func NewTokenText(kind TokenKind) string {
	return tokenPrefixes[kind] + "_" + strings.ToLower(rand.Text()[:10]) + "_" + rand.Text()
}

// TokenID is the part of an issued token that may be seen, or "" of any other
// text.
func TokenID(text string) string {
	if m := tokenForm.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// TokenDigest is what a server keeps of a token: its SHA-256, in hex.
func TokenDigest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// A NewToken asks for a token.
type NewToken struct {
	Kind   TokenKind `json:"kind,omitempty"` // TokenPlain when empty; a worker's credential comes of an enrolment
	Name   string    `json:"name"`
	Scopes []Scope   `json:"scopes,omitempty"` // of TokenPlain, at least one
	TTLMS  int64     `json:"ttl_ms,omitempty"` // how long it is good for; zero is for ever, or an hour for an enrolment
	// Worker is the only worker that may use the token, or of an enrolment the
	// pattern, as of file names, of those that may. Empty is any.
	Worker string `json:"worker,omitempty"`
	// Queues and Labels bound what its worker may register with. Absent is any.
	Queues []string          `json:"queues,omitzero"`
	Labels map[string]string `json:"labels,omitzero"`
}

// Validate reports everything that is wrong with the request.
func (n NewToken) Validate() error {
	var c check
	c.name("name", n.Name)
	c.atLeast("ttl_ms", n.TTLMS, 0)
	c.atMost("queues", len(n.Queues), MaxQueues)
	for i, q := range n.Queues {
		c.name(at("queues", i, ""), q)
	}
	c.labels("labels", n.Labels)
	switch n.Kind {
	case "", TokenPlain:
		n.checkPlain(&c)
	case TokenEnrolment:
		if len(n.Scopes) > 0 {
			c.add("scopes", "an enrolment has none: its worker may work")
		}
		if _, err := path.Match(n.Worker, ""); err != nil || len(n.Worker) > MaxValueBytes {
			c.add("worker", quote(n.Worker)+" is not a pattern")
		}
	default:
		c.add("kind", fmt.Sprintf("must be %q or %q, got %s", TokenPlain, TokenEnrolment, quote(string(n.Kind))))
	}
	return c.err()
}

func (n NewToken) checkPlain(c *check) {
	if len(n.Scopes) == 0 {
		c.add("scopes", "wants at least one")
	}
	c.atMost("scopes", len(n.Scopes), len(TokenScopes))
	for i, s := range n.Scopes {
		if !slices.Contains(TokenScopes, s) {
			c.add(at("scopes", i, ""), quote(string(s))+" is not one of submit, work, read, admin")
		}
	}
	if n.Worker != "" {
		c.name("worker", n.Worker)
	}
	if bound := n.Worker != "" || n.Queues != nil || n.Labels != nil; bound && !slices.Equal(n.Scopes, []Scope{ScopeWork}) {
		c.add("scopes", "must be work alone where worker, queues or labels are bound")
	}
}

// A Token is one that the server has issued, without what makes it one.
type Token struct {
	ID        string            `json:"id"` // the part of it that may be seen
	Kind      TokenKind         `json:"kind"`
	Name      string            `json:"name"`
	Scopes    []Scope           `json:"scopes"`
	Worker    string            `json:"worker,omitempty"`
	Queues    []string          `json:"queues,omitzero"`
	Labels    map[string]string `json:"labels,omitzero"`
	CreatedAt time.Time         `json:"created_at"`
	CreatedBy string            `json:"created_by"`
	ExpiresAt time.Time         `json:"expires_at,omitzero"` // absent is never
	UsedAt    time.Time         `json:"used_at,omitzero"`    // to the hour; absent is never
	// Successor is the credential that came of it.
	Successor string `json:"successor,omitempty"`
}

// An IssuedToken is a new token. Its text is told this once.
type IssuedToken struct {
	Token Token  `json:"token"`
	Text  string `json:"text"`
}

// A TokenList is every token that the server has issued and not forgotten.
type TokenList struct {
	Tokens []Token `json:"tokens"`
}

// A NewCredential is a worker's credential as the worker has drawn it. The server
// sees it when it is used, and not before.
type NewCredential struct {
	Worker string `json:"worker"`
	ID     string `json:"id"`     // of the credential
	Digest string `json:"digest"` // of the credential
}

// Credential is what the server is told of a credential.
func Credential(worker, text string) NewCredential {
	return NewCredential{Worker: worker, ID: TokenID(text), Digest: TokenDigest(text)}
}

// Validate reports everything that is wrong with the credential.
func (n NewCredential) Validate() error {
	var c check
	c.name("worker", n.Worker)
	if !tokenID.MatchString(n.ID) {
		c.add("id", quote(n.ID)+" is not a token's id")
	}
	if !tokenDigest.MatchString(n.Digest) {
		c.add("digest", "must be a SHA-256 in hex")
	}
	return c.err()
}

// An Enrolled answers an exchange with how long the credential is good for.
type Enrolled struct {
	ExpiresAt time.Time `json:"expires_at"`
	RenewMS   int64     `json:"renew_ms"` // after how long to make a successor
}

// Renew is RenewMS as a duration.
func (e Enrolled) Renew() time.Duration { return time.Duration(e.RenewMS) * time.Millisecond }
