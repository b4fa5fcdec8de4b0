package server

import "time"

// cfg is the configuration of now.
func (s *Server) cfg() *Config { return s.config.Load() }

// Adjust changes the configuration while the server runs: all of it but the
// address, the certificate, Metrics and Forwarder, and what a store is opened
// with. Calls under way go on as they began; a worker learns of a new hold, lease
// or renew when it registers next. On an error nothing changes.
func (s *Server) Adjust(cfg Config) error {
	old := s.cfg()
	cfg.Listen, cfg.CertFile, cfg.KeyFile, cfg.Metrics, cfg.Forwarder = old.Listen, old.CertFile, old.KeyFile, old.Metrics, old.Forwarder
	cfg.Hold = min(cfg.Hold, cfg.Lease*3/4)
	if err := s.SetTokens(cfg.Tokens); err != nil {
		return err
	}
	if p := s.pace.Load(); p == nil || p.perSecond != cfg.Rate {
		s.pace.Store(&pace{perSecond: cfg.Rate})
	}
	s.config.Store(&cfg)
	return nil
}

// stallMargin is how late the sweep may be before it is taken for stuck. A
// database that is away answers with an error long before.
const stallMargin = 3 * time.Minute

// Stalled names the loops of the server that do not turn any more.
func (s *Server) Stalled() []string {
	if turned := s.turned.Load(); turned != nil && time.Since(*turned) > stallMargin {
		return []string{"sweep"}
	}
	return nil
}
