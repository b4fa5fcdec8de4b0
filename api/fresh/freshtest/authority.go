// Package freshtest makes certificates for tests. They have been good for long,
// so that they are where time is simulated, which begins with the year 2000.
package freshtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var long = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)

// An Authority signs certificates.
type Authority struct {
	// File holds its own certificate.
	File string

	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority makes an authority of this name.
func NewAuthority(t testing.TB, name string) *Authority {
	t.Helper()
	a := &Authority{}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: long, NotAfter: time.Now().Add(24 * time.Hour),
	}
	a.cert, a.key = a.sign(t, template)
	a.File = filepath.Join(t.TempDir(), "authority.pem")
	write(t, a.File, "CERTIFICATE", a.cert.Raw)
	return a
}

// Issue writes a certificate for hosts, names or addresses, and its key into a
// folder that ends with the test.
func (a *Authority) Issue(t testing.TB, hosts ...string) (certFile, keyFile string) {
	t.Helper()
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	a.IssueInto(t, certFile, keyFile, 24*time.Hour, hosts...)
	return certFile, keyFile
}

// IssueInto writes a certificate that is good for a while to these files.
func (a *Authority) IssueInto(t testing.TB, certFile, keyFile string, good time.Duration, hosts ...string) {
	t.Helper()
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: hosts[0]}, NotBefore: long, NotAfter: time.Now().Add(good),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	cert, key := a.sign(t, template)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, certFile, "CERTIFICATE", cert.Raw)
	write(t, keyFile, "PRIVATE KEY", raw)
}

// sign makes a certificate of the template, and signs it; the authority's own
// it signs with itself.
func (a *Authority) sign(t testing.TB, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		t.Fatal(err)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// write replaces a file as a whole, as those who renew certificates do.
func write(t testing.TB, path, kind string, der []byte) {
	t.Helper()
	fresh := path + ".new"
	if err := os.WriteFile(fresh, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresh, path); err != nil {
		t.Fatal(err)
	}
}
