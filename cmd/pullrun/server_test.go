package main

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/pullrun/pullrun/api/fresh/freshtest"
)

// The log says at the start what is served, and how.
func TestServerSaysWhatItServes(t *testing.T) {
	t.Parallel()
	_, out, _ := call(t, nil, "version", "--output", "json")
	version := decode[struct{ Version string }](t, out).Version
	cert, key := freshtest.NewAuthority(t, "ours").Issue(t, "127.0.0.1")
	for _, tt := range []struct {
		name  string
		flags []string
		tls   bool
	}{
		{"plain HTTP", nil, false},
		{"TLS", []string{"--tls-cert-file", cert, "--tls-key-file", key}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			args := []string{"server", "--anonymous", "--listen", "127.0.0.1:0", "--store", "sqlite://" + filepath.Join(t.TempDir(), "x.db"), "--log-format", "json"}
			start(t, nil, append(args, tt.flags...)...).says(fmt.Sprintf(`"tls":%t,"store":"sqlite","version":%q`, tt.tls, version))
		})
	}
}
