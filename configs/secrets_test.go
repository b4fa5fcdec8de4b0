package configs

import (
	"slices"
	"testing"
)

func TestSecretsOf(t *testing.T) {
	t.Parallel()
	server := DefaultServer()
	server.Tokens = []Token{{Name: "a", Token: NewSecret("token-a")}, {Name: "b", Token: NewSecret("token-b")}}
	server.Store = NewURL("postgres://me:pass%20word@db/x?sslpassword=ssl-secret&sslmode=disable")
	worker := DefaultWorker()
	worker.Server.Token, worker.EnrolToken, worker.Server.ProxyPassword = NewSecret("token-w"), NewSecret("enrol-w"), NewSecret("proxy-w")
	for name, tt := range map[string]struct {
		settings any
		want     []string
	}{
		"server": {server, []string{"pass word", "ssl-secret", "token-a", "token-b"}},
		"worker": {worker, []string{"enrol-w", "proxy-w", "token-w"}},
		"none":   {DefaultClient(), nil},
	} {
		var got []string
		for _, s := range SecretsOf(tt.settings) {
			if !s.IsZero() {
				got = append(got, s.Reveal())
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, tt.want) {
			t.Errorf("SecretsOf(%s) = %q, want %q", name, got, tt.want)
		}
	}
}
