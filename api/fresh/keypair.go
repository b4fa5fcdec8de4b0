package fresh

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
)

// KeyPair is a certificate and its key, in PEM form.
func KeyPair(certFile, keyFile string) (*Value[*tls.Certificate], error) {
	return New(func(files [][]byte) (*tls.Certificate, error) {
		pair, err := tls.X509KeyPair(files[0], files[1])
		if err != nil {
			return nil, fmt.Errorf("certificate %q with key %q: %w", certFile, keyFile, err)
		}
		return &pair, nil
	}, certFile, keyFile)
}

// Pool is the certificates of a PEM file, besides those of base, which may be
// nil.
func Pool(file string, base *x509.CertPool) (*Value[*x509.CertPool], error) {
	return New(func(files [][]byte) (*x509.CertPool, error) {
		pool := x509.NewCertPool()
		if base != nil {
			pool = base.Clone()
		}
		if !pool.AppendCertsFromPEM(files[0]) {
			return nil, fmt.Errorf("%q holds no certificate in PEM form", file)
		}
		return pool, nil
	}, file)
}
