package poller

import (
	"context"
	"errors"

	"github.com/pullrun/pullrun/api"
)

// errAnnounced ends a session for one that says something else of the worker.
var errAnnounced = errors.New("the worker presents itself anew")

// Announce changes how the worker presents itself. The server is told at once,
// by a new session that takes the leases along. The name stays what it was.
func (p *Poller) Announce(r api.Register) {
	r.Name = p.cfg.Register.Name
	p.register.Store(&r)
	select {
	case p.again <- struct{}{}:
	default:
	}
}

// announced waits for Announce.
func (p *Poller) announced(ctx context.Context, _ *session) error {
	select {
	case <-ctx.Done():
		return nil
	case <-p.again:
		return errAnnounced
	}
}
