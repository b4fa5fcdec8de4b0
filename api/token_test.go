package api_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pullrun/pullrun/api"
)

// Every token is found by a scan, says what it is, and differs from all others.
func TestTokenText(t *testing.T) {
	t.Parallel()
	scan := regexp.MustCompile(`pr[tew]_[a-z2-7]{10}_[A-Z2-7]{26}`)
	seen := make(map[string]bool)
	for kind, prefix := range map[api.TokenKind]string{api.TokenPlain: "prt_", api.TokenEnrolment: "pre_", api.TokenWorker: "prw_"} {
		for range 100 {
			text := api.NewTokenText(kind)
			if !strings.HasPrefix(text, prefix) || scan.FindString("token="+text+"&") != text {
				t.Fatalf("NewTokenText(%q) = %q", kind, text)
			}
			id := api.TokenID(text)
			if seen[text] || seen[id] || !strings.HasPrefix(text, prefix+id+"_") {
				t.Fatalf("TokenID(%q) = %q", text, id)
			}
			seen[text], seen[id] = true, true
		}
	}
	for _, other := range []string{"", "prw_", "s3cret-of-the-settings", "prx_abcdefghij_ABCDEFGHIJKLMNOPQRSTUVWXYZ", "prt_abcdefghij_ABCDEFGHIJKLMNOPQRSTUVWXYZ2"} {
		if id := api.TokenID(other); id != "" {
			t.Errorf("TokenID(%q) = %q, want none", other, id)
		}
	}
}

func TestNewTokenIsChecked(t *testing.T) {
	t.Parallel()
	work, both := []api.Scope{api.ScopeWork}, []api.Scope{api.ScopeWork, api.ScopeRead}
	for _, tt := range []struct {
		name string
		in   api.NewToken
		want string // in the error; "" is none
	}{
		{"a token", api.NewToken{Name: "a", Scopes: both}, ""},
		{"a token without scopes", api.NewToken{Name: "a"}, "scopes: wants at least one"},
		{"a token that enrols", api.NewToken{Name: "a", Scopes: []api.Scope{api.ScopeEnrol}}, "not one of"},
		{"a token of one worker", api.NewToken{Name: "a", Scopes: work, Worker: "w"}, ""},
		{"a token of a pattern", api.NewToken{Name: "a", Scopes: work, Worker: "w*"}, "worker:"},
		{"a bound token that reads", api.NewToken{Name: "a", Scopes: both, Worker: "w"}, "work alone"},
		{"a token of a queue that submits", api.NewToken{Name: "a", Scopes: []api.Scope{api.ScopeSubmit}, Queues: []string{"q"}}, "work alone"},
		{"an enrolment", api.NewToken{Kind: api.TokenEnrolment, Name: "a", Worker: "edge-*", Queues: []string{"q"}}, ""},
		{"an enrolment with scopes", api.NewToken{Kind: api.TokenEnrolment, Name: "a", Scopes: work}, "scopes: an enrolment has none"},
		{"an enrolment with a bad pattern", api.NewToken{Kind: api.TokenEnrolment, Name: "a", Worker: "edge-["}, "not a pattern"},
		{"a credential", api.NewToken{Kind: api.TokenWorker, Name: "a"}, "kind: must be"},
	} {
		err := tt.in.Validate()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Validate() = %v, want %q", tt.name, err, tt.want)
		}
	}
	if slices.Contains(api.TokenScopes, api.ScopeEnrol) {
		t.Error("a token can be created with the scope enrol")
	}
}
