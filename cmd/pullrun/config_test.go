package main

import (
	"strings"
	"testing"
)

// The settings of the commands that talk to a server are shown and checked like
// those of a worker and of a server.
func TestConfigOfAClient(t *testing.T) {
	t.Parallel()
	s := &site{t: t, dir: t.TempDir()}
	file := s.write("pullrun/client.yaml", "server: {url: http://a.example, token: "+testToken+"}\n")
	wrong := s.write("wrong.yaml", "server: {ulr: http://a.example}\n")
	env := []string{"XDG_CONFIG_HOME=" + s.dir}
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
