package server

import (
	"crypto/tls"
	"fmt"
	"log/slog"

	"github.com/pullrun/pullrun/api/fresh"
)

// TLS says what a server shows of itself and whom it lets in, nil where it speaks
// plain HTTP. Each connection has it as the files are then.
func (c Config) TLS(log *slog.Logger) (*tls.Config, error) {
	if c.CertFile == "" {
		return nil, nil
	}
	pair, err := fresh.KeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			cert, err := pair.Get()
			if err != nil {
				log.WarnContext(hello.Context(), "the new certificate cannot be used, showing the one before it", "err", err)
			}
			return cert, nil
		},
	}
	if c.ClientCAFile == "" {
		return config, nil
	}
	authorities, err := fresh.Pool(c.ClientCAFile, nil)
	if err != nil {
		return nil, fmt.Errorf("authorities of clients: %w", err)
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	asking := config.Clone()
	asking.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		pool, err := authorities.Get()
		if err != nil {
			log.WarnContext(hello.Context(), "the new authorities of clients cannot be used, asking for those before them", "err", err)
		}
		now := config.Clone()
		now.ClientCAs = pool
		return now, nil
	}
	return asking, nil
}
