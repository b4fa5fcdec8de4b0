package poller

import (
	"context"
	"errors"

	"github.com/pullrun/pullrun/api"
)

// errAnnounced ends a session for one that says something else of the worker.
var errAnnounced = errors.New("the worker presents itself anew")

// A presentation is what a worker says of itself when it registers.
type presentation struct {
	api.Register
	refused func()     // undoes what the worker has done for it
	judged  chan error // gets the server's judgement, if somebody waits for that; has room for it
}

// judge tells who waits what became of the presentation.
func (r *presentation) judge(err error) {
	select {
	case r.judged <- err:
	default:
	}
}

// Announce changes how the worker presents itself. The server is told at once,
// by a new session that takes the leases along. The name stays what it was.
// Announce returns nil when the server has taken that, or why it has refused it,
// and then the worker goes on in the session that it had, once refused has
// returned; or why ctx ended. Call it once at a time.
func (p *Poller) Announce(ctx context.Context, r api.Register, refused func()) error {
	r.Name = p.cfg.Register.Name
	next := &presentation{r, refused, make(chan error, 1)}
	p.presented.Store(next)
	select {
	case p.again <- struct{}{}:
	default:
	}
	select {
	case err := <-next.judged:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// announced waits for Announce.
func (p *Poller) announced(ctx context.Context, s *session) error {
	for p.presented.Load() == s.presented {
		select {
		case <-ctx.Done():
			return nil
		case <-p.again:
		}
	}
	return errAnnounced
}

// keep goes back to what the worker said of itself in a session, for the server has
// refused what it says now.
func (p *Poller) keep(s *session, next *presentation, refusal error) {
	if p.presented.CompareAndSwap(next, s.presented) { // unless it says something else again by now
		next.refused() // before the next call, which would show the refused token
	}
	next.judge(refusal)
}
