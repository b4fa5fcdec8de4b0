package server_test

import (
	"crypto/tls"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pullrun/pullrun/api/fresh/freshtest"
)

// A tlsCaller calls with a connection of its own each time, and shows what it
// is given.
type tlsCaller struct {
	t      *testing.T
	w      *world
	config *tls.Config
}

// get returns the name in the server's certificate.
func (c tlsCaller) get() (string, error) {
	c.t.Helper()
	transport := &http.Transport{TLSClientConfig: c.config.Clone(), ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(c.w.url + "/livez")
	if err != nil {
		return "", err
	}
	return resp.TLS.PeerCertificates[0].DNSNames[0], resp.Body.Close()
}

// A certificate that is renewed is shown without a restart, and a half of a new
// pair is not.
func TestCertificateIsReadAgain(t *testing.T) {
	t.Parallel()
	authority := freshtest.NewAuthority(t, "ours")
	cert, key := authority.Issue(t, "first", "127.0.0.1")
	w := newWorld(t, func(s *setup) { s.CertFile, s.KeyFile = cert, key })
	caller := tlsCaller{t, w, &tls.Config{RootCAs: pool(t, authority)}}
	want := func(name string) {
		t.Helper()
		if got, err := caller.get(); err != nil || got != name {
			t.Errorf("the certificate is for %q, %v, want %q", got, err, name)
		}
	}
	want("first")
	authority.IssueInto(t, cert, key, time.Hour, "second", "127.0.0.1")
	want("second")
	authority.IssueInto(t, cert, filepath.Join(t.TempDir(), "its.key"), time.Hour, "third", "127.0.0.1")
	want("second")
	want("second")
	if n := w.logged("the new certificate cannot be used, showing the one before it"); n != 1 {
		t.Errorf("it was logged %d times that a certificate has not its key, want once", n)
	}
	authority.IssueInto(t, cert, key, time.Hour, "fourth", "127.0.0.1")
	want("fourth")
}

// With client_ca_file, who shows no certificate of these authorities is not
// heard, and authorities may change.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	ours, next, strange := freshtest.NewAuthority(t, "ours"), freshtest.NewAuthority(t, "next"), freshtest.NewAuthority(t, "strange")
	cert, key := ours.Issue(t, "server", "127.0.0.1")
	authorities := filepath.Join(t.TempDir(), "authorities.pem")
	trust := func(all ...*freshtest.Authority) {
		t.Helper()
		var raw []byte
		for _, a := range all {
			one, err := os.ReadFile(a.File)
			if err != nil {
				t.Fatal(err)
			}
			raw = append(raw, one...)
		}
		if err := os.WriteFile(authorities, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	trust(ours)
	w := newWorld(t, func(s *setup) { s.CertFile, s.KeyFile, s.ClientCAFile = cert, key, authorities })
	as := func(a *freshtest.Authority) error {
		t.Helper()
		config := &tls.Config{RootCAs: pool(t, ours)}
		if a != nil {
			cert, key := a.Issue(t, "client")
			pair, err := tls.LoadX509KeyPair(cert, key)
			if err != nil {
				t.Fatal(err)
			}
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
		}
		_, err := tlsCaller{t, w, config}.get()
		return err
	}
	if as(ours) != nil || as(next) == nil || as(strange) == nil || as(nil) == nil {
		t.Error("not only who has a certificate of ours is heard")
	}
	trust(next, ours)
	if as(ours) != nil || as(next) != nil || as(strange) == nil || as(nil) == nil {
		t.Error("not only who has a certificate of ours or of the next authority is heard")
	}
	if err := os.Remove(authorities); err != nil {
		t.Fatal(err)
	}
	if as(ours) != nil || as(strange) == nil || w.logged("the new authorities of clients cannot be used, asking for those before them") != 1 {
		t.Error("without the file, those who were heard are not")
	}
}
