package configs

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

func TestSources(t *testing.T) {
	t.Parallel()
	_, sources, err := Load[Client](LoadOptions{
		Environ: environment(map[string]string{"PULLRUN_SERVER_TOKEN": sesame, "PULLRUN_LOG_LEVEL": "error"}),
		Flags:   parsed[Client](t, "--server-url=https://example.com"),
	})
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	if err := sources.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	want := `
KEY                         VALUE                SOURCE
server.url                  https://example.com  flag --server-url
server.token                •••                  PULLRUN_SERVER_TOKEN
server.token_file                                default
server.ca_file                                   default
server.cert_file                                 default
server.key_file                                  default
server.proxy                                     default
server.proxy_user                                default
server.proxy_password                            default
server.proxy_password_file                       default
log.level                   error                PULLRUN_LOG_LEVEL
log.format                  auto                 default
`
	if diff := cmp.Diff(want[1:], table.String()); diff != "" {
		t.Errorf("WriteTable() (-want +got)\n%s", diff)
	}
	encoded, err := json.Marshal(sources[:2])
	if err != nil {
		t.Fatal(err)
	}
	want = `[{"key":"server.url","value":"https://example.com","source":"flag --server-url"},` +
		`{"key":"server.token","value":"•••","source":"PULLRUN_SERVER_TOKEN"}]`
	if diff := cmp.Diff(want, string(encoded)); diff != "" {
		t.Errorf("sources as JSON (-want +got)\n%s", diff)
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	Flags[Client](fs)
	want := `
      --server-url url                      address of the server, with the path if a proxy puts it below one [$PULLRUN_SERVER_URL] (default http://127.0.0.1:8080)
      --server-token text                   token that the server knows, with the scope work for a worker and submit or read for a client; others can see a flag, so rather use --server-token-file [$PULLRUN_SERVER_TOKEN]
      --server-token-file string            file that holds the token [$PULLRUN_SERVER_TOKEN_FILE]
      --server-ca-file string               file with PEM certificates to trust besides the system's, for a server with a certificate of one's own [$PULLRUN_SERVER_CA_FILE]
      --server-cert-file string             file with the PEM certificate to show to a server that asks for one, and those between it and the authority [$PULLRUN_SERVER_CERT_FILE]
      --server-key-file string              file with the certificate's PEM key [$PULLRUN_SERVER_KEY_FILE]
      --server-proxy url                    proxy to reach the server through, for example http://proxy.example.com:3128; https, socks5 and socks5h are spoken too [$PULLRUN_SERVER_PROXY]
      --server-proxy-user string            user to show to the proxy, whichever names it [$PULLRUN_SERVER_PROXY_USER]
      --server-proxy-password text          password to show to the proxy; others can see a flag, so rather use --server-proxy-password-file [$PULLRUN_SERVER_PROXY_PASSWORD]
      --server-proxy-password-file string   file that holds the password for the proxy [$PULLRUN_SERVER_PROXY_PASSWORD_FILE]
      --log-level string                    least important level that is written: debug, info, warn or error [$PULLRUN_LOG_LEVEL] (default "warn")
      --log-format string                   form of a line: text for people, json for machines, or auto, which is text on a terminal and json elsewhere [$PULLRUN_LOG_FORMAT] (default "auto")
`
	if diff := cmp.Diff(want[1:], fs.FlagUsages()); diff != "" {
		t.Errorf("FlagUsages() (-want +got)\n%s", diff)
	}
}

func TestFlagsNameWhatTheyWant(t *testing.T) {
	t.Parallel()
	worker, server := parsed[Worker](t), parsed[Server](t)
	for name, want := range map[string]string{
		"name": "string", "capacity": "int", "http-allow-private": "bool", "drain-timeout": "duration", "limits-result": "size",
		"queues": "a,b,...", "labels": "key=value,...", "server-url": "url", "server-token": "text",
	} {
		if got := worker.Lookup(name).Value.Type(); got != want {
			t.Errorf("--%s wants %q, want %q", name, got, want)
		}
	}
	if got := server.Lookup("tokens").Value.Type(); got != "yaml" {
		t.Errorf("--tokens wants %q, want yaml", got)
	}
}

func TestFlagForms(t *testing.T) {
	t.Parallel()
	w, _, err := Load[Worker](LoadOptions{
		Environ: environment(nil),
		Flags:   parsed[Worker](t, "--queues", "a,b", "--queues", "c", "--capacity", "1", "--capacity", "2", "--http-allow-private=false"),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := DefaultWorker()
	want.Queues, want.Capacity, want.HTTP.AllowPrivate = []string{"a", "b", "c"}, 2, false
	if diff := diff(want, w); diff != "" {
		t.Errorf("lists add up, a number is the last one (-want +got)\n%s", diff)
	}
	_, _, err = Load[Worker](LoadOptions{Environ: environment(nil), Flags: parsed[Worker](t, "--queues=")})
	if got, want := errorText(err), "queues: wants at least one (flag --queues)"; got != want {
		t.Errorf("an empty list is given as such: %q, want %q", got, want)
	}
	s, _, err := Load[Server](LoadOptions{Environ: environment(nil), Flags: parsed[Server](t, "--anonymous")})
	if err != nil || !s.Anonymous {
		t.Errorf("--anonymous alone = %v, %v, want true", s.Anonymous, err)
	}
}

// A flag keeps to itself what it must not show, also to whoever prints the
// whole set.
func TestFlagsHideSecrets(t *testing.T) {
	t.Parallel()
	show := func(f *pflag.Flag) { mustHide(t, "--"+f.Name, f.Value.String()) }
	parsed[Worker](t, "--server-token", sesame, "--server-url", "http://me:"+sesame+"@x").VisitAll(show)
	parsed[Server](t, "--tokens", "[{name: a, token: "+sesame+"}]").VisitAll(show)
}
