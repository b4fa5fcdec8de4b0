package main

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pullrun/pullrun/api/fresh/freshtest"
)

// The settings of the commands that talk to a server are shown and checked like
// those of a worker and of a server. The files that they name are read as well.
func TestConfigOfAClient(t *testing.T) {
	t.Parallel()
	s := &site{t: t, dir: t.TempDir()}
	file := s.write("pullrun/client.yaml", "server: {url: http://a.example, token: "+testToken+"}\n")
	wrong := s.write("wrong.yaml", "server: {ulr: http://a.example}\n")
	env := []string{"XDG_CONFIG_HOME=" + s.dir}
	authority := freshtest.NewAuthority(t, "ours")
	cert, key := authority.Issue(t, "127.0.0.1")
	_, otherKey := authority.Issue(t, "127.0.0.1")
	none := filepath.Join(s.dir, "none")
	for _, tt := range []struct {
		args string
		code int
		want []string // in what it prints or says
	}{
		{"print client", exitDone, []string{"http://a.example", file + ":1", "•••"}},
		{"print client --server-url http://b.example", exitDone, []string{"http://b.example", "flag --server-url"}},
		{"print client --defaults", exitDone, []string{"# Settings of a pullrun client", "PULLRUN_SERVER_URL"}},
		{"validate client", exitDone, []string{"ok"}},
		{"validate client " + wrong, exitUsage, []string{`server.ulr: unknown key; did you mean "url"? (` + wrong + ":1)"}},
		{"validate client --server-url https://a.example --server-ca-file " + none, exitUsage, []string{"CA file: open " + none + ": no such file"}},
		{"validate worker --server-url https://a.example --server-cert-file " + cert + " --server-key-file " + cert, exitUsage, []string{"client certificate: certificate " + strconv.Quote(cert)}},
		{"validate server --tls-cert-file " + cert + " --tls-key-file " + key, exitDone, []string{"ok"}},
		{"validate server --tls-cert-file " + none + " --tls-key-file " + key, exitUsage, []string{"certificate: open " + none + ": no such file"}},
		{"validate server --tls-cert-file " + cert + " --tls-key-file " + otherKey, exitUsage, []string{"private key does not match public key"}},
		{"validate server --tls-cert-file " + cert + " --tls-key-file " + key + " --tls-client-ca-file " + key, exitUsage, []string{"authorities of clients", "holds no certificate"}},
		{"validate server --store-file " + none, exitUsage, []string{"store_file: open " + none + ": no such file"}},
		{"print", exitUsage, []string{"worker, server or client"}},
	} {
		code, out, log := call(t, env, append([]string{"config"}, strings.Fields(tt.args)...)...)
		if code != tt.code || strings.Contains(out+log, testToken) {
			t.Errorf("config %s = %d\n%s%s", tt.args, code, out, log)
		}
		for _, want := range tt.want {
			if !strings.Contains(out+log, want) {
				t.Errorf("config %s says\n%s%s\nwant %q", tt.args, out, log, want)
			}
		}
	}
}
